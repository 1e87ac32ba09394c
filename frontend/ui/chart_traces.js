/** Traces: the closed candles near what is shown, made anew only where that is needed. No DOM. */

import { columnsOf, directionsOf, tracesOf } from "./chart_figure.js";
import { lowerBound } from "./chart_range.js";

/** @typedef {import("../model/series.js").Candle} Candle */
/** @typedef {import("./chart_figure.js").Palette} Palette */
/** @typedef {import("./chart_range.js").Range} Range */

/** Widths of what is shown that are drawn on each side of it: one can be dragged into view at a time. */
const BESIDE = 1;

/** … and how little of that may be left before more is drawn. */
const LEAST = 0.5;

export class Traces {
  /** @type {readonly Candle[]} */
  candles = [];
  /** Counts what was made: another number tells Plotly that the arrays are others. */
  revision = 0;
  /** Wall times of the candles. @type {number[]} */
  #times = [];
  /** @type {boolean[]} */
  #isUp = [];
  /** Indices of the candles that the traces hold, the second exclusive. @type {Range} */
  #held = [0, 0];
  /** @type {Palette | null} */
  #palette = null;
  /** @type {object[]} */
  #made = [];

  /** @param {number} offset milliseconds from UTC to wall time @param {number} length of a bucket in milliseconds */
  constructor(offset, length) {
    this.offset = offset;
    this.length = length;
  }

  /** Take closed candles. @param {readonly Candle[]} candles @returns {boolean} whether they are others than before */
  take(candles) {
    if (areSame(this.candles, candles)) return false;
    this.candles = [...candles];
    this.#times = candles.map(({ ts }) => ts / 1000 + this.offset);
    this.#isUp = directionsOf(candles);
    this.#palette = null;
    return true;
  }

  /** @param {number} index @param {Candle | null} forming the candle after the last @returns {boolean} whether a candle
   * is drawn as rising */
  isUp(index, forming) {
    if (index < this.candles.length || !forming) return this.#isUp[index] ?? true;
    return directionsOf([forming], this.candles.at(-1), this.#isUp.at(-1))[0];
  }

  /** @param {Range} x what is shown @param {Palette} palette @returns {object[]} the same ones while they serve */
  of(x, palette) {
    const [first, end] = this.#near(x, LEAST);
    if (this.#palette === palette && first >= this.#held[0] && end <= this.#held[1]) return this.#made;
    this.#held = this.#near(x, BESIDE);
    const candles = this.candles.slice(...this.#held);
    this.#made = tracesOf(columnsOf(candles, this.offset, this.length), this.#isUp.slice(...this.#held), palette);
    this.#palette = palette;
    this.revision += 1;
    return this.#made;
  }

  /** @param {Range} x @param {number} widths on each side @returns {Range} indices */
  #near([from, to], widths) {
    const beside = widths * (to - from);
    return [lowerBound(this.#times, from - beside), lowerBound(this.#times, to + beside)];
  }
}

/** @param {readonly Candle[]} some @param {readonly Candle[]} others @returns {boolean} whether they are equal */
function areSame(some, others) {
  const names = /** @type {const} */ (["ts", "open", "high", "low", "close", "volume"]);
  if (some.length !== others.length) return false;
  return some.every((each, index) => {
    const other = others[index];
    return each === other || names.every((name) => each[name] === other[name]);
  });
}
