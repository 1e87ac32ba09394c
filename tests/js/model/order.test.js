import assert from "node:assert/strict";
import { test } from "node:test";
import { nextOrder, OWN, sorted } from "../../../frontend/model/order.js";

/** @type {Record<string, any>} */
const rows = {
  B: { symbol: "B", last: 3, change: -0.1, ts: 5 },
  A: { symbol: "A", last: 9, change: 0.2, ts: 0 },
  C: { symbol: "C", last: null, change: null, ts: 7 },
};
const list = Object.keys(rows);

/** @param {any} key @param {boolean} isDown */
function by(key, isDown) {
  return sorted(list, (symbol) => rows[symbol], { key, isDown }).join("");
}

test("the first click on a head sorts, the second turns it round, the third is one's own order", () => {
  const first = nextOrder(OWN, "last");
  const second = nextOrder(first, "last");

  assert.deepEqual([first, second, nextOrder(second, "last")], [{ key: "last", isDown: true }, { key: "last", isDown: false }, OWN]);
});

test("names rise first", () => {
  assert.deepEqual(nextOrder(OWN, "symbol"), { key: "symbol", isDown: false });
});

test("a click on another head begins there", () => {
  assert.deepEqual(nextOrder({ key: "last", isDown: false }, "change"), { key: "change", isDown: true });
});

test("sorts by each key, and puts last what has no value", () => {
  assert.deepEqual(
    [by("own", true), by("symbol", false), by("symbol", true), by("last", true), by("last", false), by("change", true), by("age", false)],
    ["BAC", "ABC", "CBA", "ABC", "BAC", "ABC", "CBA"],
  );
});
