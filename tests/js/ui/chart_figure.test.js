import assert from "node:assert/strict";
import { test } from "node:test";
import { columnsOf, CONFIG, directionsOf, layoutOf, tracesOf } from "../../../frontend/ui/chart_figure.js";
import { escaped } from "../../../frontend/ui/chart_image.js";
import * as ranges from "../../../frontend/ui/chart_range.js";
import * as shapes from "../../../frontend/ui/chart_shapes.js";
import { spoken, stamp } from "../../../frontend/ui/chart_text.js";
import { Traces } from "../../../frontend/ui/chart_traces.js";
import { candle, MINUTE, PALETTE } from "./support.js";

test("columns are shifted to wall time, and an empty candle at the end tells their width", () => {
  const columns = columnsOf([candle(1, 5, 6), candle(4, 6, 5)], 2 * MINUTE, MINUTE);

  assert.deepEqual(columns.x, [3 * MINUTE, 6 * MINUTE, 7 * MINUTE]);
  assert.deepEqual(columns.open, [5, 6, null]);
  assert.deepEqual(columns.volume, [10, 10, null]);
  assert.deepEqual(columnsOf([], 0, MINUTE).x, []);
});

test("a candle that ends where it began goes by the close before it", () => {
  const flat = [candle(1, 5, 5), candle(2, 5, 7), candle(3, 7, 7), candle(4, 6, 6), candle(5, 6, 6)];

  assert.deepEqual(directionsOf(flat), [true, true, true, false, false]);
  assert.deepEqual(directionsOf([candle(6, 8, 8)], candle(5, 9, 9), true), [false]);
});

test("rising candles are hollow and falling ones are filled", () => {
  const columns = columnsOf([candle(1, 5, 6), candle(2, 6, 5)], 0, MINUTE);
  const [candles, volumes] = /** @type {any[]} */ (tracesOf(columns, [true, false], PALETTE));

  assert.equal(candles.increasing.fillcolor, PALETTE.panel);
  assert.equal(candles.decreasing.fillcolor, PALETTE.down);
  assert.deepEqual(volumes.marker.color, [PALETTE.up, PALETTE.down, PALETTE.up]);
});

test("a layout draws dates and prices without Plotly's own furniture", () => {
  const margin = { l: 0, r: 50, t: 6, b: 34 };
  const view = { x: /** @type {ranges.Range} */ ([0, 1]), y: /** @type {ranges.Range} */ ([5, 6]), volume: 9, isDated: true, isEmpty: false };
  const size = { width: 800, height: 400, margin };
  const layout = /** @type {any} */ (
    layoutOf({ ...view, ...size, decimals: 3, revision: 4, identity: "A 1m" }, PALETTE, { shapes: [], annotations: [] })
  );

  assert.equal(layout.xaxis.rangeslider.visible, false);
  assert.equal(layout.hovermode, false);
  assert.equal(layout.yaxis.tickformat, ".3f");
  assert.deepEqual([layout.yaxis.fixedrange, layout.yaxis2.fixedrange], [true, true]);
  assert.deepEqual([layout.datarevision, layout.uirevision], [4, "A 1m"]);
  assert.equal(layout.yaxis.gridcolor, "rgba(1, 2, 3, 0.6)");
  assert.deepEqual([CONFIG.displaylogo, CONFIG.showSendToCloud, CONFIG.displayModeBar], [false, false, false]);
});

test("the forming candle is one path of wicks and body, at its bucket's place", () => {
  const path = shapes.candlePath({ ...candle(0, 5, 7), high: 9, low: 4 }, MINUTE, 20_000);

  assert.equal(
    path,
    "M1970-01-01_00:01:00.000,9L1970-01-01_00:01:00.000,7" +
      "M1970-01-01_00:00:40.000,7L1970-01-01_00:01:20.000,7L1970-01-01_00:01:20.000,5L1970-01-01_00:00:40.000,5Z" +
      "M1970-01-01_00:01:00.000,5L1970-01-01_00:01:00.000,4",
  );
});

test("a hatch is cut at the edges of its span", () => {
  const path = shapes.hatchPath(0, 1000, 0.02, 14);
  const points = path.split(/[ML]/).slice(1).map((point) => point.split(","));
  const times = points.map(([time]) => ranges.wallTime(time.replace("_", " ")));
  const heights = points.map(([, height]) => Number(height));

  assert.ok(times.every((time) => time >= 0 && time <= 1000));
  assert.ok(heights.every((height) => height >= 0 && height <= 1));
  // At 45°: as many pixels up as to the right.
  for (let index = 0; index < points.length; index += 2) {
    const across = (times[index + 1] - times[index]) * 0.02;
    const up = (heights[index + 1] - heights[index]) * 14;
    assert.ok(Math.abs(across - up) < 0.05);
  }
});

test("spans are tinted or hatched, and those out of sight are left out", () => {
  const frame = { x: /** @type {ranges.Range} */ ([0, 100_000]), width: 1000, height: 100, offset: 0 };
  /** @type {shapes.Span[]} */
  const spans = [
    { kind: "replayed", from: 10_000, to: 20_000 },
    { kind: "lost", from: 50_000, to: 50_001 },
    { kind: "lost", from: 200_000, to: 300_000 },
  ];
  const [replayed, lost, lines, ...more] = /** @type {any[]} */ (shapes.spanShapes(spans, frame, PALETTE));

  assert.deepEqual([replayed.type, replayed.fillcolor, replayed.label.text], ["rect", PALETTE.accent, "replayed"]);
  assert.deepEqual([lost.type, lost.label.text, lines.type, lines.line.color], ["rect", "", "path", PALETTE.error]);
  assert.equal(ranges.wallTime(lost.x1) - ranges.wallTime(lost.x0), 300);
  assert.deepEqual(more, []);
});

test("alerts in sight have a line and a tag", () => {
  const { shapes: lines, annotations } = shapes.alertMarks([{ id: "a", price: 5 }, { id: "b", price: 50 }], [0, 10], 2, PALETTE);

  assert.equal(lines.length, 1);
  assert.deepEqual(annotations.map((each) => /** @type {any} */ (each).text), ["5.00"]);
});

test("only candles near what is shown are drawn", () => {
  const traces = new Traces(0, MINUTE);
  traces.take(Array.from({ length: 1000 }, (_, index) => candle(index, 5, 6)));
  /** @param {number} from @param {number} to */
  const drawn = (from, to) => /** @type {any} */ (traces.of([from * MINUTE, to * MINUTE], PALETTE)[0]);
  const first = drawn(500, 600);

  assert.deepEqual([first.x[0], first.x.at(-2)], [400 * MINUTE, 699 * MINUTE]);
  assert.equal(drawn(530, 630), first);
  assert.notEqual(drawn(560, 660), first);
  assert.equal(traces.revision, 2);
});

test("text from outside stays text in an image", () => {
  assert.equal(escaped('<a href="x">A&B</a>'), '&lt;a href="x"&gt;A&amp;B&lt;/a&gt;');
});

test("a candle is told by its time and its prices", () => {
  const time = Date.UTC(2026, 10, 24, 9, 31, 7);

  assert.equal(stamp(time, MINUTE), "24 Nov 09:31");
  assert.equal(stamp(time, 5000), "09:31:07");
  assert.equal(
    spoken(candle(1, 5, 6, 12_400), "09:31", 2, true),
    "09:31, up, open 5.00, high 7.00, low 4.00, close 6.00, volume 12.4k",
  );
});
