/**
 * Parts: what the page consists of.
 *
 * @typedef {object} Parts
 * @property {import("../model/market.js").Market} market
 * @property {import("../model/meter.js").Meter} meter
 * @property {import("./painter.js").Painter} painter
 * @property {import("./toasts.js").Toasts} toasts
 * @property {import("./pill.js").Pill} pill
 * @property {import("./headline.js").Headline} headline
 * @property {import("./watchlist.js").Watchlist} watchlist
 * @property {import("./tape.js").Tape} tape
 * @property {import("./alerting.js").Alerting} alerting
 * @property {import("./candles.js").Candles} candles
 */

export {};
