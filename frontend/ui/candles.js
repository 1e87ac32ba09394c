/** Candles: the history of the symbol that is shown, and its ticks after it, on the chart. */

import { Series } from "../model/series.js";
import { byId, make, write } from "./dom.js";

/** @typedef {import("../client/follower.js").Tick} Tick */
/** @typedef {import("./chart.js").Chart} Chart */
/** @typedef {import("./chart_shapes.js").Alert} Alert */
/** @typedef {import("./chart_shapes.js").Span} Span */
/** @typedef {import("./looks.js").Colours} Colours */

/** Candles that are asked for. */
const LIMIT = 500;

/** Milliseconds between a candle's end and the look at what the server made of it, and between two such looks. */
const LOOK_AFTER = 700;
const LOOK_PAUSE = 5000;

/** Milliseconds to wait after a history that could not be had. */
const AGAIN = 3000;

export class Candles {
  /** @type {Series | null} */
  series = null;
  /** Null until its modules and Plotly's script have come. @type {Chart | null} */
  #chart = null;
  #note = byId("chart-note");
  #isFrozen = false;
  /** @type {Alert[]} */
  #alerts = [];
  /** Which history is being loaded: an older one must change nothing. */
  #turn = 0;
  /** @type {any} */
  #timer = null;
  #lookedAt = 0;
  /** @type {Span[]} */
  #spans = [];

  /** @param {import("../model/market.js").Market} market @param {Colours} colours */
  constructor(market, colours) {
    this.market = market;
    this.colours = colours;
  }

  /** Load the chart, which takes longer than all else: when prices are there already. */
  async start() {
    this.#say("Loading the chart …");
    try {
      this.#chart = await this.#make();
    } catch {
      this.#say("The chart's script could not be loaded; all else goes on.", () => this.start());
      return;
    }
    this.#say("");
    this.#chart.setAlerts(this.#alerts);
    this.#chart.freeze(this.#isFrozen);
    if (this.series) this.#show();
  }

  async #make() {
    const { Chart } = await import("./chart.js");
    const chart = new Chart({
      host: byId("chart"),
      readout: byId("readout"),
      table: byId("chart-table"),
      palette: this.colours,
      onFollow: (isFollowing) => (byId("go-live").hidden = isFollowing),
    });
    try {
      await chart.load();
      return chart;
    } catch (error) {
      chart.close();
      throw error;
    }
  }

  /** Show a symbol, whose ticks come already. @param {string} symbol @param {string} interval */
  async open(symbol, interval) {
    this.series = new Series(symbol, interval);
    // Until its history comes: another symbol's candles must not stand under this one's name.
    this.#chart?.clear();
    await this.#load(() => this.#show());
  }

  /** Nothing can be shown. @param {string} text why */
  clear(text) {
    this.series = null;
    this.#turn += 1;
    this.#chart?.clear();
    this.#say(text);
  }

  /** Take history anew: after a gap, or to see what the server made of a candle that has closed. */
  reload() {
    return this.#load(() => this.#chart?.closed());
  }

  /** @param {Tick} tick of any symbol: each moves the market's time */
  take(tick) {
    const change = this.series?.add(tick);
    if (change === "closed") this.#closed();
    else if (change === "forming") this.#chart?.tick();
  }

  /** Tint a span of time. @param {"replayed" | "lost"} kind @param {number} from @param {number} to milliseconds */
  span(kind, from, to) {
    this.#spans = [...this.#spans.slice(-49), { kind, from, to }];
    this.#chart?.setSpans(this.#spans);
  }

  /** @param {Alert[]} alerts of the symbol */
  setAlerts(alerts) {
    this.#alerts = alerts;
    this.#chart?.setAlerts(alerts);
  }

  /** @param {Colours} colours */
  setColours(colours) {
    this.colours = colours;
    this.#chart?.setPalette(colours);
  }

  /** Show nothing new while the page is hidden or paused. @param {boolean} isFrozen */
  freeze(isFrozen) {
    this.#isFrozen = isFrozen;
    this.#chart?.freeze(isFrozen);
  }

  goLive() {
    this.#chart?.goLive();
  }

  /** Download the chart as a picture. */
  png() {
    return this.#chart?.png();
  }

  csv() {
    return this.series?.csv() ?? "";
  }

  #closed() {
    this.#chart?.closed();
    const wait = Math.max(LOOK_AFTER, this.#lookedAt + LOOK_PAUSE - Date.now());
    this.#timer ??= setTimeout(() => this.reload(), wait);
  }

  /** @param {() => void} then */
  async #load(then) {
    const { series } = this;
    const turn = (this.#turn += 1);
    clearTimeout(this.#timer);
    this.#timer = null;
    if (!series) return;
    this.#lookedAt = Date.now();
    series.begin();
    try {
      const query = `interval=${series.interval}&limit=${LIMIT}`;
      const answer = await fetch(`/v1/bars/${encodeURIComponent(series.symbol)}?${query}`, { cache: "no-store" });
      if (turn !== this.#turn) return;
      if (answer.status === 404) return this.#unknown(series);
      if (!answer.ok) throw new Error(String(answer.status));
      const isWhole = series.load(await answer.json());
      if (turn !== this.#turn) return;
      if (!isWhole) throw new Error("the history is older than the ticks that were kept");
      then();
    } catch {
      if (turn === this.#turn) this.#timer = setTimeout(() => this.#load(then), AGAIN);
    }
  }

  /** @param {Series} series */
  #unknown({ symbol }) {
    this.#say(`${symbol} is not known to this server. It starts here when it appears.`);
    this.#timer = setTimeout(() => this.#load(() => this.#show()), AGAIN);
  }

  #show() {
    const { series } = this;
    if (!series || !this.#chart) return;
    this.#say("");
    this.#chart.show(series, this.market.instruments.get(series.symbol) ?? null);
    this.#chart.setSpans(this.#spans);
    requestAnimationFrame(() => performance.mark("chart"));
  }

  /** @param {string} text @param {() => void} [again] */
  #say(text, again) {
    const children = /** @type {(Node | string)[]} */ (text ? [text] : []);
    if (again) {
      const button = make("button", { type: "button" }, "Try again");
      button.addEventListener("click", again);
      children.push(button);
    }
    this.#note.replaceChildren(...children);
    this.#note.hidden = text === "";
    byId("chart").hidden = text !== "";
    write(byId("readout"), "");
  }
}
