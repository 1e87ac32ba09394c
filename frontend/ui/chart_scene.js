/** Scene: what a chart shows of a series at this moment, and from where to where. No DOM. */

import { decimalsOf } from "../model/format.js";
import { layoutOf } from "./chart_figure.js";
import * as ranges from "./chart_range.js";
import { alertMarks, formingShapes, lastPrice, spanShapes } from "./chart_shapes.js";
import { Traces } from "./chart_traces.js";

/** @typedef {import("../model/series.js").Candle} Candle */
/** @typedef {import("../model/series.js").Series} Series */
/** @typedef {import("./chart_figure.js").Palette} Palette */
/** @typedef {import("./chart_range.js").Range} Range */
/** @typedef {{spans: import("./chart_shapes.js").Span[], alerts: import("./chart_shapes.js").Alert[]}} Marks */

/** Ticks of a price that the axis shows at least. */
const LEAST_TICKS = 12;

/** Pixels of a digit of the axis, and of what stands around a price there. */
const DIGIT = 6.7;
const AROUND = 15;

/** Pixels below the chart, with and without a line of dates. */
const DATED = 34;
const UNDATED = 21;

export class Scene {
  /** What was seen of the series when it was looked at last. A chart that rests goes on showing this. @type {Candle[]} */
  candles = [];
  /** The last of them where it is still forming. @type {Candle | null} */
  forming = null;
  /** Whether the newest candle is followed. */
  isFollowing = true;
  /** Wall times that are shown. @type {Range} */
  x = [0, 1];
  /** Prices that are shown, as they were fitted last. @type {Range} */
  y = [0, 1];
  /** Pixels of the figure. */
  size = { width: 0, height: 0 };
  /** The top of the volumes that are shown. */
  #top = 1;
  /** Whether the next fit must not keep what was shown before. */
  #isUnfit = true;
  /** Candles that fit beside each other while the newest is followed; null until the chart has a size.
   * @type {number | null} */
  #slots = null;

  /**
   * @param {Series} series
   * @param {{tick_size: number, synthetic?: boolean} | null} instrument
   * @param {number} offset milliseconds from UTC to wall time, one for the whole chart: when clocks change, candles
   *   neither overlap nor part, and only the hours of those before are told by the new clock
   */
  constructor(series, instrument, offset) {
    this.series = series;
    this.offset = offset;
    this.isSynthetic = instrument?.synthetic === true;
    this.tickSize = instrument?.tick_size ?? 0.01;
    this.decimals = decimalsOf(this.tickSize);
    /** Milliseconds of a bucket. */
    this.length = series.length / 1000;
    /** Whether its candles can be of several days. */
    this.isDated = this.length >= 60_000;
    this.traces = new Traces(offset, this.length);
    this.look();
  }

  /** Take over what the series holds now. @returns {boolean} whether closed candles are others than before */
  look() {
    const { bars, forming } = this.series;
    const isOther = this.traces.take(bars);
    this.forming = forming;
    this.candles = forming ? [...bars, forming] : [...bars];
    if (this.isFollowing) this.#follow();
    return isOther;
  }

