/** The dashboard: what is known (model/), what shows it (ui/), and the stream that feeds both (client/). */

import { openTicker } from "./client/shared.js";
import { Market } from "./model/market.js";
import { Meter } from "./model/meter.js";
import { Alerting } from "./ui/alerting.js";
import { Candles } from "./ui/candles.js";
import { Catalogue } from "./ui/catalogue.js";
import { ConnectionPanel } from "./ui/connection.js";
import { INTERVAL_NAMES, listenToControls, pause } from "./ui/controls.js";
import { Desk } from "./ui/desk.js";
import { Headline } from "./ui/headline.js";
import { Intake } from "./ui/intake.js";
import { listenToKeys } from "./ui/keys.js";
import { colours, Looks } from "./ui/looks.js";
import { Painter } from "./ui/painter.js";
import { Pill } from "./ui/pill.js";
import { Search } from "./ui/search.js";
import { Tape } from "./ui/tape.js";
import { Toasts } from "./ui/toasts.js";
import { Watchlist } from "./ui/watchlist.js";

/** Milliseconds to wait for the market's symbols before a stream is opened without. */
const PATIENCE = 4000;

const market = new Market();
const meter = new Meter();
const painter = new Painter();
const toasts = new Toasts();
/** Null until a stream was opened. @type {import("./ui/connection.js").AnyTicker | null} */
let ticker = null;

// First of those that paint: while the state stays, counts and cursor move.
painter.add(() => (pill.status = ticker?.status ?? null));
const pill = new Pill(painter, meter, () => ticker?.retry());
const headline = new Headline(market, painter);
const tape = new Tape(market, painter);
const candles = new Candles(market, colours());
const watchlist = new Watchlist(market, painter, {
  select: (symbol) => desk.select(symbol),
  remove: (symbol) => desk.remove(symbol),
  move: (list) => desk.move(list),
});
const alerting = new Alerting(market, toasts, () => {
  candles.setAlerts(alerting.lines);
  want();
});
const parts = { market, meter, painter, toasts, pill, headline, watchlist, tape, alerting, candles };
const desk = new Desk(parts, want);
const panel = new ConnectionPanel(painter, () => ticker);
const catalogue = new Catalogue(market, painter, () => desk.begin());
const search = new Search(market, (symbol) => desk.list.includes(symbol), (symbol) => desk.choose(symbol));

/** Bring to the stream what is wanted. */
async function want() {
  try {
    await ticker?.set({ symbols: desk.wanted });
  } catch (error) {
    toasts.show(error instanceof Error ? error.message : "The subscription can't be changed.", { tone: "bad" });
  }
}

/** Open the stream: at once where a watchlist was chosen, else when there are symbols to choose from. */
async function run() {
  const wait = desk.view.list ? 0 : PATIENCE;
  await Promise.race([catalogue.learn(), new Promise((resolve) => setTimeout(resolve, wait))]);
  const share = new URLSearchParams(location.search).get("share") !== "0";
  ticker = await openTicker(location.origin, { symbols: desk.wanted, share });
  const begun = () => {
    catalogue.begin();
    candles.start();
    desk.stream();
  };
  new Intake(parts, ticker, panel, { begun, unknown: (now) => catalogue.wonder(now) });
  if (desk.wanted.length) want();
}

new Looks(desk.view, watchlist.flash, () => {
  desk.save();
  const now = colours();
  candles.setColours(now);
  watchlist.redraw(now);
});
listenToControls(parts, desk);
listenToKeys({
  search: (letter) => search.open(letter),
  pause: () => pause(parts),
  step: (step) => watchlist.step(step),
  move: (step) => watchlist.shift(step),
  remove: () => desk.view.symbol && desk.remove(desk.view.symbol),
  interval: (index) => desk.setInterval(INTERVAL_NAMES[index]),
  goLive: () => candles.goLive(),
  cut: (seconds) => panel.cut(seconds),
});
desk.show();
await run();
