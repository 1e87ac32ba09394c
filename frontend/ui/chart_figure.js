/** Figure: what Plotly is told to draw, from candles, ranges and colours. No DOM. */

/** @typedef {import("../model/series.js").Candle} Candle */
/** @typedef {import("./chart_range.js").Range} Range */
/** @typedef {Record<"bg" | "panel" | "text" | "muted" | "up" | "down" | "accent" | "warn" | "error" | "grid", string>} Palette CSS colours */

/** @typedef {(number | null)[]} Numbers */

/** @typedef {{x: number[], open: Numbers, high: Numbers, low: Numbers, close: Numbers, volume: Numbers}} Columns candles as arrays of one length, oldest first; x are wall times in milliseconds */

/**
 * @typedef {object} View what a layout is made of
 * @property {Range} x
 * @property {Range} y
 * @property {number} volume top of the volume axis
 * @property {boolean} isDated whether dates stand below the times
 * @property {boolean} isEmpty whether there are no candles, and so no prices either
 * @property {number} width pixels of the whole figure
 * @property {number} height
 * @property {Margin} margin
 * @property {number} decimals
 * @property {number} revision another one wherever the columns are others
 * @property {string} identity of what is shown: while it stays, so does what a person has set
 */

/** @typedef {{l: number, r: number, t: number, b: number}} Margin pixels */

/** Where prices and volumes stand, as parts of the frame's height from below. */
export const PRICES = /** @type {Range} */ ([0.2, 1]);
export const VOLUMES = /** @type {Range} */ ([0, 0.16]);

/** Part of a bucket's width that its candle takes. */
export const BODY = 0.7;

/** How strongly volumes are drawn: they stand behind prices. */
export const VOLUME_OPACITY = 0.5;

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
const CLEAR = "rgba(0,0,0,0)";

/** Settings of Plotly that never change. Double clicks are the chart's own. */
export const CONFIG = Object.freeze({
  displaylogo: false,
  displayModeBar: false,
  doubleClick: false,
  responsive: false,
  scrollZoom: true,
  showAxisDragHandles: false,
  showAxisRangeEntryBoxes: false,
  showSendToCloud: false,
  showTips: false,
});

/**
 * @param {readonly Candle[]} candles
 * @param {number} offset milliseconds from UTC to wall time
 * @param {number} length of a bucket in milliseconds
 * @returns {Columns}
 */
export function columnsOf(candles, offset, length) {
  const last = candles.at(-1);
  const x = candles.map(({ ts }) => ts / 1000 + offset);
  // Plotly makes candles as wide as the smallest distance between two: an empty one at the end gives that distance
  // where buckets without trades, or a single candle, would not.
  if (last) x.push(last.ts / 1000 + offset + length);
  /** @param {"open" | "high" | "low" | "close" | "volume"} name @returns {Numbers} */
  const column = (name) => [...candles.map((candle) => candle[name]), ...(last ? [null] : [])];
  return {
    x,
    open: column("open"),
    high: column("high"),
    low: column("low"),
    close: column("close"),
    volume: column("volume"),
  };
}

/**
 * Tell which candles are drawn as rising: one that ends where it began goes by the close before it, as in Plotly.
 *
 * @param {readonly Candle[]} candles
 * @param {Candle} [before] the one before the first
 * @param {boolean} [isUp] how that one is drawn
 * @returns {boolean[]}
 */
export function directionsOf(candles, before, isUp = true) {
  let previous = before?.close;
  return candles.map(({ open, close }) => {
    const from = close === open ? previous : open;
    if (from !== undefined && from !== close) isUp = close > from;
    previous = close;
    return isUp;
  });
}

/** Rising candles are hollow and falling ones filled, so that colour alone says nothing.
 * @param {Columns} columns @param {boolean[]} isUp of each candle @param {Palette} palette @returns {object[]} */
export function tracesOf({ x, open, high, low, close, volume }, isUp, palette) {
  const candles = {
    type: "candlestick",
    ...{ x, open, high, low, close },
    increasing: { line: { color: palette.up, width: 1 }, fillcolor: palette.panel },
    decreasing: { line: { color: palette.down, width: 1 }, fillcolor: palette.down },
    whiskerwidth: 0,
    hoverinfo: "skip",
  };
  const color = x.map((_, index) => (isUp[index] === false ? palette.down : palette.up));
  const marker = { color, opacity: VOLUME_OPACITY, line: { width: 0 } };
  return [candles, { type: "bar", x, y: volume, yaxis: "y2", marker, hoverinfo: "skip" }];
}

/**
 * @param {View} view
 * @param {Palette} palette
 * @param {{shapes: object[], annotations: object[]}} marks
 * @returns {object} a new layout: Plotly writes into those it is given
 */
export function layoutOf(view, palette, { shapes, annotations }) {
  const { width, height, margin, revision, identity } = view;
  return {
    ...{ width, height, shapes, annotations, autosize: false },
    margin: { ...margin, pad: 0, autoexpand: false },
    paper_bgcolor: CLEAR,
    plot_bgcolor: CLEAR,
    font: { family: FONT, size: 11, color: palette.muted },
    showlegend: false,
    hovermode: false,
    dragmode: "pan",
    boxgap: 1 - BODY,
    boxgroupgap: 0,
    bargap: 1 - BODY,
    datarevision: revision,
    uirevision: identity,
    ...axesOf(view, palette),
  };
}

/** @param {View} view @param {Palette} palette */
function axesOf({ x, y, volume, isDated, isEmpty, width, height, decimals }, palette) {
  const bare = { zeroline: false, showline: false, ticks: "", automargin: false };
  const common = { ...bare, gridcolor: faint(palette.grid, 0.6), gridwidth: 1 };
  const price = { ...common, side: "right", fixedrange: true, ticklabelstandoff: 4, showticklabels: !isEmpty };
  return {
    xaxis: {
      ...common,
      type: "date",
      anchor: "y2",
      range: [...x],
      nticks: Math.max(2, Math.floor(width / 90)),
      tickangle: 0,
      tickformatstops: isDated ? [...TIMES, ...DATED] : [...TIMES, ...UNDATED],
      ticklabelstandoff: 3,
      rangeslider: { visible: false },
    },
    yaxis: {
      ...price,
      domain: [...PRICES],
      range: [...y],
      nticks: Math.max(3, Math.floor((height * (PRICES[1] - PRICES[0])) / 42)),
      tickformat: `.${decimals}f`,
    },
    yaxis2: { ...price, domain: [...VOLUMES], range: [0, volume], nticks: 3, tickformat: "~s", showgrid: false },
  };
}

/** How times read below the axis, by milliseconds between two of them. */
const TIMES = [
  { dtickrange: [null, 1000], value: "%H:%M:%S.%L" },
  { dtickrange: [1000, 60_000], value: "%H:%M:%S" },
];
const UNDATED = [{ dtickrange: [60_000, null], value: "%H:%M" }];
const DATED = [
  { dtickrange: [60_000, 86_400_000], value: "%H:%M\n%-d %b" },
  { dtickrange: [86_400_000, null], value: "%-d %b\n%Y" },
];

/** @param {string} color @param {number} opacity @returns {string} fainter, if it is written as browsers compute colours */
function faint(color, opacity) {
  const [, parts] = /^rgb\(([\d.]+, [\d.]+, [\d.]+)\)$/.exec(color) ?? [];
  return parts ? `rgba(${parts}, ${opacity})` : color;
}
