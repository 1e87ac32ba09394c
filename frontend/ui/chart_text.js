/** Text of a chart: the readout above it, what a screen reader is told, and a table of the newest candles. */

import { arrow, fixed, short } from "../model/format.js";
import { make, write } from "./dom.js";

/** @typedef {import("../model/series.js").Candle} Candle */

/** Candles in the table. */
const ROWS = 30;

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const NAMES = /** @type {const} */ (["open", "high", "low", "close"]);

/** Readout: a line like `O 101.20 H 101.44 L 101.02 C 101.32 V 12.4k`. */
export class Readout {
  /** Values, and the element that holds each. @type {HTMLElement[]} */
  #values = ["O", "H", "L", "C", "V"].map((letter) => value(TITLES[letter]));
  #note = make("span");
  #parts = ["O", "H", "L", "C", "V"].flatMap((letter, index) => [`${index ? " " : ""}${letter} `, this.#values[index]]);

  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
  }

  /** @param {Candle | undefined} candle @param {number} decimals @param {boolean} isUp */
  show(candle, decimals, isUp) {
    if (!candle) return this.clear();
    if (!this.host.contains(this.#note)) this.host.replaceChildren(...this.#parts, this.#note);
    const texts = [...NAMES.map((name) => fixed(candle[name], decimals)), short(candle.volume)];
    texts.forEach((text, index) => write(this.#values[index], text));
    write(this.#note, ` ${isUp ? "▲" : "▼"}${candle.partial ? " partial: its beginning was not seen" : ""}`);
  }

  clear() {
    write(this.host, "");
  }
}

/** @param {string} title */
function value(title) {
  const element = make("span", { title });
  element.style.color = "var(--text)";
  return element;
}

/** @type {Record<string, string>} */
const TITLES = { O: "open", H: "high", L: "low", C: "close", V: "volume" };

/** Table of the newest candles, the newest first, for those who can't see the chart. */
export class CandleTable {
  #caption = make("caption");
  #body = make("tbody");

  /** @param {HTMLElement} host */
  constructor(host) {
    const names = ["Time", "Open", "High", "Low", "Close", "Volume"];
    const head = make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name)));
    host.replaceChildren(make("table", {}, this.#caption, make("thead", {}, head), this.#body));
  }

  /** @param {import("./chart_scene.js").Scene} scene */
  show({ candles, forming, series, decimals, length, wall, offset }) {
    const closed = forming ? candles.slice(0, -1) : candles;
    const shown = closed.slice(-ROWS).reverse();
    const what = `the last ${shown.length} closed candles of ${series.interval}, the newest first`;
    write(this.#caption, `${series.symbol}: ${what}`);
    while (this.#body.rows.length > shown.length) this.#body.deleteRow(-1);
    while (this.#body.rows.length < shown.length) this.#body.append(row());
    shown.forEach((candle, index) => {
      const time = stamp(candle.ts / 1000 + offset, length);
      const texts = [time, ...NAMES.map((name) => fixed(candle[name], decimals)), short(candle.volume)];
      texts.forEach((text, column) => write(this.#body.rows[index].cells[column], text));
    });
  }

  clear() {
    write(this.#caption, "");
    this.#body.replaceChildren();
  }
}

function row() {
  return make("tr", {}, make("th", { scope: "row" }), ...NAMES.map(() => make("td")), make("td"));
}

/** @param {number} wall time in milliseconds @param {number} length of a bucket @returns {string} 24 Nov 09:31 */
export function stamp(wall, length) {
  const date = new Date(wall);
  const [day, clock] = [`${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`, date.toISOString()];
  return length < 60_000 ? clock.slice(11, 19) : `${day} ${clock.slice(11, 16)}`;
}

/** @param {Candle} candle @param {string} time @param {number} decimals @param {boolean} isUp @returns {string} to be spoken */
export function spoken(candle, time, decimals, isUp) {
  const prices = NAMES.map((name) => `${name} ${fixed(candle[name], decimals)}`).join(", ");
  return `${time}, ${isUp ? "up" : "down"}, ${prices}, volume ${short(candle.volume)}`;
}
