/** Candles and colours for the tests of a chart. */

/** @typedef {import("../../../frontend/model/series.js").Candle} Candle */

export const MINUTE = 60_000;

export const PALETTE = {
  ...{ bg: "#000001", panel: "#000002", text: "#000003", muted: "#000004", up: "#000005" },
  ...{ down: "#000006", accent: "#000007", warn: "#000008", error: "#000009", grid: "rgb(1, 2, 3)" },
};

/** @param {number} minute since the Unix epoch @param {number} open @param {number} close @param {number} [volume] @returns {Candle} */
export function candle(minute, open, close, volume = 10) {
  const prices = { open, high: Math.max(open, close) + 1, low: Math.min(open, close) - 1, close };
  return { ts: minute * MINUTE * 1000, ...prices, volume, trades: 1, partial: false };
}
