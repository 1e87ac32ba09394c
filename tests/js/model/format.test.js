import assert from "node:assert/strict";
import { test } from "node:test";
import { age, arrow, clock, decimalsOf, duration, fixed, percent, short, time } from "../../../frontend/model/format.js";

test("decimals show every place of a price's grid", () => {
  const cases = [[1, 0], [5, 0], [0.5, 1], [0.1, 1], [0.25, 2], [0.01, 2], [0.005, 3], [0.0005, 4], [1e-5, 5], [1e-8, 8]];

  assert.deepEqual(cases.map(([step]) => decimalsOf(step)), cases.map(([, decimals]) => decimals));
});

test("a grid finer than ten places gets ten", () => {
  assert.equal(decimalsOf(1e-12), 10);
});

test("a minus is as wide as a plus", () => {
  assert.equal(fixed(-1.5, 2), "−1.50");
  assert.deepEqual([percent(0.0041), percent(-0.0012), percent(0)], ["+0.41 %", "−0.12 %", "0.00 %"]);
});

test("a change too small to be shown has no sign", () => {
  assert.equal(percent(-0.00001), "0.00 %");
});

test("an arrow tells up and down without a colour", () => {
  assert.deepEqual([arrow(0.1), arrow(-0.1), arrow(0)], ["▲", "▼", "■"]);
});

test("volumes are short", () => {
  const cases = [[12_400, "12.4k"], [1_000, "1k"], [752_000, "752k"], [41_533_000, "41.5M"], [2.5e9, "2.5G"], [300, "300"], [1.5, "1.5"], [0.0123, "0.0123"], [0, "0"]];

  assert.deepEqual(cases.map(([value]) => short(Number(value))), cases.map(([, text]) => text));
});

test("ages are precise while they are young", () => {
  const cases = [[0.24, "0.2 s"], [-0.3, "0.0 s"], [9.94, "9.9 s"], [12.2, "12 s"], [99.4, "99 s"], [120, "2 min"], [7200, "2 h"], [3 * 86400, "3 d"]];

  assert.deepEqual(cases.map(([seconds]) => age(Number(seconds))), cases.map(([, text]) => text));
});

test("durations have no decimals", () => {
  assert.deepEqual([duration(0.4), duration(40), duration(100)], ["0 s", "40 s", "2 min"]);
});

test("times are local, with leading zeros", () => {
  const moment = new Date(2026, 0, 2, 9, 3, 7, 5).getTime();

  assert.deepEqual([clock(moment), time(moment)], ["09:03:07.005", "09:03:07"]);
});
