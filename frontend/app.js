/** The dashboard: what is known (model/), what shows it (ui/), and the stream that feeds both (client/). */

import { openTicker } from "./client/shared.js";
import { readView, writeView } from "./model/address.js";
import { arrow, fixed, percent } from "./model/format.js";
import { Market } from "./model/market.js";
import { Meter } from "./model/meter.js";
import { INTERVALS } from "./model/series.js";
import { gapText, recoveryText } from "./model/wording.js";
import { Alerting } from "./ui/alerting.js";
import { Candles } from "./ui/candles.js";
import { ConnectionPanel } from "./ui/connection.js";
import { byId, make, write } from "./ui/dom.js";
import { listenToKeys } from "./ui/keys.js";
import { colours, Looks } from "./ui/looks.js";
import { Painter } from "./ui/painter.js";
import { Pill } from "./ui/pill.js";
import { Search } from "./ui/search.js";
import { keep, recall } from "./ui/store.js";
import { Tape } from "./ui/tape.js";
import { Toasts } from "./ui/toasts.js";
import { Watchlist } from "./ui/watchlist.js";

/** @typedef {import("./client/follower.js").Item} Item */
/** @typedef {import("./client/follower.js").Tick} Tick */
/** @typedef {import("./client/shared.js").Status} Status */
/** @typedef {import("./client/ticker.js").Ticker | import("./client/shared.js").SharedTicker} AnyTicker */

/** Symbols of a first watchlist. */
const FIRST = 20;

/** Milliseconds between two questions for instruments that are not known yet, and for the clock. */
const INSTRUMENTS_PAUSE = 3000;
const CLOCK_PAUSE = 300_000;

const STORE = "ticker.view";

const given = new URLSearchParams(location.search);
const view = readView(location.search, recall(STORE));
const market = new Market();
const meter = new Meter();
const painter = new Painter();
const toasts = new Toasts();
painter.add(refresh); // before those who show it
const pill = new Pill(painter, meter, () => ticker?.retry());
const watchlist = new Watchlist(market, painter, { select, remove, move });
const tape = new Tape(market, painter);
const alerting = new Alerting(market, toasts, alertsChanged);
const candles = new Candles(market, colours());

/** @type {AnyTicker | null} */
let ticker = null;
/** @type {ConnectionPanel | null} */
let panel = null;
/** Whether the stream has shown a first snapshot. */
let hasBegun = false;
/** When the question for instruments was asked last. */
let askedAt = 0;
let state = "connecting";

new Looks(view, repaint, watchlist.flash);
new Search(market, (symbol) => list().includes(symbol), choose);
const search = byId("search");

function save() {
  const query = writeView(view, location.search);
  history.replaceState(null, "", query ? `?${query}` : location.pathname);
  keep(STORE, view);
}

function list() {
  return view.list ?? [];
}

/** What the stream must bring. */
function wanted() {
  const symbols = new Set([...list(), ...alerting.symbols]);
  if (view.symbol) symbols.add(view.symbol);
  return [...symbols];
}

/* The stream. */

/** Ask for the instruments until the server has some. */
async function learn() {
  askedAt = Date.now();
  try {
    const answer = await fetch("/v1/symbols", { cache: "no-store" });
    const { instruments } = await answer.json();
    market.define(instruments);
    if (begin()) want();
    watchlist.show(list());
    headline();
    note();
  } catch {
    // The pill says that the server is away.
  }
}

/** Choose what is shown first, where nothing was chosen. @returns {boolean} whether more is wanted now */
function begin() {
  const before = wanted().length;
  if (view.list === null && market.instruments.size) view.list = [...market.instruments.keys()].slice(0, FIRST);
  if (view.symbol === null && list().length) {
    view.symbol = list()[0];
    shown();
    if (hasBegun) open();
  }
  return wanted().length > before;
}

async function run() {
  await Promise.race([learn(), new Promise((resolve) => setTimeout(resolve, view.list ? 0 : 4000))]);
  const share = given.get("share") !== "0";
  ticker = await openTicker(location.origin, { symbols: wanted(), share });
  panel = new ConnectionPanel(ticker, painter);
  ticker.on("items", take);
  ticker.on("status", follow);
  ticker.on("recovery", recovered);
  ticker.on("failure", (failure) => toasts.show(failure.message, { tone: "bad" }));
  if (ticker.status) follow(ticker.status);
  painter.every(INSTRUMENTS_PAUSE, () => market.instruments.size || learn());
}

/** Bring what is wanted to the stream. */
async function want() {
  try {
    await ticker?.set({ symbols: wanted() });
  } catch (error) {
    toasts.show(error instanceof Error ? error.message : "The subscription can't be changed.", { tone: "bad" });
  }
}

