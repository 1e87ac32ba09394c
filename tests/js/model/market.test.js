import assert from "node:assert/strict";
import { test } from "node:test";
import { Market, POINTS } from "../../../frontend/model/market.js";

const NOW = 1_763_900_000_000;

/** @param {number} ts milliseconds @returns {any} */
function quote(symbol = "A", bid = 1, ask = 3, ts = NOW) {
  return { type: "quote", symbol, bid, bid_size: 1, ask, ask_size: 1, ts: ts * 1000, cursor: "1-1" };
}

/** @param {number} ts milliseconds @returns {any} */
function trade(symbol = "A", price = 5, ts = NOW) {
  return { type: "trade", symbol, price, size: 1, side: null, ts: ts * 1000, cursor: "1-1" };
}

/** @returns {any} */
function instrument(symbol = "A", more = {}) {
  return { symbol, name: "A plc", sector: "", currency: "USD", tick_size: 0.005, lot_size: 1, reference: 4, synthetic: false, ...more };
}

test("the last price is the middle until the first trade, and the trade's from then on", () => {
  const market = new Market();
  market.take(quote(), NOW);
  assert.equal(market.row("A").last, 2);
  market.take(trade(), NOW);
  assert.equal(market.row("A").last, 5);
  market.take(quote("A", 9, 11), NOW);

  assert.equal(market.row("A").last, 5);
});

test("a price that changes gives the one before, and a direction", () => {
  const market = new Market();

  assert.equal(market.take(trade("A", 5), NOW), null);
  assert.equal(market.take(trade("A", 5), NOW), null);
  assert.equal(market.take(trade("A", 4), NOW), 5);
  assert.ok(market.row("A").direction < 0);
});

test("a change counts from the reference price", () => {
  const market = new Market();
  market.take(trade("A", 5), NOW);
  assert.equal(market.row("A").change, null);
  market.define([instrument()]);

  assert.equal(market.row("A").change, 0.25);
  assert.equal(market.row("A").decimals, 3);
});

test("an instrument that is known before its row describes it", () => {
  const market = new Market();
  market.define([instrument("B", { tick_size: 1 })]);

  assert.equal(market.row("B").decimals, 0);
  assert.equal(market.row("B").instrument?.name, "A plc");
});

test("a bounded number of prices is kept for the sparkline", () => {
  const market = new Market();
  for (let price = 1; price <= POINTS + 5; price += 1) market.take(trade("A", price), NOW);

  assert.equal(market.row("A").points.length, POINTS);
  assert.equal(market.row("A").points[0], 6);
});

test("an age counts from the event's time", () => {
  const market = new Market();
  const row = market.row("A");
  assert.equal(market.age(row, NOW), null);
  market.take(trade("A", 5, NOW - 250), NOW);

  assert.equal(market.age(row, NOW), 0.25);
  assert.equal(market.age(row, NOW + 1000), 1.25);
});

test("a recorded market keeps its own time", () => {
  const market = new Market();
  const then = NOW - 86_400_000;
  market.take(trade("A", 5, then), NOW);
  market.take(trade("B", 5, then + 3000), NOW + 3000);

  assert.equal(market.isRecorded, true);
  assert.equal(market.age(market.row("A"), NOW + 4000), 4);
  assert.equal(market.time(NOW + 4000), then + 4000);
});

test("a market whose clock is a little off is live", () => {
  const market = new Market();
  market.take(trade("A", 5, NOW + 2000), NOW);

  assert.equal(market.isRecorded, false);
  assert.equal(market.time(NOW), NOW);
  assert.equal(market.age(market.row("A"), NOW), 0);
});
