import assert from "node:assert/strict";
import { test } from "node:test";
import { freshness, Pace } from "../../../frontend/model/freshness.js";

test("a symbol is fresh, ageing and stale by its own pace", () => {
  const found = [0, 29.9, 30, 99.9, 100].map((age) => freshness(age, 10, true));

  assert.deepEqual(found, ["fresh", "fresh", "ageing", "ageing", "stale"]);
});

test("however fast a symbol is, two seconds are fresh", () => {
  assert.deepEqual([1.9, 2, 6.6, 6.7].map((age) => freshness(age, 0.01, true)), ["fresh", "ageing", "ageing", "stale"]);
});

test("nothing is fresh while the stream is not live, or before anything has come", () => {
  assert.deepEqual([freshness(0, 1, false), freshness(null, 1, true)], ["stale", "stale"]);
});

test("a symbol of which the pace is not known yet is not stale at once", () => {
  assert.equal(freshness(10, null, true), "fresh");
});

test("a pace is the moving average of the gaps between events", () => {
  const pace = new Pace();
  assert.equal(pace.gap, null);
  pace.take(1_000_000);
  assert.equal(pace.gap, null);
  pace.take(3_000_000);
  assert.equal(pace.gap, 2);
  pace.take(5_000_000);
  assert.equal(pace.gap, 2);
  pace.take(105_000_000);

  assert.ok(pace.gap > 2 && pace.gap < 10);
});

test("a late event and one at the same time do not count", () => {
  const pace = new Pace();
  for (const ts of [5_000_000, 6_000_000, 6_000_000, 4_000_000, 7_000_000]) pace.take(ts);

  assert.equal(pace.gap, 1);
});
