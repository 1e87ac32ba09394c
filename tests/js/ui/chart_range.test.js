import assert from "node:assert/strict";
import { test } from "node:test";
import * as ranges from "../../../frontend/ui/chart_range.js";

const MINUTE = 60_000;

test("prices are fitted with headroom, and the fit is kept while it serves", () => {
  const first = ranges.fittedPrices(null, { low: 100, high: 110, volume: 0 }, 0.1);

  assert.deepEqual(first, [99, 111]);
  assert.equal(ranges.fittedPrices(first, { low: 100, high: 110.5, volume: 0 }, 0.1), first);
  assert.equal(ranges.fittedPrices(first, { low: 102, high: 109, volume: 0 }, 0.1), first);
  assert.notEqual(ranges.fittedPrices(first, { low: 100, high: 110.9, volume: 0 }, 0.1), first);
  assert.notEqual(ranges.fittedPrices(first, { low: 104, high: 106, volume: 0 }, 0.1), first);
});

test("a flat market is a flat line, and stays so", () => {
  const first = ranges.fittedPrices(null, { low: 100, high: 100, volume: 0 }, 1.2);

  assert.deepEqual(first.map((price) => Number(price.toFixed(9))), [99.4, 100.6]);
  assert.equal(ranges.fittedPrices(first, { low: 100, high: 100.1, volume: 0 }, 1.2), first);
});

test("volumes are fitted with hysteresis too", () => {
  assert.equal(ranges.fittedVolume(null, 200), 200 * 1.15);
  assert.equal(ranges.fittedVolume(230, 120), 230);
  assert.equal(ranges.fittedVolume(230, 231), 231 * 1.15);
  assert.equal(ranges.fittedVolume(230, 40), 40 * 1.15);
  assert.equal(ranges.fittedVolume(null, 0), 1);
});

test("a range is kept at candles", () => {
  const [first, newest] = [1000 * MINUTE, 1500 * MINUTE];
  const [from, to] = ranges.bounded([0, 100 * MINUTE], first, newest, MINUTE);

  assert.equal(to - from, 100 * MINUTE);
  assert.equal(to, first + 6 * MINUTE);

  const [late] = ranges.bounded([9000 * MINUTE, 9100 * MINUTE], first, newest, MINUTE);
  assert.equal(late, newest - 5 * MINUTE);

  const near = ranges.bounded([1200 * MINUTE, 1201 * MINUTE], first, newest, MINUTE);
  assert.equal(near[1] - near[0], 12 * MINUTE);

  const far = ranges.bounded([-1e12, 1e12], first, newest, MINUTE);
  assert.equal(far[1] - far[0], 508 * MINUTE);
});

test("dates are read as Plotly writes them", () => {
  const time = Date.UTC(2026, 10, 24, 9, 31, 7, 412);

  assert.equal(ranges.wallText(time), "2026-11-24 09:31:07.412");
  assert.equal(ranges.wallTime("2026-11-24 09:31:07.412"), time);
  assert.equal(Math.round(ranges.wallTime("2026-11-24 09:31:07.4123") - time), 0);
  assert.equal(ranges.wallTime("2026-11-24 09:31"), Date.UTC(2026, 10, 24, 9, 31));
  assert.equal(ranges.wallTime("2026-11-24"), Date.UTC(2026, 10, 24));
  assert.ok(Number.isNaN(ranges.wallTime(undefined)));
});

test("pixels and values are each other's inverse", () => {
  const pixel = ranges.pixelAt(5, [0, 20], 10, 200);

  assert.equal(pixel, 60);
  assert.equal(ranges.valueAt(pixel, [0, 20], 10, 200), 5);
});

test("a chart opens with as many candles as fit, and with few of them not emptier than by half", () => {
  assert.equal(ranges.slotsOf(800, 500), 100);
  assert.equal(ranges.slotsOf(800, 70), 78);
  assert.equal(ranges.slotsOf(800, 5), 50);
  assert.equal(ranges.slotsOf(10_000, 5000), 240);
});
