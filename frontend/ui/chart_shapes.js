/** Shapes: what moves with each tick, and what stands on the chart beside the candles. No DOM. */

import { fixed } from "../model/format.js";
import { BODY, VOLUME_OPACITY } from "./chart_figure.js";
import { wallText } from "./chart_range.js";

/** @typedef {import("../model/series.js").Candle} Candle */
/** @typedef {import("./chart_figure.js").Palette} Palette */
/** @typedef {import("./chart_range.js").Range} Range */

/** @typedef {{kind: "replayed" | "lost", from: number, to: number}} Span of milliseconds since the Unix epoch */
/** @typedef {{price: number, id: string}} Alert */

/** Pixels between the lines of a hatch, across. */
const HATCH = 7;

/** Pixels that a span is wide at least: a cut of a second is seen on a chart of days. */
const SEEN = 3;

/** Pixels that the word of a span needs. */
const WORD = 62;

/**
 * The candle that is forming and its volume, as the traces draw closed ones.
 *
 * @param {Candle} candle
 * @param {number} at its wall time
 * @param {number} length of its bucket in milliseconds
 * @param {boolean} isUp
 * @param {Palette} palette
 * @returns {object[]}
 */
export function formingShapes(candle, at, length, isUp, palette) {
  const color = isUp ? palette.up : palette.down;
  const half = (BODY / 2) * length;
  const [x0, x1] = [wallText(at - half), wallText(at + half)];
  const body = { type: "path", xref: "x", yref: "y", path: candlePath(candle, at, half) };
  const bar = { type: "rect", xref: "x", yref: "y2", x0, x1, y0: 0, y1: candle.volume, line: { width: 0 } };
  return [
    { ...bar, fillcolor: color, opacity: VOLUME_OPACITY, layer: "above" },
    { ...body, line: { color, width: 1 }, fillcolor: isUp ? palette.panel : color, layer: "above" },
  ];
}

/** @param {Candle} candle @param {number} at @param {number} half of a body's width @returns {string} wicks and body */
export function candlePath({ open, high, low, close }, at, half) {
  const [left, middle, right] = [at - half, at, at + half].map(pathTime);
  const [bottom, top] = open < close ? [open, close] : [close, open];
  const body = `M${left},${top}L${right},${top}L${right},${bottom}L${left},${bottom}Z`;
  return `M${middle},${high}L${middle},${top}${body}M${middle},${bottom}L${middle},${low}`;
}

/** @param {number} price @param {boolean} isUp @param {number} decimals @param {Palette} palette */
export function lastPrice(price, isUp, decimals, palette) {
  const color = isUp ? palette.up : palette.down;
  return {
    shapes: [level(price, { color, width: 1, dash: "1px 2px" })],
    annotations: [{ ...tag(price, decimals), bgcolor: color, bordercolor: color, font: { size: 11, color: palette.bg } }],
  };
}

/** @param {Alert[]} alerts @param {Range} y what is shown of the prices @param {number} decimals @param {Palette} palette */
export function alertMarks(alerts, y, decimals, palette) {
  const seen = alerts.filter(({ price }) => price >= y[0] && price <= y[1]);
  const look = { bgcolor: palette.panel, bordercolor: palette.warn, font: { size: 11, color: palette.warn } };
  return {
    shapes: seen.map(({ price }) => level(price, { color: palette.warn, width: 1, dash: "6px 4px" })),
    annotations: seen.map(({ price }) => ({ ...tag(price, decimals), ...look })),
  };
}

/**
 * Spans of time in which the stream was cut: tinted where all came again, hatched where ticks are lost.
 *
 * @param {Span[]} spans
 * @param {{x: Range, width: number, height: number, offset: number}} frame what is shown, pixels, wall time minus UTC
 * @param {Palette} palette
 * @returns {object[]}
 */
export function spanShapes(spans, { x, width, height, offset }, palette) {
  const scale = width / (x[1] - x[0]);
  return spans.flatMap(({ kind, from, to }) => {
    const middle = (from + to) / 2 + offset;
    const half = Math.max((to - from) / 2, SEEN / 2 / scale);
    const [x0, x1] = [middle - half, middle + half];
    if (x1 < x[0] || x0 > x[1]) return [];
    const isWordy = (x1 - x0) * scale > WORD;
    if (kind === "replayed") return [tint(x0, x1, palette.accent, 0.13, isWordy ? "replayed" : "")];
    return [tint(x0, x1, palette.error, 0.08, isWordy ? "lost" : ""), hatch(x0, x1, scale, height, palette.error)];
  });
}

/** @param {number} x0 @param {number} x1 @param {string} color @param {number} opacity @param {string} word */
function tint(x0, x1, color, opacity, word) {
  const label = { text: word, textposition: "top left", padding: 4, font: { size: 10, color } };
  const place = { type: "rect", xref: "x", yref: "paper", x0: wallText(x0), x1: wallText(x1), y0: 0, y1: 1 };
  return { ...place, fillcolor: color, opacity, line: { width: 0 }, layer: "below", label };
}

/** @param {number} x0 @param {number} x1 @param {number} scale pixels a millisecond @param {number} height @param {string} color */
function hatch(x0, x1, scale, height, color) {
  const path = hatchPath(x0, x1, scale, height);
  return { type: "path", xref: "x", yref: "paper", path, line: { color, width: 1 }, opacity: 0.55, layer: "below" };
}

/**
 * Lines at 45° over a span and the whole height, cut at its edges: shapes know no patterns.
 *
 * @param {number} x0 wall time
 * @param {number} x1
 * @param {number} scale pixels a millisecond
 * @param {number} height pixels
 * @returns {string} its y runs from 0 at the bottom to 1
 */
export function hatchPath(x0, x1, scale, height) {
  const width = (x1 - x0) * scale;
  let path = "";
  for (let begin = HATCH - height; begin < width; begin += HATCH) {
    const [from, to] = [Math.max(0, begin), Math.min(width, begin + height)];
    const point = (/** @type {number} */ at) => `${pathTime(x0 + at / scale)},${((at - begin) / height).toFixed(4)}`;
    path += `M${point(from)}L${point(to)}`;
  }
  return path || `M${pathTime(x0)},0L${pathTime(x1)},1`;
}

/** @param {number} price @param {object} line */
function level(price, line) {
  return { type: "line", xref: "paper", yref: "y", x0: 0, x1: 1, y0: price, y1: price, line, layer: "above" };
}

/** @param {number} price @param {number} decimals */
function tag(price, decimals) {
  const place = { xref: "paper", yref: "y", x: 1, y: price, xanchor: "left", yanchor: "middle", xshift: 1 };
  return { ...place, text: fixed(price, decimals), showarrow: false, borderpad: 2, borderwidth: 1 };
}

/** @param {number} ms @returns {string} in paths a date has no space */
function pathTime(ms) {
  return wallText(ms).replace(" ", "_");
}
