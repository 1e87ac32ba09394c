/** Market: what is known of every symbol, from the items of a stream. Times of events are microseconds. */

import { decimalsOf } from "./format.js";
import { Pace } from "./freshness.js";

/** @typedef {import("../client/follower.js").Item} Item */
/** @typedef {import("../client/follower.js").Tick} Tick */
/** @typedef {{symbol: string, name: string, sector: string, currency: string, tick_size: number, lot_size: number, reference: number | null, synthetic: boolean}} Instrument */

/** Prices that are kept of each symbol for its sparkline. */
export const POINTS = 60;

/** Beyond so many seconds between a tick's time and the clock, a market is a recorded one and keeps its own time. */
const RECORDED = 60;

export class Row {
  /** @type {Instrument | null} */
  instrument = null;
  /** @type {import("../client/follower.js").Quote | null} */
  quote = null;
  /** @type {import("../client/follower.js").Trade | null} */
  trade = null;
  /** The last trade's price; before the first one the middle between bid and ask. @type {number | null} */
  last = null;
  /** The last change of `last`: above 0 up, below 0 down. */
  direction = 0;
  /** Time of the newest event. */
  ts = 0;
  pace = new Pace();
  /** The last prices, the oldest first. @type {number[]} */
  points = [];
  decimals = 2;

  /** @param {string} symbol */
  constructor(symbol) {
    this.symbol = symbol;
  }

  /** The change since the reference price, as a ratio; null where there is none. */
  get change() {
    const reference = this.instrument?.reference;
    return reference && this.last !== null ? this.last / reference - 1 : null;
  }

  /** @param {Tick} tick @returns {number | null} the price before, if this one is another */
  take(tick) {
    if (tick.type === "quote") this.quote = tick;
    else this.trade = tick;
    this.pace.take(tick.ts);
    this.ts = Math.max(this.ts, tick.ts);
    const last = this.trade?.price ?? (this.quote && (this.quote.bid + this.quote.ask) / 2);
    if (last === null || last === this.last) return null;
    const before = this.last;
    if (before !== null) this.direction = last - before;
    this.last = last;
    this.points.push(last);
    if (this.points.length > POINTS) this.points.shift();
    return before;
  }
}

export class Market {
  /** @type {Map<string, Instrument>} */
  instruments = new Map();
  /** @type {Map<string, Row>} */
  rows = new Map();
  /** The newest event's time, and when it came. */
  #newest = { ts: 0, at: 0 };

  /** @param {Instrument[]} instruments */
  define(instruments) {
    for (const instrument of instruments) {
      this.instruments.set(instrument.symbol, instrument);
      const row = this.rows.get(instrument.symbol);
      if (row) describe(row, instrument);
    }
  }

  /** @param {string} symbol */
  row(symbol) {
    let row = this.rows.get(symbol);
    if (!row) {
      row = new Row(symbol);
      const instrument = this.instruments.get(symbol);
      if (instrument) describe(row, instrument);
      this.rows.set(symbol, row);
    }
    return row;
  }

  /**
   * Take a tick.
   *
   * @param {Tick} tick
   * @param {number} now milliseconds since the Unix epoch
   * @returns {number | null} the symbol's price before, if this one is another
   */
  take(tick, now) {
    if (tick.ts > this.#newest.ts) this.#newest = { ts: tick.ts, at: now };
    return this.row(tick.symbol).take(tick);
  }

  /** The market's day, counted from the Unix epoch: with it the prices change from which changes are counted. */
  get day() {
    return Math.floor(this.#newest.ts / 86_400_000_000);
  }

  /** Whether the market's time is not the clock's. */
  get isRecorded() {
    const { ts, at } = this.#newest;
    return ts > 0 && Math.abs(at - ts / 1000) > RECORDED * 1000;
  }

  /** The time of the market at a moment, both in milliseconds. @param {number} now */
  time(now) {
    return this.isRecorded ? this.#newest.ts / 1000 + (now - this.#newest.at) : now;
  }

  /** Seconds since a symbol's newest event, null before it. @param {Row} row @param {number} now */
  age(row, now) {
    return row.ts ? Math.max(0, (this.time(now) - row.ts / 1000) / 1000) : null;
  }
}

/** @param {Row} row @param {Instrument} instrument */
function describe(row, instrument) {
  row.instrument = instrument;
  row.decimals = decimalsOf(instrument.tick_size);
}
