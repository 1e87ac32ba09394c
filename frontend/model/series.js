/**
 * Series: the candles of one symbol at one interval, from the server's history and the ticks after it.
 *
 * The rules are PROTOCOL.md section 3's. Market time is the largest `ts` of the stream so far, whatever the symbol; a
 * tick counts in the bucket of the market time at its place. Times are microseconds since the Unix epoch.
 */

import { compareCursors } from "../client/cursor.js";

/** @typedef {import("../client/follower.js").Tick} Tick */

/** @typedef {Readonly<{ts: number, open: number, high: number, low: number, close: number, volume: number, trades: number, partial: boolean}>} Candle `ts` is where its bucket begins; `partial` if that beginning was not seen. */

/** @typedef {{open: number, high: number, low: number, close: number, volume: number, trades: number, ts: number, partial?: boolean, closed?: boolean}} Bar of a history; `closed` is false for the one still forming, the last */

/** Lengths of buckets. @type {Readonly<Record<string, number>>} */
export const INTERVALS = Object.freeze({
  "1s": 1e6,
  "5s": 5e6,
  "15s": 15e6,
  "1m": 6e7,
  "5m": 3e8,
  "15m": 9e8,
  "1h": 36e8,
});

/** Closed candles that are kept, as many as the server keeps. */
export const CANDLES_LIMIT = 1000;

/** Ticks that are kept while a history is on its way: minutes of one symbol, where the answer takes milliseconds. */
export const KEPT_LIMIT = 50_000;

export class Series {
  /** Closed candles, oldest first. @type {Candle[]} */
  #bars = [];
  /** @type {Candle | null} */
  #forming = null;
  /** Market time, as far as it is known here. */
  #time = -1;
  /** Buckets that begin before this time have begun unseen; null before the first tick. @type {number | null} */
  #seenFrom = null;
  /** From the first trade on, only trades count. */
  #hasTraded = false;
  /** The place up to which the candles are complete. @type {string | null} */
  #cursor = null;
  /** Ticks since a history was asked for, each with the market time at its place; null while none is on its way.
   * @type {{tick: Tick, time: number}[] | null} */
  #kept = null;
  /** The place before the first of them. @type {string | null} */
  #keptAfter = null;

  /** @param {string} symbol @param {string} interval one of INTERVALS */
  constructor(symbol, interval) {
    if (!Object.hasOwn(INTERVALS, interval)) throw new RangeError(`there is no interval ${interval}`);
    this.symbol = symbol;
    this.interval = interval;
    this.length = INTERVALS[interval];
  }

  /** Closed candles, oldest first. @returns {readonly Candle[]} */
  get bars() {
    return this.#bars;
  }

  /** The candle that market time stands in. @returns {Candle | null} */
  get forming() {
    return this.#forming;
  }

  /** The newest price. @returns {number | null} */
  get last() {
    return (this.#forming ?? this.#bars.at(-1))?.close ?? null;
  }

  /** The place up to which the candles are complete: of the history, then of the newest tick that counted. */
  get cursor() {
    return this.#cursor;
  }

  /** A history has been asked for: keep ticks until `load`. Of two, only the answer to the later one may be loaded. */
  begin() {
    this.#kept = [];
    this.#keptAfter = this.#cursor;
  }

  /**
   * Replace all candles with a history and count the ticks after it that have come since `begin`.
   *
   * @param {{bars: Bar[], cursor: string}} answer of `GET /v1/bars/<symbol>`
   * @returns {boolean} false if it is too old to be made whole from the ticks that were kept, as one of a node that lags
   *   behind can be; then nothing has changed
   */
  load({ bars, cursor }) {
    if (this.#kept && this.#keptAfter !== null && isBefore(cursor, this.#keptAfter)) return false;
    const kept = this.#kept ?? [];
    const fed = this.#time;
    this.#kept = null;
    this.#replace(bars, cursor);
    for (const { tick, time } of kept) {
      this.#advance(time);
      this.#count(tick);
    }
    this.#advance(fed);
    return true;
  }

  /**
   * Take the stream's next tick, of whatever symbol.
   *
   * @param {Tick} tick
   * @returns {"same" | "forming" | "closed"} closed: the forming candle was closed, whatever came then
   */
  add(tick) {
    this.#seenFrom ??= tick.ts;
    const isClosed = this.#advance(tick.ts);
    if (tick.symbol !== this.symbol) return isClosed ? "closed" : "same";
    this.#keep(tick);
    const isCounted = this.#count(tick);
    return isClosed ? "closed" : isCounted ? "forming" : "same";
  }

  /** Write the closed candles as CSV: a row that stands never changes. @returns {string} times in ISO 8601, UTC */
  csv() {
    const rows = this.#bars.map(({ ts, open, high, low, close, volume, trades }) =>
      [new Date(ts / 1000).toISOString(), open, high, low, close, volume, trades].join(","),
    );
    return ["time,open,high,low,close,volume,trades", ...rows, ""].join("\n");
  }

  /** @param {Bar[]} bars @param {string} cursor */
  #replace(bars, cursor) {
    const candles = bars.map(candle);
    this.#forming = bars.at(-1)?.closed === false ? (candles.pop() ?? null) : null;
    this.#bars = candles.slice(-CANDLES_LIMIT);
    this.#hasTraded ||= bars.some(({ trades }) => trades > 0);
    this.#cursor = cursor;
    this.#seenFrom = 0;
    // The history doesn't say how late it is on the market. It is at least as late as what it holds.
    const end = this.#bars.at(-1);
    this.#time = this.#forming?.ts ?? (end ? end.ts + this.length : -1);
  }

