import assert from "node:assert/strict";
import { test } from "node:test";
import { CANDLES_LIMIT, INTERVALS, KEPT_LIMIT, Series } from "../../../frontend/model/series.js";

/** @typedef {import("../../../frontend/client/follower.js").Tick} Tick */
/** @typedef {import("../../../frontend/model/series.js").Bar} Bar */

const SECOND = 1e6;

/** @param {number} seq @param {number} seconds @param {number} price @param {number} [size] @param {string} [symbol] */
function trade(seq, seconds, price, size = 1, symbol = "A") {
  return /** @type {Tick} */ ({ type: "trade", symbol, price, size, side: null, ts: seconds * SECOND, cursor: `7-${seq}` });
}

/** @param {number} seq @param {number} seconds @param {number} mid @param {string} [symbol] */
function quote(seq, seconds, mid, symbol = "A") {
  const sides = { bid: mid - 0.5, bid_size: 1, ask: mid + 0.5, ask_size: 1 };
  return /** @type {Tick} */ ({ type: "quote", symbol, ...sides, ts: seconds * SECOND, cursor: `7-${seq}` });
}

/** What the contract says of a stream's candles, told as plainly as it can be: the answer of a server that saw it all.
 * @param {Tick[]} ticks @param {string} symbol @param {string} interval @returns {{bars: Bar[], cursor: string}} */
function history(ticks, symbol, interval) {
  const length = INTERVALS[interval];
  /** @type {Map<number, Bar>} */
  const buckets = new Map();
  let time = 0;
  let hasTraded = false;
  for (const tick of ticks) {
    time = Math.max(time, tick.ts);
    const ts = Math.floor(time / length) * length;
    if (tick.symbol !== symbol || (tick.type === "quote" && hasTraded)) continue;
    if (tick.type === "trade" && !hasTraded) buckets.delete(ts);
    hasTraded ||= tick.type === "trade";
    const [price, size, trades] = tick.type === "trade" ? [tick.price, tick.size, 1] : [(tick.bid + tick.ask) / 2, 0, 0];
    const bar = buckets.get(ts) ?? { ts, open: price, high: price, low: price, close: price, volume: 0, trades: 0 };
    const { high, low, volume } = bar;
    const grown = { high: Math.max(high, price), low: Math.min(low, price), volume: volume + size };
    buckets.set(ts, { ...bar, ...grown, close: price, trades: bar.trades + trades });
  }
  const bars = [...buckets.values()].map((bar) => (bar.ts + length > time ? { ...bar, closed: false } : bar));
  return { bars, cursor: ticks.at(-1)?.cursor ?? "7-0" };
}

/** @param {Series} series */
function shown(series) {
  return [...series.bars, ...(series.forming ? [series.forming] : [])].map(({ partial, ...bar }) => bar);
}

/** @param {{bars: Bar[]}} answer */
function expected({ bars }) {
  return bars.map(({ closed, ...bar }) => bar);
}

/** A generator of numbers in [0, 1) that a seed decides. @param {number} seed */
function random(seed) {
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
}

/** Ticks of three symbols, some late, with pauses in which whole buckets are empty. @param {number} seed */
function stream(seed) {
  const next = random(seed);
  let time = 1000;
  return Array.from({ length: 400 }, (_, index) => {
    time += next() < 0.02 ? 20 * next() : 0.4 * next();
    const at = next() < 0.2 ? time - 3 * next() : time;
    const symbol = ["A", "A", "B", "C"][Math.floor(4 * next())];
    const price = 100 + Math.floor(16 * next());
    return index > 60 && next() < 0.5 ? trade(index + 1, at, price, 1 + Math.floor(9 * next()), symbol) : quote(index + 1, at, price, symbol);
  });
}

test("trades of a bucket are one candle", () => {
  const series = new Series("A", "5s");
  const changes = [trade(1, 10, 5, 2), trade(2, 11, 7, 1), trade(3, 14.9, 4, 3)].map((tick) => series.add(tick));

  assert.deepEqual(changes, ["forming", "forming", "forming"]);
  assert.deepEqual(series.bars, []);
  assert.deepEqual(series.forming, { ts: 10e6, open: 5, high: 7, low: 4, close: 4, volume: 6, trades: 3, partial: false });
  assert.equal(series.last, 4);
  assert.equal(series.cursor, "7-3");
});

test("a tick of another symbol closes a candle and begins none", () => {
  const series = new Series("A", "1s");
  series.add(trade(1, 10, 5));

  assert.equal(series.add(quote(2, 10.5, 9, "B")), "same");
  assert.equal(series.add(quote(3, 11, 9, "B")), "closed");
  assert.equal(series.forming, null);
  assert.equal(series.bars.length, 1);
  assert.equal(series.last, 5);
});

test("a late tick counts in the candle that is forming", () => {
  const series = new Series("A", "1s");
  series.add(trade(1, 10, 5));
  const change = series.add(trade(2, 12, 6));
  series.add(trade(3, 10.2, 1));

  assert.equal(change, "closed");
  assert.deepEqual(series.bars.map(({ ts, low }) => [ts, low]), [[10e6, 5]]);
  assert.deepEqual([series.forming?.ts, series.forming?.low], [12e6, 1]);
});

test("mid prices count until the first trade, which begins the candle anew", () => {
  const series = new Series("A", "5s");
  series.add(quote(1, 10, 50));
  series.add(quote(2, 11, 60));

  assert.deepEqual([series.forming?.close, series.forming?.volume, series.forming?.trades], [60, 0, 0]);

  series.add(trade(3, 12, 55, 4));
  const change = series.add(quote(4, 13, 90));

  assert.equal(change, "same");
  assert.deepEqual([series.forming?.open, series.forming?.high, series.forming?.volume], [55, 55, 4]);
});