/** @param {Item[]} items @param {boolean} isReplay whether they are older than their connection */
function take(items, isReplay) {
  const now = Date.now();
  let count = 0;
  for (const item of items) {
    if (item.type === "gap") lost(item, now);
    else if (item.type === "snapshot") snapshot(item, now);
    else if (item.type !== "bar") {
      count += 1;
      tick(item, now, isReplay);
    }
  }
  if (count) {
    meter.count(count, now);
    pill.lastTick = now;
    if (pill.waiting !== null) pill.waiting += count;
    painter.ask();
  }
}

/** @param {Tick} item @param {number} now @param {boolean} isLate */
function tick(item, now, isLate) {
  price(item, now, isLate);
  candles.take(item);
  if (item.type === "trade") tape.add(item);
  if (!isLate && !market.isRecorded) meter.time(item.ts, now);
}

/** @param {Tick} item @param {number} now @param {boolean} isLate */
function price(item, now, isLate) {
  const row = market.row(item.symbol);
  const before = row.last;
  const changed = market.take(item, now);
  watchlist.touch(item.symbol, changed, now);
  if (row.last !== null && row.last !== before) alerting.look(item.symbol, row.last, item.ts, isLate);
  if (!row.instrument && now - askedAt > INSTRUMENTS_PAUSE) learn();
}

/** @param {import("./client/follower.js").Snapshot} item @param {number} now */
function snapshot({ quotes, trades }, now) {
  for (const item of [...quotes, ...trades]) price(item, now, true);
  painter.ask();
  if (hasBegun) return;
  hasBegun = true;
  // What `make bench-page` measures, and everyone's developer tools show.
  requestAnimationFrame(() => performance.mark("watchlist"));
  candles.start();
  open();
}

/** @param {import("./client/follower.js").Gap} gap @param {number} now */
function lost(gap, now) {
  candles.span("lost", market.time(pill.lastTick || now), market.time(now));
  candles.reload();
  toasts.show(gapText(gap), { tone: "bad", stays: true });
}

/** @param {import("./client/recovery.js").Recovered} what */
function recovered(what) {
  panel?.add(what);
  if (what.replayed) {
    const shift = market.time(what.until) - what.until;
    candles.span("replayed", what.at + shift, what.until + shift);
  }
  toasts.say(recoveryText(what));
}

/** @param {Status} status */
function follow(status) {
  if (status.state !== state) {
    state = status.state;
    watchlist.isLive = state === "live" || state === "replaying" || state === "paused";
    if (state === "live") synchronise();
    if (state === "reconnecting" || state === "refused") meter.forget();
    if (state === "refused" || state === "stale") toasts.say(`The stream is ${state}.`);
    watchlist.show(list());
  }
  painter.ask();
}

/** Hand on the status of now: while the state stays, its counts and its cursor move. */
function refresh() {
  const status = ticker?.status ?? null;
  pill.status = status;
  if (panel) panel.status = status;
}

let synchronisedAt = 0;

/** Compare clocks, so that latencies are true. */
async function synchronise() {
  if (Date.now() - synchronisedAt < CLOCK_PAUSE) return;
  synchronisedAt = Date.now();
  try {
    const { offset } = /** @type {{offset: number}} */ (await ticker?.ping());
    meter.offset = offset;
  } catch {
    // Without a WebSocket the clocks are taken to agree.
  }
}

/* What is shown. */

/** @param {string} symbol */
function select(symbol) {
  if (view.symbol === symbol) return;
  view.symbol = symbol;
  shown();
  change();
}

/** The symbol or the interval that is shown is another one. */
function shown() {
  const symbol = view.symbol ?? "";
  watchlist.select(symbol);
  tape.show(symbol);
  alerting.show(symbol);
  candles.setAlerts(alerting.lines);
  headline();
  note();
  for (const radio of document.getElementsByName("interval")) {
    /** @type {HTMLInputElement} */ (radio).checked = /** @type {HTMLInputElement} */ (radio).value === view.interval;
  }
}

/** Keep the view, tell the stream, and show the chart when its ticks come. */
async function change() {
  save();
  await want();
  if (hasBegun) open();
}

function open() {
  if (view.symbol) candles.open(view.symbol, view.interval);
  else candles.clear("Choose a symbol to see its chart.");
}

/** @param {string} symbol */
function choose(symbol) {
  if (!list().includes(symbol)) view.list = [...list(), symbol];
  watchlist.show(list());
  note();
  if (view.symbol === symbol) change();
  else select(symbol);
}

/** @param {string} symbol */
function remove(symbol) {
  const place = list().indexOf(symbol);
  view.list = list().filter((each) => each !== symbol);
  if (view.symbol === symbol) {
    view.symbol = list()[Math.min(place, list().length - 1)] ?? null;
    shown();
    change();
  } else {
    save();
    want();
  }
  watchlist.show(list());
  watchlist.select(view.symbol ?? "");
  note();
}

/** @param {string[]} order */
function move(order) {
  view.list = order;
  watchlist.show(order);
  save();
}

