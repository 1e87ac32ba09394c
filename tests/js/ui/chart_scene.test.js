import assert from "node:assert/strict";
import { test } from "node:test";
import { Series } from "../../../frontend/model/series.js";
import { headed } from "../../../frontend/ui/chart_image.js";
import { wallTime } from "../../../frontend/ui/chart_range.js";
import { Scene } from "../../../frontend/ui/chart_scene.js";
import { candle, MINUTE, PALETTE } from "./support.js";

/** @typedef {import("../../../frontend/model/series.js").Candle} Candle */

const NOTHING = { spans: [], alerts: [] };

/** @param {number} count @param {boolean} [isForming] whether the last one is still forming */
function series(count, isForming = true) {
  const made = new Series("A", "1m");
  /** @type {import("../../../frontend/model/series.js").Bar[]} */
  const bars = Array.from({ length: count }, (_, index) => candle(1000 + index, 100, 101));
  if (isForming && count) bars[count - 1] = { ...bars[count - 1], closed: false };
  made.load({ bars, cursor: "1-1" });
  return made;
}

/** @param {Series} of @param {number} seq @param {number} minute @param {number} price */
function trade(of, seq, minute, price) {
  return of.add({ type: "trade", symbol: "A", price, size: 1, side: null, ts: minute * MINUTE * 1000, cursor: `1-${seq}` });
}

/** @param {Series} of @param {number} [width] */
function scene(of, width = 840) {
  const made = new Scene(of, { tick_size: 0.01 }, 0);
  made.resize(width, 400);
  return made;
}

/** @param {Scene} of @param {import("../../../frontend/ui/chart_scene.js").Marks} [marks] @returns {{traces: any[], layout: any}} */
function figure(of, marks = NOTHING) {
  return of.figure(PALETTE, marks);
}

test("a tick changes shapes only", () => {
  const of = series(50);
  const shown = scene(of);
  const before = figure(shown);
  trade(of, 2, 1049.5, 102.1);
  const isOther = shown.look();
  const after = figure(shown);

  assert.equal(isOther, false);
  assert.equal(after.traces, before.traces);
  assert.equal(after.layout.datarevision, before.layout.datarevision);
  assert.deepEqual(after.layout.xaxis, before.layout.xaxis);
  assert.deepEqual(after.layout.yaxis, before.layout.yaxis);
  assert.equal(after.layout.annotations.at(-1).text, "102.10");
  assert.notDeepEqual(after.layout.shapes, before.layout.shapes);
});

test("a candle that closes brings new arrays, and the newest one stays in view", () => {
  const of = series(50);
  const shown = scene(of);
  const before = figure(shown);
  trade(of, 2, 1050, 101);
  const isOther = shown.look();
  const after = figure(shown);

  assert.equal(isOther, true);
  assert.equal(after.layout.datarevision, before.layout.datarevision + 1);
  assert.equal(after.layout.xaxis.range[1] - before.layout.xaxis.range[1], MINUTE);
  assert.equal(after.layout.uirevision, before.layout.uirevision);
});

test("a history that says the same changes nothing", () => {
  const of = series(50);
  const shown = scene(of);
  const before = figure(shown);
  of.load({ bars: [...of.bars, { .../** @type {Candle} */ (of.forming), closed: false }].map((bar) => ({ ...bar })), cursor: "1-2" });

  assert.equal(shown.look(), false);
  assert.equal(figure(shown).layout.datarevision, before.layout.datarevision);
});

test("a history that says otherwise of one candle is drawn", () => {
  const of = series(50);
  const shown = scene(of);
  const before = figure(shown);
  const bars = of.bars.map((bar, index) => (index === 30 ? { ...bar, volume: 999 } : bar));
  of.load({ bars: [...bars, { .../** @type {Candle} */ (of.forming), closed: false }], cursor: "1-2" });

  assert.equal(shown.look(), true);
  assert.equal(figure(shown).layout.datarevision, before.layout.datarevision + 1);
});

