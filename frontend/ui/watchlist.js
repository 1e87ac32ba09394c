/** Watchlist: a table of symbols with their newest prices, and how fresh each is. */

import { age, arrow, fixed, percent } from "../model/format.js";
import { freshness } from "../model/freshness.js";
import { nextOrder, OWN, sorted } from "../model/order.js";
import { byId, make, mark, write } from "./dom.js";
import { Flash } from "./flash.js";
import { colours } from "./looks.js";
import { drawSparkline, makeSparkline } from "./sparkline.js";

/** @typedef {import("../model/market.js").Row} Row */
/** @typedef {import("../model/market.js").Market} Market */

/**
 * @typedef {object} Handlers
 * @property {(symbol: string) => void} select
 * @property {(symbol: string) => void} remove
 * @property {(list: string[]) => void} move the list in its new own order
 */

/** The cells of one row. */
class Line {
  /** @param {string} symbol */
  constructor(symbol) {
    this.symbol = symbol;
    this.name = make("button", { type: "button", tabIndex: -1 }, symbol);
    this.last = make("td", { className: "last" }, "—");
    this.change = make("td", { className: "change" }, "");
    this.canvas = makeSparkline();
    this.age = make("td", { className: "age" }, "");
    const remove = make("button", { type: "button", className: "remove", tabIndex: -1, title: `Remove ${symbol}` }, "×");
    remove.setAttribute("aria-label", `Remove ${symbol}`);
    const head = make("th", { scope: "row" }, this.name);
    const cells = [head, this.last, this.change, make("td", {}, this.canvas), this.age, make("td", {}, remove)];
    this.element = make("tr", { data: { symbol, fresh: "stale" } }, ...cells);
    /** Prices that the canvas shows. */
    this.drawn = 0;
  }
}

export class Watchlist {
  /** @type {string[]} */
  list = [];
  flash = new Flash();
  isLive = false;
  /** Symbols that the server does not know. @type {Set<string>} */
  unknown = new Set();
  #order = OWN;
  #filter = "";
  /** @type {Map<string, Line>} */
  #lines = new Map();
  /** @type {Set<string>} */
  #changed = new Set();
  #selected = "";
  #body = byId("rows");
  #isPointed = false;
  /** A canvas must be told colours. */
  #colours = colours();