  /** @param {Tick} tick */
  #keep(tick) {
    if (!this.#kept || (tick.type === "quote" && this.#hasTraded)) return;
    this.#kept.push({ tick, time: this.#time });
    // An answer from before a tick that was dropped can't be made whole, and `load` refuses it.
    if (this.#kept.length > KEPT_LIMIT) this.#keptAfter = this.#kept.shift()?.tick.cursor ?? null;
  }

  /** Move market time on. @param {number} time @returns {boolean} whether the forming candle was closed by that */
  #advance(time) {
    if (time <= this.#time) return false;
    this.#time = time;
    if (!this.#forming || time < this.#forming.ts + this.length) return false;
    this.#bars.push(this.#forming);
    if (this.#bars.length > CANDLES_LIMIT) this.#bars.shift();
    this.#forming = null;
    return true;
  }

  /** @param {Tick} tick @returns {boolean} whether it changed a candle */
  #count(tick) {
    if (this.#cursor !== null && compareCursors(tick.cursor, this.#cursor) <= 0) return false;
    this.#cursor = tick.cursor;
    if (tick.type === "trade") this.#trade(tick.price, tick.size);
    else if (this.#hasTraded) return false;
    else this.#forming = this.#grown(this.#forming, (tick.bid + tick.ask) / 2, 0, 0);
    return true;
  }

  /** @param {number} price @param {number} size */
  #trade(price, size) {
    const before = this.#forming;
    // The first trade begins the open candle anew, which until then followed mid prices.
    const fresh = this.#grown(this.#hasTraded ? before : null, price, size, 1);
    this.#forming = before?.partial ? { ...fresh, partial: true } : fresh;
    this.#hasTraded = true;
  }

  /** @param {Candle | null} forming @param {number} price @param {number} size @param {number} trades */
  #grown(forming, price, size, trades) {
    if (forming) return merged(forming, price, size, trades);
    const ts = Math.floor(this.#time / this.length) * this.length;
    const partial = ts < (this.#seenFrom ?? 0);
    return { ts, open: price, high: price, low: price, close: price, volume: size, trades, partial };
  }
}

/** @param {Candle} forming @param {number} price @param {number} size @param {number} trades @returns {Candle} */
function merged(forming, price, size, trades) {
  return {
    ...forming,
    high: Math.max(forming.high, price),
    low: Math.min(forming.low, price),
    close: price,
    // Rounded as the server rounds, so that adding up many sizes leaves no tail of binary noise.
    volume: Number((forming.volume + size).toFixed(9)),
    trades: forming.trades + trades,
  };
}

/** @param {Bar} bar @returns {Candle} */
function candle({ ts, open, high, low, close, volume, trades, partial = false }) {
  return { ts, open, high, low, close, volume, trades, partial };
}

/** Whether a cursor comes before another of its epoch: those of a lower epoch are a market that began anew.
 * @param {string} cursor @param {string} other */
function isBefore(cursor, other) {
  return cursor.split("-", 1)[0] === other.split("-", 1)[0] && compareCursors(cursor, other) < 0;
}