test("a span of whole buckets stands under their candles", () => {
  const [from, to] = [1030 * MINUTE, 1032 * MINUTE];
  const { layout } = figure(scene(series(50)), { spans: [{ kind: "replayed", from, to }], alerts: [] });
  const { x0, x1 } = layout.shapes[0];

  assert.deepEqual([wallTime(x0), wallTime(x1)], [from - MINUTE / 2, to - MINUTE / 2]);
});

test("other colours bring new traces", () => {
  const shown = scene(series(50));
  const before = figure(shown);
  const after = shown.figure({ ...PALETTE }, NOTHING);

  assert.notEqual(after.traces, before.traces);
  assert.notEqual(/** @type {any} */ (after.layout).datarevision, before.layout.datarevision);
});

test("ticks don't move what a person looks at", () => {
  const of = series(300);
  const shown = scene(of);
  shown.show([1100 * MINUTE, 1160 * MINUTE]);
  const before = figure(shown).layout;
  for (let minute = 1300; minute < 1310; minute += 1) trade(of, minute, minute, 500);
  shown.look();
  const after = figure(shown).layout;

  assert.equal(shown.isFollowing, false);
  assert.deepEqual([after.xaxis.range, after.yaxis.range], [before.xaxis.range, before.yaxis.range]);

  shown.goLive();
  const live = figure(shown).layout;
  assert.ok(live.xaxis.range[1] > 1309 * MINUTE);
  assert.ok(live.yaxis.range[1] > 500);
});

test("a zoom by key keeps the newest candle in view while it is followed", () => {
  const shown = scene(series(300));
  const [, to] = shown.x;
  shown.zoom(0.5);

  assert.equal(shown.isFollowing, true);
  assert.ok(Math.abs(shown.x[1] - to) < MINUTE);
  assert.ok(shown.x[1] - shown.x[0] < 60 * MINUTE);
});

test("a candle out of view is revealed, one in view moves nothing", () => {
  const shown = scene(series(300));
  const { x } = shown;
  shown.reveal(shown.candles[290]);

  assert.equal(shown.x, x);

  shown.reveal(shown.candles[10]);
  assert.ok(shown.x[0] < 1010 * MINUTE && shown.x[1] > 1010 * MINUTE);
  assert.equal(shown.isFollowing, false);
});

test("the nearest candle is found, none where there are none", () => {
  const shown = scene(series(10));

  assert.equal(shown.indexAt(1003.4 * MINUTE), 3);
  assert.equal(shown.indexAt(1003.6 * MINUTE), 4);
  assert.equal(shown.indexAt(0), 0);
  assert.equal(shown.indexAt(9e12), 9);
  assert.equal(scene(series(0)).indexAt(5), -1);
});

test("a series without candles has axes without numbers, until the first tick", () => {
  const of = series(0);
  const shown = scene(of);
  const { layout } = figure(shown);

  assert.deepEqual([layout.yaxis.showticklabels, layout.shapes, layout.annotations], [false, [], []]);

  trade(of, 2, 1000, 50);
  shown.look();
  const { layout: after } = figure(shown);
  assert.equal(after.yaxis.showticklabels, true);
  assert.ok(after.yaxis.range[0] < 50 && after.yaxis.range[1] > 50);
  assert.ok(after.xaxis.range[0] < 1000 * MINUTE && after.xaxis.range[1] > 1000 * MINUTE);
});

test("a chart that grows shows more candles of the same width", () => {
  const shown = scene(series(300), 840);
  const before = (shown.x[1] - shown.x[0]) / shown.frame.width;
  shown.resize(1640, 400);

  assert.equal((shown.x[1] - shown.x[0]) / shown.frame.width, before);
});

test("an image says what it shows", () => {
  const shown = scene(series(3));
  const { layout } = figure(shown);
  const image = /** @type {any} */ (headed(layout, shown, PALETTE));

  assert.match(image.annotations.at(-1).text, /^A {3}1m {3}101\.00/);
  assert.equal(image.height - layout.height, image.margin.t - layout.margin.t);
});
