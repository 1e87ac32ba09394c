/** Tape: the last trades, in 200 rows that are used again and again. */

import { arrow, clock, fixed, short } from "../model/format.js";
import { byId, make, write } from "./dom.js";

/** @typedef {import("../client/follower.js").Trade} Trade */

const ROWS = 200;

/** Pixels from the top within which the tape still follows. */
const TOP = 8;

export class Tape {
  #body = byId("tape-rows");
  #scroller = byId("tape-scroll");
  #button = byId("tape-new");
  /** Trades that wait to be painted, the oldest first, at most as many as there are rows. @type {{trade: Trade, direction: number}[]} */
  #waiting = [];
  /** Trades that came while the tape was scrolled. */
  #missed = 0;
  #symbol = "";
  #isOne = true;

  /** @param {import("../model/market.js").Market} market @param {import("./painter.js").Painter} painter */
  constructor(market, painter) {
    this.market = market;
    this.painter = painter;
    painter.add(() => this.#paint(), { isMarket: true });
    this.#scroller.addEventListener("scroll", () => painter.ask(), { passive: true });
    this.#button.addEventListener("click", () => this.#scroller.scrollTo({ top: 0 }));
    const choice = /** @type {HTMLSelectElement} */ (byId("tape-of"));
    choice.addEventListener("change", () => {
      this.#isOne = choice.value === "one";
      this.#clear();
    });
  }

  /** Show the trades of a symbol. @param {string} symbol */
  show(symbol) {
    if (symbol === this.#symbol) return;
    this.#symbol = symbol;
    if (this.#isOne) this.#clear();
  }

  /** @param {Trade} trade @param {number | undefined} before the price of the symbol's trade before it */
  add(trade, before) {
    if (this.#isOne && trade.symbol !== this.#symbol) return;
    this.#waiting.push({ trade, direction: trade.price - (before ?? trade.price) });
    if (this.#waiting.length > ROWS) this.#waiting.shift();
    this.#missed += 1;
    this.painter.ask();
  }

  #clear() {
    this.#waiting = [];
    this.#missed = 0;
    this.#body.replaceChildren();
    this.#scroller.scrollTop = 0;
    this.painter.ask();
  }

  #paint() {
    const isFollowing = this.#scroller.scrollTop <= TOP;
    this.#button.hidden = isFollowing || this.#missed === 0;
    if (!isFollowing) {
      write(this.#button, `${this.#missed} new`);
    } else {
      for (const { trade, direction } of this.#waiting) this.#write(trade, direction);
      this.#waiting = [];
      this.#missed = 0;
    }
    byId("tape-note").hidden = this.#body.childElementCount > 0;
  }

  /** @param {Trade} trade @param {number} direction */
  #write(trade, direction) {
    const isFull = this.#body.childElementCount >= ROWS;
    const row = isFull ? /** @type {HTMLElement} */ (this.#body.lastElementChild) : emptyRow();
    const [at, symbol, price, size] = row.children;
    write(at, clock(trade.ts / 1000));
    write(symbol, trade.symbol);
    write(price, `${fixed(trade.price, this.market.row(trade.symbol).decimals)} ${arrow(direction)}`);
    write(size, short(trade.size));
    price.className = direction > 0 ? "up" : direction < 0 ? "down" : "";
    this.#body.prepend(row);
  }
}

function emptyRow() {
  return make("tr", {}, make("td"), make("td"), make("td"), make("td"));
}