test("a candle whose beginning was not seen is partial, and stays so through its first trade", () => {
  const series = new Series("A", "5s");
  series.add(quote(1, 12, 50));
  series.add(trade(2, 13, 50));
  series.add(trade(3, 15, 50));

  assert.deepEqual([series.bars[0].partial, series.forming?.partial], [true, false]);
});

test("a candle that the history says is partial stays so", () => {
  const series = new Series("A", "5s");
  const bar = { ts: 10e6, open: 1, high: 1, low: 1, close: 1, volume: 0, trades: 0, partial: true, closed: false };
  series.load({ bars: [bar], cursor: "7-1" });
  series.add(trade(2, 11, 2));

  assert.deepEqual(series.forming, { ts: 10e6, open: 2, high: 2, low: 2, close: 2, volume: 1, trades: 1, partial: true });
});

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
  test(`a history and the ticks after it are the candles of the whole stream, seed ${seed}`, () => {
    const ticks = stream(seed);
    const next = random(seed + 100);
    for (const interval of ["1s", "5s", "15s"]) {
      const asked = Math.floor(300 * next());
      const answered = asked + Math.floor(60 * next());
      const arrived = answered + Math.floor(40 * next());
      const series = new Series("A", interval);
      for (const tick of ticks.slice(Math.floor(asked / 2), asked)) series.add(tick);
      series.begin();
      // The answer can hold ticks that the stream brings later, or lack some that it has brought.
      const [early, late] = next() < 0.5 ? [answered, arrived] : [arrived, answered];
      for (const tick of ticks.slice(asked, early)) series.add(tick);
      series.load(history(ticks.slice(0, late), "A", interval));
      for (const tick of ticks.slice(early)) series.add(tick);

      assert.deepEqual(shown(series), expected(history(ticks, "A", interval)));
    }
  });
}

test("ticks that the history holds change nothing", () => {
  const series = new Series("A", "1s");
  const ticks = [trade(1, 10, 5), trade(2, 10.5, 6)];
  series.load(history(ticks, "A", "1s"));

  assert.equal(series.add(ticks[1]), "same");
  assert.deepEqual([series.forming?.volume, series.cursor], [2, "7-2"]);
});

test("a tick that is late for the history counts after its last closed candle", () => {
  const seen = [trade(1, 10, 5), trade(2, 12, 6, 1, "B")];
  const forming = new Series("A", "1s");
  const closed = new Series("A", "1s");
  forming.load(history([...seen, trade(3, 12, 5)], "A", "1s"));
  closed.load(history(seen.slice(0, 2), "A", "1s"));
  for (const series of [forming, closed]) series.add(trade(4, 10.5, 7));

  assert.deepEqual([forming.bars.length, forming.forming?.ts, forming.forming?.high], [1, 12e6, 7]);
  assert.deepEqual([closed.bars.length, closed.forming?.ts], [1, 11e6]);
});

test("a history closes what market time has passed", () => {
  const series = new Series("A", "1s");
  series.begin();
  series.add(quote(2, 20, 1, "B"));
  series.load(history([trade(1, 10, 5)], "A", "1s"));

  assert.equal(series.forming, null);
  assert.equal(series.bars.length, 1);
});

test("a history of a node that lags behind is refused", () => {
  const series = new Series("A", "1s");
  const ticks = [trade(1, 10, 5), trade(2, 10.5, 6), trade(3, 10.7, 7)];
  for (const tick of ticks) series.add(tick);
  series.begin();

  assert.equal(series.load(history(ticks.slice(0, 2), "A", "1s")), false);
  assert.equal(series.forming?.trades, 3);
});

test("a market that began anew replaces the old one", () => {
  const series = new Series("A", "1s");
  series.add(trade(9, 10, 5));
  series.begin();

  assert.equal(series.load({ bars: [], cursor: "6-2" }), true);
  assert.deepEqual([series.bars.length, series.forming, series.last, series.cursor], [0, null, null, "6-2"]);
});

test("what is kept is bounded, and an answer from before what was dropped is refused", () => {
  const series = new Series("A", "1h");
  series.begin();
  for (let seq = 1; seq <= KEPT_LIMIT + 10; seq += 1) series.add(trade(seq, 10, 5));

  assert.equal(series.load({ bars: [], cursor: "7-9" }), false);
  assert.equal(series.load({ bars: [], cursor: "7-10" }), true);
  assert.equal(series.forming?.trades, KEPT_LIMIT);
});

test("the oldest candles go", () => {
  const series = new Series("A", "1s");
  for (let second = 1; second <= CANDLES_LIMIT + 3; second += 1) series.add(trade(second, second, second));

  assert.equal(series.bars.length, CANDLES_LIMIT);
  assert.equal(series.bars[0].ts, 3e6);
});

test("sizes add up without a tail", () => {
  const series = new Series("A", "1s");
  for (const seq of [1, 2, 3]) series.add(trade(seq, 10, 5, 0.1));

  assert.equal(series.forming?.volume, 0.3);
});

test("CSV has the closed candles with raw numbers and UTC times", () => {
  const series = new Series("A", "1m");
  series.add(trade(1, 1763900040, 189.44, 300));
  series.add(trade(2, 1763900041, 1234567.891, 0.5));
  series.add(trade(3, 1763900100, 1));

  const lines = ["time,open,high,low,close,volume,trades", "2025-11-23T12:14:00.000Z,189.44,1234567.891,189.44,1234567.891,300.5,2", ""];
  assert.equal(series.csv(), lines.join("\n"));
});

test("an unknown interval is refused", () => {
  assert.throws(() => new Series("A", "2m"), RangeError);
});