  /** @param {Market} market @param {import("./painter.js").Painter} painter @param {Handlers} handlers */
  constructor(market, painter, handlers) {
    this.market = market;
    this.painter = painter;
    this.handlers = handlers;
    painter.add((now) => this.#paint(now), { isMarket: true });
    painter.every(1000, (now) => painter.isHeld || this.#second(now));
    painter.every(500, () => painter.isHeld || this.#draw());
    this.#listen();
  }

  /** Show these symbols, in this own order. @param {string[]} list */
  show(list) {
    this.list = list;
    for (const [symbol, line] of this.#lines) {
      if (list.includes(symbol)) continue;
      line.element.remove();
      this.#lines.delete(symbol);
    }
    for (const symbol of list) {
      if (!this.#lines.has(symbol)) this.#lines.set(symbol, new Line(symbol));
      this.#changed.add(symbol);
    }
    this.#arrange();
    this.#second(Date.now());
    this.painter.ask();
  }

  /** Paint every row anew. */
  refresh() {
    this.show(this.list);
  }

  /** A symbol has a new price, another than before if `before` is one.
   * @param {string} symbol @param {number | null} before @param {number} now */
  touch(symbol, before, now) {
    const line = this.#lines.get(symbol);
    if (!line) return;
    this.#changed.add(symbol);
    if (before !== null && !document.hidden && !this.painter.isHeld) {
      this.flash.light(line.last, this.market.row(symbol).direction, now);
    }
    this.painter.ask();
  }

  /** @param {string} symbol */
  select(symbol) {
    this.#selected = symbol;
    for (const line of this.#lines.values()) {
      const isSelected = line.symbol === symbol;
      if (isSelected) line.element.setAttribute("aria-current", "true");
      else line.element.removeAttribute("aria-current");
      line.name.tabIndex = isSelected ? 0 : -1;
    }
    const first = this.#visible()[0];
    if (!this.#lines.has(symbol) && first) first.name.tabIndex = 0;
  }

  /** Select the next symbol in the order that is shown. @param {number} step */
  step(step) {
    const lines = this.#visible();
    const index = lines.findIndex((line) => line.symbol === this.#selected);
    const next = lines[Math.max(0, Math.min(lines.length - 1, index + step))];
    if (!next) return;
    const hadFocus = this.#body.contains(document.activeElement);
    this.handlers.select(next.symbol);
    next.element.scrollIntoView({ block: "nearest" });
    if (hadFocus) next.name.focus();
  }

  /** Move the selected symbol in the own order. @param {number} step */
  shift(step) {
    const index = this.list.indexOf(this.#selected);
    const place = index + step;
    if (index < 0 || place < 0 || place >= this.list.length) return;
    const list = this.list.filter((symbol) => symbol !== this.#selected);
    list.splice(place, 0, this.#selected);
    this.#sort(OWN);
    this.handlers.move(list);
  }

  /** Draw everything anew: the colours have changed. @param {import("./looks.js").Colours} colours */
  redraw(colours) {
    this.#colours = colours;
    for (const line of this.#lines.values()) line.drawn = 0;
    this.#draw();
  }

  #visible() {
    return [...this.#body.children]
      .map((element) => this.#lines.get(/** @type {HTMLElement} */ (element).dataset.symbol ?? ""))
      .filter((line) => line !== undefined && !line.element.hidden)
      .map((line) => /** @type {Line} */ (line));
  }

  #listen() {
    this.#body.addEventListener("click", ({ target }) => {
      const element = /** @type {HTMLElement} */ (target);
      const symbol = element.closest("tr")?.dataset.symbol;
      if (!symbol) return;
      if (element.closest(".remove")) this.handlers.remove(symbol);
      else this.handlers.select(symbol);
    });
    this.#body.addEventListener("pointerenter", () => (this.#isPointed = true));
    this.#body.addEventListener("pointerleave", () => (this.#isPointed = false));
    for (const head of document.querySelectorAll("#watchlist [data-sort]")) {
      const key = /** @type {import("../model/order.js").Key} */ (/** @type {HTMLElement} */ (head).dataset.sort);
      head.querySelector("button")?.addEventListener("click", () => this.#sort(nextOrder(this.#order, key)));
    }
    const choice = /** @type {HTMLSelectElement} */ (byId("sort"));
    choice.addEventListener("change", () => {
      const key = /** @type {import("../model/order.js").Key} */ (choice.value);
      this.#sort(key === "own" ? OWN : nextOrder(OWN, key));
    });
    const filter = /** @type {HTMLInputElement} */ (byId("filter"));
    filter.addEventListener("input", () => {
      this.#filter = filter.value.trim().toLowerCase();
      this.#arrange();
    });
  }

  /** @param {import("../model/order.js").Order} order */
  #sort(order) {
    this.#order = order;
    /** @type {HTMLSelectElement} */ (byId("sort")).value = order.key;
    for (const head of document.querySelectorAll("#watchlist [data-sort]")) {
      const isKey = /** @type {HTMLElement} */ (head).dataset.sort === order.key;
      head.setAttribute("aria-sort", !isKey ? "none" : order.isDown ? "descending" : "ascending");
    }
    this.#arrange();
  }

  /** Put the rows in order and hide those that the filter leaves out. */
  #arrange() {
    const order = sorted(this.list, (symbol) => this.market.row(symbol), this.#order);
    const elements = order.map((symbol) => /** @type {Line} */ (this.#lines.get(symbol)).element);
    const isSame = elements.every((element, index) => this.#body.children[index] === element);
    if (!isSame) this.#keepFocus(() => this.#body.replaceChildren(...elements));
    for (const line of this.#lines.values()) line.element.hidden = !this.#passes(line.symbol);
    this.select(this.#selected);
  }

  /** @param {() => void} move */
  #keepFocus(move) {
    const focused = document.activeElement;
    const hadFocus = focused instanceof HTMLElement && this.#body.contains(focused);
    move();
    if (hadFocus && focused.isConnected) focused.focus({ preventScroll: true });
  }

  /** @param {string} symbol */
  #passes(symbol) {
    const name = this.market.row(symbol).instrument?.name ?? "";
    return !this.#filter || `${symbol} ${name}`.toLowerCase().includes(this.#filter);
  }

  /** @param {number} now */
  #paint(now) {
    for (const symbol of this.#changed) {
      const line = this.#lines.get(symbol);
      if (line) this.#paintLine(line, this.market.row(symbol), now);
    }
    this.#changed.clear();
  }

  /** @param {Line} line @param {Row} row @param {number} now */
  #paintLine(line, row, now) {
    if (row.last === null) {
      write(line.last, this.unknown.has(row.symbol) ? "unknown" : "—");
    } else {
      write(line.last, `${fixed(row.last, row.decimals)} ${arrow(row.direction)}`);
      this.#paintChange(line.change, row.change);
    }
    if (row.instrument && line.name.title !== row.instrument.name) line.name.title = row.instrument.name;
    this.#paintFreshness(line, row, now);
  }

  /** @param {HTMLElement} cell @param {number | null} change */
  #paintChange(cell, change) {
    write(cell, change === null ? "" : `${arrow(change)} ${percent(change)}`);
    const tone = change === null || change === 0 ? "change" : change > 0 ? "change up" : "change down";
    if (cell.className !== tone) cell.className = tone;
  }

  /** @param {Line} line @param {Row} row @param {number} now */
  #paintFreshness(line, row, now) {
    const seconds = this.market.age(row, now);
    mark(line.element, "fresh", freshness(seconds, row.pace.gap, this.isLive));
    write(line.age, seconds === null ? "" : age(seconds));
  }

  /** What the clock changes by itself. @param {number} now */
  #second(now) {
    if (this.#order !== OWN && !this.#isPointed) this.#arrange();
    for (const line of this.#lines.values()) this.#paintFreshness(line, this.market.row(line.symbol), now);
  }

  #draw() {
    for (const line of this.#lines.values()) {
      const { points } = this.market.row(line.symbol);
      const newest = points.length ? points[points.length - 1] + points.length : 0;
      if (line.drawn === newest) continue;
      line.drawn = newest;
      const isUp = points[points.length - 1] >= points[0];
      drawSparkline(line.canvas, points, this.#colours[isUp ? "up" : "down"]);
    }
  }
}
