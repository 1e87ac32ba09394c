/** Overlay: a crosshair over the chart, its price and its time. Elements are made once and moved. */

import { fixed } from "../model/format.js";
import { PRICES } from "./chart_figure.js";
import { pixelAt, valueAt } from "./chart_range.js";
import { stamp } from "./chart_text.js";
import { make, write } from "./dom.js";

/** @typedef {import("./chart_scene.js").Scene} Scene */
/** @typedef {import("./chart_figure.js").Palette} Palette */

const COVER = { position: "absolute", inset: "0", overflow: "hidden", pointerEvents: "none" };
const PINNED = { position: "absolute", top: "0", left: "0" };
const TYPE = { fontSize: "11px", lineHeight: "17px", whiteSpace: "nowrap" };
const TAG = { ...PINNED, ...TYPE, padding: "0 3px", borderRadius: "2px" };

/** Pixels of half a tag of time, about. */
const HALF = 36;

export class Overlay {
  #down = styled({ ...PINNED, width: "0", opacity: "0.6" });
  #across = styled({ ...PINNED, height: "0", opacity: "0.6" });
  #price = styled(TAG);
  #time = styled(TAG);

  /** @param {HTMLElement} host @param {Palette} palette */
  constructor(host, palette) {
    this.cover = styled(COVER);
    this.cover.hidden = true;
    this.cover.setAttribute("aria-hidden", "true");
    this.cover.append(this.#down, this.#across, this.#price, this.#time);
    host.append(this.cover);
    this.dress(palette);
  }

  /** @param {Palette} palette */
  dress({ muted, text, panel, grid }) {
    this.#down.style.borderLeft = this.#across.style.borderTop = `1px dashed ${muted}`;
    for (const tag of [this.#price, this.#time]) {
      const edge = { border: `1px solid ${muted}`, boxShadow: `0 0 0 1px ${grid}` };
      Object.assign(tag.style, { background: panel, color: text, ...edge });
    }
  }

  hide() {
    this.cover.hidden = true;
  }

  /**
   * Stand on a candle.
   *
   * @param {Scene} scene
   * @param {number} index of the candle
   * @param {number} [y] pixels from the top of the chart; else at its close
   */
  show(scene, index, y) {
    const { left, top, width, height } = scene.frame;
    const wall = scene.wall(scene.candles[index].ts);
    const x = Math.round(pixelAt(wall, scene.x, left, width));
    const floor = top + height * (1 - PRICES[0]);
    const room = height * (PRICES[1] - PRICES[0]);
    const level = Math.round(y ?? pixelAt(scene.candles[index].close, scene.y, floor, -room));
    this.cover.hidden = x < left || x > left + width;
    place(this.#down, x, top);
    this.#down.style.height = `${height}px`;
    this.#level(scene, level, level < floor ? fixed(valueAt(level, scene.y, floor, -room), scene.decimals) : "");
    write(this.#time, stamp(wall, scene.length));
    place(this.#time, Math.max(left + HALF, Math.min(left + width - HALF, x)), top + height + 2);
    this.#time.style.transform += " translateX(-50%)";
  }

  /** @param {Scene} scene @param {number} level pixels @param {string} price */
  #level({ frame: { left, top, width, height } }, level, price) {
    const isInside = level >= top && level <= top + height;
    this.#across.hidden = !isInside;
    this.#price.hidden = !isInside || price === "";
    place(this.#across, left, level);
    this.#across.style.width = `${width}px`;
    write(this.#price, price);
    place(this.#price, left + width + 1, level - 9);
  }
}

/** @param {Partial<CSSStyleDeclaration>} style */
function styled(style) {
  const element = make("div");
  Object.assign(element.style, style);
  return element;
}

/** @param {HTMLElement} element @param {number} x @param {number} y */
function place(element, x, y) {
  element.style.transform = `translate(${x}px, ${y}px)`;
}
