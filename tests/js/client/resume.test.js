import assert from "node:assert/strict";
import { test } from "node:test";
import { Market, seqOf } from "./support/market.js";
import { begin } from "./support/tickers.js";
import { seeded } from "./support/world.js";

/** @typedef {import("../../../frontend/client/ticker.js").TransportName} TransportName */

/** Chances of what goes wrong. */
const BAD = { cut: 0.1, refuse: 0.1, hang: 0.05, away: 0.05 };

const SEEDS = Array.from({ length: 12 }, (_, number) => number + 1);

/**
 * Follow a market over a bad network for a while, and after the market has closed over a good one until all is back.
 *
 * @param {number} seed
 * @param {{transports?: TransportName[], faults: import("./support/market.js").Faults, kept?: number}} options
 */
async function follow(seed, { transports, faults, kept = Infinity }) {
  const random = seeded(seed);
  const { world, ticker, hear } = begin({ cursor: "1-0", transports });
  world.random = random;
  const market = new Market(world, random, faults, kept);
  const [items, recoveries] = [hear("items"), hear("recovery")];
  for (let step = 0; step < 100; step += 1) await market.step();
  market.faults = {};
  market.isOpen = false;
  for (let step = 0; step < 40 || ticker.status.cursor !== `1-${market.newest}`; step += 1) {
    assert.ok(step < 1000, `seed ${seed}: never back, ${JSON.stringify(ticker.status)}`);
    await market.step();
  }
  ticker.close();
  return { market, recoveries, items: items.flat(), statistics: ticker.status.statistics };
}

/** The ticks that a client was handed. @param {any[]} items */
function ticksOf(items) {
  return items.filter(({ type }) => type === "quote" || type === "trade");
}

/** @type {[string, TransportName[] | undefined][]} */
const WAYS = [
  ["an event stream", ["sse"]],
  ["a WebSocket", ["websocket"]],
  ["long polls", ["longpoll"]],
  ["short polls", ["poll"]],
  ["whatever gets through", undefined],
];

for (const [name, transports] of WAYS) {
  test(`over ${name} and a bad network, every tick comes once and in order`, async () => {
    let reconnects = 0;
    for (const seed of SEEDS) {
      const { market, items, statistics } = await follow(seed, { transports, faults: BAD });
      reconnects += statistics.reconnects;

      assert.deepEqual(ticksOf(items), market.wanted(0), `seed ${seed}`);
      assert.deepEqual([statistics.gaps, statistics.violations], [0, 0], `seed ${seed}`);
    }
    assert.ok(reconnects > SEEDS.length, `${reconnects} reconnects`);
  });
}

test("each break is told, and complete", async () => {
  let count = 0;
  for (const seed of SEEDS) {
    const { recoveries, statistics } = await follow(seed, { transports: ["sse", "websocket"], faults: BAD });
    count += recoveries.length;

    assert.deepEqual(recoveries.filter(({ isComplete }) => !isComplete), [], `seed ${seed}`);
    const replayed = recoveries.reduce((sum, each) => sum + each.replayed, 0);
    assert.ok(replayed <= statistics.replayed, `seed ${seed}`);
  }
  assert.ok(count > SEEDS.length, `${count} recoveries`);
});

test("what is lost on the way without a word is noticed, and comes again", async () => {
  let violations = 0;
  for (const seed of SEEDS) {
    const { market, items, statistics } = await follow(seed, { faults: { ...BAD, drop: 0.05 } });
    violations += statistics.violations;

    assert.deepEqual(ticksOf(items), market.wanted(0), `seed ${seed}`);
  }
  assert.ok(violations > SEEDS.length, `${violations} violations`);
});

test("where a server can't keep everything, each tick comes once or lies in a gap that is told", async () => {
  let gaps = 0;
  for (const seed of SEEDS) {
    const { market, items, statistics } = await follow(seed, { faults: { ...BAD, cut: 0.2 }, kept: 40 });
    const told = items.filter(({ type }) => type === "gap");
    gaps += told.length;
    const isLost = (/** @type {any} */ { cursor }) =>
      told.some(({ from, to }) => seqOf(from) <= seqOf(cursor) && seqOf(cursor) <= seqOf(to));

    assert.deepEqual(ticksOf(items), market.wanted(0).filter((tick) => !isLost(tick)), `seed ${seed}`);
    assert.equal(statistics.lost, told.reduce((sum, { lost }) => sum + lost, 0), `seed ${seed}`);
    assert.equal(statistics.violations, 0, `seed ${seed}`);
  }
  assert.ok(gaps > SEEDS.length, `${gaps} gaps`);
});
