/** Controls: the buttons of the page that belong to no part of it alone. */

import { INTERVALS } from "../model/series.js";
import { byId, make } from "./dom.js";

/** @typedef {import("./parts.js").Parts} Parts */
/** @typedef {import("./desk.js").Desk} Desk */

export const INTERVAL_NAMES = Object.keys(INTERVALS);

/** @param {Parts} parts @param {Desk} desk */
export function listenToControls(parts, desk) {
  const { painter, candles, watchlist } = parts;
  offerIntervals(desk);
  byId("pause").addEventListener("click", () => pause(parts));
  byId("add").addEventListener("click", () => byId("search").focus());
  byId("go-live").addEventListener("click", () => candles.goLive());
  byId("png").addEventListener("click", () => candles.png());
  byId("csv").addEventListener("click", () => saveCsv(candles.csv(), desk));
  for (const name of ["view", "side"]) listenToTabs(name);
  document.addEventListener("visibilitychange", () => {
    candles.freeze(document.hidden || painter.isHeld);
    if (!document.hidden) watchlist.refresh();
  });
}

/** Let the page rest as it is, or go on from now. @param {Parts} parts */
export function pause({ painter, candles, pill, watchlist, toasts }) {
  const isPaused = !painter.isHeld;
  painter.hold(isPaused);
  candles.freeze(isPaused);
  pill.waiting = isPaused ? 0 : null;
  byId("pause").setAttribute("aria-pressed", String(isPaused));
  if (!isPaused) watchlist.refresh();
  toasts.say(isPaused ? "Paused" : "The page goes on from now");
}

/** @param {Desk} desk */
function offerIntervals(desk) {
  const choices = INTERVAL_NAMES.map((name) => {
    const radio = make("input", { type: "radio", name: "interval", value: name, checked: name === desk.view.interval });
    return make("label", {}, radio, name);
  });
  byId("intervals").append(...choices);
  byId("intervals").addEventListener("change", ({ target }) => {
    desk.setInterval(/** @type {HTMLInputElement} */ (target).value);
  });
}

/** Let buttons turn to the panels of a small screen. @param {string} name of the data attribute that says which is seen */
function listenToTabs(name) {
  const buttons = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(`button[data-${name}]`));
  const turn = (/** @type {string} */ value) => {
    document.documentElement.dataset[name] = value;
    for (const button of buttons) button.setAttribute("aria-current", String(button.dataset[name] === value));
  };
  for (const button of buttons) button.addEventListener("click", () => turn(button.dataset[name] ?? ""));
  turn(document.documentElement.dataset[name] ?? "");
}

/** @param {string} text @param {Desk} desk */
function saveCsv(text, { view }) {
  const link = make("a", { download: `${view.symbol?.replace("/", "-")}-${view.interval}.csv` });
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
