/**
 * Ranges: which part of time and price a chart shows, and where that is in pixels. No DOM.
 *
 * Times are wall times: milliseconds that read as UTC show what a local clock shows, as Plotly draws dates as given.
 */

/** @typedef {[number, number]} Range from, to */

/** @typedef {{low: number, high: number, volume: number}} Extent of candles: prices, and the largest volume */

/** @typedef {{left: number, top: number, width: number, height: number}} Frame pixels inside the margins */

/** Pixels of a candle and the gap beside it, as a chart is opened. */
const SLOT = 8;

/** Candles of room between the newest one and the right edge. */
const ROOM = 4;

/** Parts of the span of prices that stay free above and below after a fit. */
const HEADROOM = 0.1;

/** A fit is kept while prices stay inside it by this part of its span … */
const EDGE = 0.02;

/** … and fill more than this part of it. */
const FILLED = 0.5;

/**
 * @param {number} width of the frame in pixels
 * @param {number} count of the candles that there are
 * @returns {number} slots that are shown at first: where candles are few, at least half of those that fit
 */
export function slotsOf(width, count) {
  const fitting = Math.max(20, Math.min(240, Math.round(width / SLOT)));
  return Math.min(fitting, Math.max(Math.ceil(fitting / 2), count + 2 * ROOM));
}

/**
 * @param {number} newest where the newest bucket begins
 * @param {number} length of a bucket in milliseconds
 * @param {number} slots
 * @returns {Range} whose last candle is the newest
 */
export function followed(newest, length, slots) {
  const to = newest + (ROOM + 0.5) * length;
  return [to - slots * length, to];
}

/**
 * Keep a range at candles: neither between two of them nor where there are none.
 *
 * @param {Range} range
 * @param {number} first where the oldest bucket begins
 * @param {number} newest
 * @param {number} length of a bucket in milliseconds
 * @returns {Range}
 */
export function bounded([from, to], first, newest, length) {
  const most = Math.max(newest - first + 2 * ROOM * length, 40 * length);
  const span = Math.max(12 * length, Math.min(most, to - from));
  const middle = (from + to) / 2;
  const earliest = first - span + 6 * length;
  const latest = newest - 5 * length;
  const start = Math.max(earliest, Math.min(latest, middle - span / 2));
  return [start, start + span];
}

/** @param {Range} range @param {number} factor below 1 magnifies @param {number} anchor what stays where it is @returns {Range} */
export function zoomed([from, to], factor, anchor) {
  return [anchor - (anchor - from) * factor, anchor + (to - anchor) * factor];
}

/**
 * @param {Range | null} current
 * @param {Extent} extent
 * @param {number} least the smallest span, so that a flat market is a flat line
 * @returns {Range} the current one while it serves
 */
export function fittedPrices(current, { low, high }, least) {
  if (current) {
    const span = current[1] - current[0];
    const edge = EDGE * span;
    const isInside = low >= current[0] + edge && high <= current[1] - edge;
    if (isInside && Math.max(high - low, least / (1 + 2 * HEADROOM)) >= FILLED * span) return current;
  }
  const span = Math.max(high - low, least / (1 + 2 * HEADROOM));
  const middle = (low + high) / 2;
  return [middle - span * (0.5 + HEADROOM), middle + span * (0.5 + HEADROOM)];
}

/** @param {number | null} current @param {number} volume the largest that is shown @returns {number} top of the axis */
export function fittedVolume(current, volume) {
  if (current !== null && volume <= current && volume >= 0.45 * current) return current;
  return volume > 0 ? volume * 1.15 : (current ?? 1);
}

/** @param {readonly number[]} sorted @param {number} value @returns {number} index of the first that is not less */
export function lowerBound(sorted, value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param {number} pixel from `start` on @param {Range} range @param {number} start @param {number} size */
export function valueAt(pixel, [from, to], start, size) {
  return from + ((pixel - start) / size) * (to - from);
}

/** @param {number} value @param {Range} range @param {number} start @param {number} size @returns {number} pixels */
export function pixelAt(value, [from, to], start, size) {
  return start + ((value - from) / (to - from)) * size;
}

/** @param {number} ms @returns {string} as Plotly reads a date: 2026-01-02 09:31:07.000 */
export function wallText(ms) {
  return new Date(ms).toISOString().slice(0, 23).replace("T", " ");
}

/** @param {unknown} value a date as Plotly writes it, cut where only zeros follow @returns {number} NaN if it is none */
export function wallTime(value) {
  if (typeof value === "number") return value;
  const [year, month = 1, day = 1, hour = 0, minute = 0, second = 0] = String(value).split(/[-: T]/).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute) + second * 1000;
}