  /** @param {number} width pixels @param {number} height */
  resize(width, height) {
    const before = this.frame.width;
    this.size = { width, height };
    if (this.#slots === null) this.#slots = ranges.slotsOf(this.frame.width, this.candles.length);
    else this.#slots *= this.frame.width / before;
    if (this.isFollowing) this.#follow();
  }

  /** Show this part until `goLive`. @param {Range} x */
  show(x) {
    this.isFollowing = false;
    this.x = this.#bounded(x);
    this.#slots = this.#shownSlots();
    this.#isUnfit = true;
  }

  goLive() {
    this.isFollowing = true;
    this.#isUnfit = true;
    this.#follow();
  }

  /** Zoom about the middle, or about the newest candle while that is followed. @param {number} factor below 1 magnifies */
  zoom(factor) {
    if (!this.isFollowing) return this.show(ranges.zoomed(this.x, factor, (this.x[0] + this.x[1]) / 2));
    this.x = this.#bounded(ranges.zoomed(this.x, factor, this.x[1]));
    this.#slots = this.#shownSlots();
    this.goLive();
  }

  /** Move what is shown so far that a candle is seen. @param {Candle} candle */
  reveal(candle) {
    const at = this.wall(candle.ts);
    const [from, to] = this.x;
    const inset = 1.5 * this.length;
    if (at < from + inset) this.show([at - inset, to - from + at - inset]);
    else if (at > to - inset) this.show([from - to + at + inset, at + inset]);
  }

  /** @param {number} ts microseconds since the Unix epoch @returns {number} wall time */
  wall(ts) {
    return ts / 1000 + this.offset;
  }

  /** @param {number} wall @returns {number} index of the candle nearest to it, -1 if there is none */
  indexAt(wall) {
    const after = ranges.lowerBound(this.#times, wall);
    const isNearer = after > 0 && wall - this.#times[after - 1] < (this.#times[after] ?? Infinity) - wall;
    return Math.min(this.candles.length - 1, isNearer ? after - 1 : after);
  }

  /** @param {number} index @returns {boolean} whether a candle is drawn as rising */
  isUp(index) {
    return this.traces.isUp(index, this.forming);
  }

  /** Margins: prices stand at the right. */
  get margin() {
    const digits = Math.abs(this.candles.at(-1)?.high ?? 1).toFixed(this.decimals).length;
    return { l: 0, r: Math.ceil(AROUND + DIGIT * Math.max(5, digits)), t: 6, b: this.isDated ? DATED : UNDATED };
  }

  /** Pixels inside the margins. @returns {ranges.Frame} */
  get frame() {
    const { l, r, t, b } = this.margin;
    const { width, height } = this.size;
    return { left: l, top: t, width: Math.max(1, width - l - r), height: Math.max(1, height - t - b) };
  }

  /**
   * Make Plotly's arguments. While closed candles and colours stay, so do the traces and the layout's `datarevision`,
   * and Plotly draws the rest only.
   *
   * @param {Palette} palette
   * @param {Marks} marks
   * @returns {{traces: object[], layout: object}}
   */
  figure(palette, marks) {
    this.#fit();
    const traces = this.traces.of(this.x, palette);
    const { x, y, margin, decimals } = this;
    const identity = `${this.series.symbol} ${this.series.interval}`;
    const { revision } = this.traces;
    const isEmpty = this.candles.length === 0;
    const facts = { isDated: this.isDated, isEmpty, decimals, revision, identity };
    const view = { x, y, volume: this.#top, ...this.size, margin, ...facts };
    return { traces, layout: layoutOf(view, palette, this.#marks(palette, marks)) };
  }

  /** @param {Palette} palette @param {Marks} marks */
  #marks(palette, { spans, alerts }) {
    const { width, height } = this.frame;
    const { decimals, forming } = this;
    const last = this.candles.at(-1);
    const isUp = this.isUp(this.candles.length - 1);
    const price = last ? lastPrice(last.close, isUp, decimals, palette) : { shapes: [], annotations: [] };
    const alert = alertMarks(alerts, this.y, decimals, palette);
    // A candle stands in the middle of its bucket's place, so the time at which it begins is half a place to the left.
    const frame = { x: this.x, width, height, offset: this.offset - this.length / 2 };
    const shapes = [...spanShapes(spans, frame, palette), ...alert.shapes, ...price.shapes];
    if (forming) shapes.push(...formingShapes(forming, this.wall(forming.ts), this.length, isUp, palette));
    return { shapes, annotations: [...alert.annotations, ...price.annotations] };
  }

  /** @returns {number[]} where candles stand */
  get #times() {
    return this.candles.map(({ ts }) => this.wall(ts));
  }

  /** Fit prices and volumes to the candles that are shown. */
  #fit() {
    const extent = this.#extent();
    if (!extent) return;
    const [y, top] = this.#isUnfit ? [null, null] : [this.y, this.#top];
    this.y = ranges.fittedPrices(y, extent, LEAST_TICKS * this.tickSize);
    this.#top = ranges.fittedVolume(top, extent.volume);
    this.#isUnfit = false;
  }

  /** @returns {ranges.Extent | null} of the candles that are shown */
  #extent() {
    const times = this.#times;
    const [from, to] = [this.x[0] - this.length / 2, this.x[1] + this.length / 2];
    const seen = this.candles.slice(ranges.lowerBound(times, from), ranges.lowerBound(times, to));
    if (!seen.length) return null;
    const [low, high] = [Math.min(...seen.map((each) => each.low)), Math.max(...seen.map((each) => each.high))];
    return { low, high, volume: Math.max(...seen.map((each) => each.volume)) };
  }

  #follow() {
    this.x = ranges.followed(this.#newest, this.length, this.#slots ?? 100);
  }

  get #newest() {
    const last = this.candles.at(-1);
    return last ? this.wall(last.ts) : Date.now() + this.offset;
  }

  /** @param {Range} x */
  #bounded(x) {
    const first = this.candles.length ? this.wall(this.candles[0].ts) : this.#newest;
    return ranges.bounded(x, first, this.#newest, this.length);
  }

  #shownSlots() {
    return (this.x[1] - this.x[0]) / this.length;
  }
}
