/** Looks: theme and palette, and the colours that canvas and chart must be told. */

import { byId, popover } from "./dom.js";
import { keep, recall } from "./store.js";

/** @typedef {import("../model/address.js").View} View */

const NAMES = /** @type {const} */ (["bg", "panel", "text", "muted", "up", "down", "accent", "warn", "error", "line"]);

/** @typedef {Record<typeof NAMES[number] | "grid", string>} Colours */

export class Looks {
  /** @param {View} view @param {import("./flash.js").Flash} flash @param {() => void} changed */
  constructor(view, flash, changed) {
    this.view = view;
    popover(byId("looks"), byId("looks-panel"));
    this.#choices("theme", changed);
    this.#choices("palette", changed);
    const box = /** @type {HTMLInputElement} */ (byId("flash"));
    flash.isOn = box.checked = recall("ticker.flash") !== false;
    box.addEventListener("change", () => {
      flash.isOn = box.checked;
      keep("ticker.flash", box.checked);
    });
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
      matchMedia(query).addEventListener("change", changed);
    }
    this.#apply();
  }

  /** @param {"theme" | "palette"} name @param {() => void} changed */
  #choices(name, changed) {
    for (const radio of /** @type {NodeListOf<HTMLInputElement>} */ (document.getElementsByName(name))) {
      radio.checked = radio.value === this.view[name];
      radio.addEventListener("change", () => {
        Object.assign(this.view, { [name]: radio.value });
        this.#apply();
        changed();
      });
    }
  }

  #apply() {
    document.documentElement.dataset.theme = this.view.theme;
    document.documentElement.dataset.palette = this.view.palette;
  }
}

/** Return the colours as the browser computes them: system colours of forced colours too. @returns {Colours} */
export function colours() {
  const probe = document.createElement("i");
  probe.style.forcedColorAdjust = "none";
  document.body.append(probe);
  const found = /** @type {Colours} */ ({});
  for (const name of NAMES) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  found.grid = found.line;
  return found;
}
