/** Desk: what a person has chosen to see: the symbol, the interval, the watchlist. Kept in the URL and in the browser. */

import { LIST_LIMIT, readView, writeView } from "../model/address.js";
import { byId, write } from "./dom.js";
import { keep, recall } from "./store.js";

/** @typedef {import("./parts.js").Parts} Parts */

/** Symbols of a first watchlist. */
const FIRST = 20;

const STORE = "ticker.view";

const EMPTY_LIST = "The watchlist is empty. Press / and type a symbol or a company.";
const EMPTY_MARKET = "The market has no symbols yet. They appear here with their first ticks.";

export class Desk {
  view = readView(location.search, recall(STORE));
  /** Whether the stream has brought something: before that, history could end before the first tick. */
  #isStreaming = false;

  /**
   * @param {Parts} parts
   * @param {() => Promise<void>} want brings to the stream what is wanted
   */
  constructor(parts, want) {
    this.parts = parts;
    this.want = want;
  }

  /** The watchlist, empty if it was never chosen. */
  get list() {
    return this.view.list ?? [];
  }

  /** What the stream must bring. @returns {string[]} */
  get wanted() {
    const shown = this.view.symbol ? [this.view.symbol] : [];
    return [...new Set([...this.list, ...this.parts.alerting.symbols, ...shown])];
  }

  /** Show all that was chosen. */
  show() {
    this.parts.watchlist.show(this.list);
    this.#shown();
  }

  /** The stream brings ticks. */
  stream() {
    this.#isStreaming = true;
    this.#note();
    this.#open();
  }

  /** Show the candles of the symbol. */
  #open() {
    if (!this.#isStreaming) return;
    const { symbol, interval } = this.view;
    if (symbol) this.parts.candles.open(symbol, interval);
    else this.parts.candles.clear("Choose a symbol to see its chart.");
  }

  /** The market's instruments are known: choose from them where nothing was chosen. */
  begin() {
    const { instruments } = this.parts.market;
    const before = this.wanted.length;
    if (this.view.list === null && instruments.size) this.view.list = [...instruments.keys()].slice(0, FIRST);
    const isFirst = this.view.symbol === null && this.list.length > 0;
    if (isFirst) this.view.symbol = this.list[0];
    this.show();
    if (isFirst) this.#change();
    else if (this.wanted.length > before) this.want();
  }

  /** @param {string} symbol */
  select(symbol) {
    if (this.view.symbol === symbol) return;
    this.view.symbol = symbol;
    this.#shown();
    this.#change();
  }

  /** Add a symbol to the watchlist, and select it. @param {string} symbol */
  choose(symbol) {
    const isNew = !this.list.includes(symbol);
    const isFull = isNew && this.list.length >= LIST_LIMIT;
    if (isFull) this.parts.toasts.show(`A watchlist holds ${LIST_LIMIT} symbols: remove some first.`, { tone: "bad" });
    else if (isNew) this.#list([...this.list, symbol]);
    if (this.view.symbol === symbol) this.#change();
    else this.select(symbol);
  }

  /** Take a symbol off the watchlist; the next one is selected. @param {string} symbol */
  remove(symbol) {
    const place = this.list.indexOf(symbol);
    this.#list(this.list.filter((each) => each !== symbol));
    if (this.view.symbol === symbol) {
      this.view.symbol = this.list[Math.min(Math.max(place, 0), this.list.length - 1)] ?? null;
      this.#shown();
      this.#change();
    } else {
      this.save();
      this.want();
    }
  }

  /** @param {string[]} list the watchlist in another order */
  move(list) {
    this.#list(list);
    this.save();
  }

  /** @param {string} interval */
  setInterval(interval) {
    if (this.view.interval === interval) return;
    this.view.interval = interval;
    this.#shown();
    this.save();
    this.#open();
  }

  save() {
    const query = writeView(this.view, location.search);
    history.replaceState(null, "", query ? `?${query}` : location.pathname);
    keep(STORE, this.view);
  }

  /** @param {string[]} list */
  #list(list) {
    this.view.list = list;
    this.parts.watchlist.show(list);
    this.#note();
  }

  /** Keep what was chosen, tell the stream, and show the candles when their ticks come. */
  async #change() {
    this.save();
    await this.want();
    this.#open();
  }

  #shown() {
    const { watchlist, tape, alerting, candles, headline } = this.parts;
    const symbol = this.view.symbol ?? "";
    watchlist.select(symbol);
    tape.show(symbol);
    alerting.show(symbol);
    candles.setAlerts(alerting.lines);
    headline.show(this.view.symbol);
    this.#note();
    for (const radio of /** @type {NodeListOf<HTMLInputElement>} */ (document.getElementsByName("interval"))) {
      radio.checked = radio.value === this.view.interval;
    }
  }

  /** Say why there are no rows, and which rows wait for a symbol that nobody knows yet. */
  #note() {
    const { instruments } = this.parts.market;
    const target = byId("rows-note");
    target.hidden = this.list.length > 0;
    if (this.view.list !== null && instruments.size) write(target, EMPTY_LIST);
    else if (this.#isStreaming) write(target, EMPTY_MARKET);
    const isUnknown = (/** @type {string} */ symbol) => instruments.size > 0 && !instruments.has(symbol);
    this.parts.watchlist.unknown = new Set(this.list.filter(isUnknown));
  }
}