/** @param {string} interval */
function setInterval_(interval) {
  if (view.interval === interval) return;
  view.interval = interval;
  shown();
  save();
  if (hasBegun) open();
}

function note() {
  const target = byId("rows-note");
  if (list().length) target.hidden = true;
  else {
    const isEmpty = market.instruments.size === 0;
    write(target, view.list === null && !isEmpty ? "Loading the market…" : isEmpty ? EMPTY_MARKET : EMPTY_LIST);
    target.hidden = false;
  }
  watchlist.unknown = new Set(list().filter((symbol) => market.instruments.size && !market.instruments.has(symbol)));
}

const EMPTY_LIST = "The watchlist is empty. Press / and type a symbol or a company.";
const EMPTY_MARKET = "The market has no symbols yet. They appear here with their first ticks.";

function headline() {
  const row = view.symbol ? market.row(view.symbol) : null;
  write(byId("chart-symbol"), view.symbol ?? "No symbol");
  write(byId("chart-name"), row?.instrument?.name ?? "");
  write(byId("headline-symbol"), view.symbol ?? "");
  const kind = row?.instrument?.synthetic ? "SYNTHETIC" : market.isRecorded ? "RECORDED" : "";
  write(byId("kind"), kind);
  byId("kind").hidden = kind === "";
  const last = row && row.last !== null ? fixed(row.last, row.decimals) : "";
  write(byId("headline-last"), last);
  const ratio = row?.change ?? null;
  const target = byId("headline-change");
  write(target, ratio === null ? "" : `${arrow(ratio)} ${percent(ratio)}`);
  target.className = ratio ? (ratio > 0 ? "up" : "down") : "";
}

function title() {
  const row = view.symbol ? market.row(view.symbol) : null;
  const last = row && row.last !== null ? `${fixed(row.last, row.decimals)} ${arrow(row.direction)} ` : "";
  document.title = `${state === "live" ? "" : "◔ "}${last}${view.symbol ?? ""} · TICKER`;
}

function alertsChanged() {
  candles.setAlerts(alerting.lines);
  want();
}

function repaint() {
  save();
  candles.setColours(colours());
  watchlist.redraw();
}

function pause() {
  const isPaused = !painter.isHeld;
  painter.hold(isPaused);
  candles.freeze(isPaused);
  pill.waiting = isPaused ? 0 : null;
  byId("pause").setAttribute("aria-pressed", String(isPaused));
  if (!isPaused) watchlist.show(list());
  toasts.say(isPaused ? "Paused" : "The page goes on from now");
}

/* What a person does. */

function listen() {
  const names = Object.keys(INTERVALS);
  byId("intervals").append(
    ...names.map((name) => {
      const radio = make("input", { type: "radio", name: "interval", value: name, checked: name === view.interval });
      return make("label", {}, radio, name);
    }),
  );
  byId("intervals").addEventListener("change", ({ target }) => {
    setInterval_(/** @type {HTMLInputElement} */ (target).value);
  });
  byId("pause").addEventListener("click", pause);
  byId("add").addEventListener("click", () => search.focus());
  byId("go-live").addEventListener("click", () => candles.goLive());
  byId("png").addEventListener("click", () => candles.png());
  byId("csv").addEventListener("click", exportCsv);
  for (const name of ["view", "side"]) {
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(`button[data-${name}]`))) {
      button.addEventListener("click", () => turnTo(name, button.dataset[name] ?? ""));
    }
    turnTo(name, document.documentElement.dataset[name] ?? "");
  }
  listenToKeys({
    search: (letter) => openSearch(letter),
    pause,
    step: (step) => watchlist.step(step),
    move: (step) => watchlist.shift(step),
    remove: () => view.symbol && remove(view.symbol),
    interval: (index) => setInterval_(names[index]),
    goLive: () => candles.goLive(),
    cut: (seconds) => panel?.cut(seconds),
  });
  document.addEventListener("visibilitychange", () => {
    candles.freeze(document.hidden || painter.isHeld);
    if (!document.hidden) watchlist.show(list());
  });
  painter.add(headline, { isMarket: true });
  painter.every(1000, () => painter.isHeld || title());
}

/** @param {string} [letter] */
function openSearch(letter = "") {
  const input = /** @type {HTMLInputElement} */ (search);
  input.value = letter;
  input.focus();
  input.dispatchEvent(new Event("input"));
}

/** @param {string} name @param {string} value */
function turnTo(name, value) {
  document.documentElement.dataset[name] = value;
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(`button[data-${name}]`))) {
    button.setAttribute("aria-current", String(button.dataset[name] === value));
  }
}

function exportCsv() {
  const link = make("a", { download: `${view.symbol?.replace("/", "-")}-${view.interval}.csv` });
  link.href = URL.createObjectURL(new Blob([candles.csv()], { type: "text/csv" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

listen();
shown();
watchlist.show(list());
await run();
