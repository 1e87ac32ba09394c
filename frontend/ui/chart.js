/** Chart: candles, volumes and what stands beside them. Plotly draws; this decides what, and the pace decides when. */

import { Aim } from "./chart_aim.js";
import { CONFIG } from "./chart_figure.js";
import { dressed, sharpen } from "./chart_host.js";
import { saveImage } from "./chart_image.js";
import { listen } from "./chart_input.js";
import { Pace } from "./chart_pace.js";
import { wallTime } from "./chart_range.js";
import { Scene } from "./chart_scene.js";
import { CandleTable } from "./chart_text.js";
import { loadPlotly } from "./plotly.js";

/** @typedef {import("../model/series.js").Series} Series */
/** @typedef {import("./chart_figure.js").Palette} Palette */
/** @typedef {import("./chart_shapes.js").Span} Span */
/** @typedef {import("./chart_shapes.js").Alert} Alert */
/** @typedef {import("./plotly.js").Plotly} Plotly */

/** Milliseconds after which a gesture counts as ended of which Plotly has not told the end. */
const GESTURE = 800;

export class Chart {
  /** @type {Plotly | null} */
  #plotly = null;
  /** @type {Promise<Plotly> | null} */
  #loading = null;
  /** @type {Scene | null} */
  #scene = null;
  /** Whether Plotly has drawn the scene's symbol and interval. */
  #isPlotted = false;
  /** Whether the series has changed since the scene looked at it. */
  #isNews = false;
  /** Whether nothing new is shown, because the page is hidden or paused. */
  #isFrozen = false;
  /** While a person drags or turns the wheel, Plotly moves the picture, and a paint would put it back. The timer ends
   * that if Plotly does not; 0 while there is no gesture. */
  #gesture = 0;
  #marks = { spans: /** @type {Span[]} */ ([]), alerts: /** @type {Alert[]} */ ([]) };
  /** What `onFollow` was told. */
  #wasFollowing = true;
  #pace = new Pace(() => this.#paint());
  #listening = new AbortController();

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.host element whose size the chart takes
   * @param {HTMLElement} parts.readout element for the line of prices
   * @param {HTMLElement} parts.table element that is visually hidden, for a table of candles
   * @param {Palette} parts.palette
   * @param {(isFollowing: boolean) => void} [parts.onFollow] told when the newest candle is followed, and when not
   * @param {() => Promise<Plotly>} [parts.load] how Plotly is had
   */
  constructor({ host, readout, table, palette, onFollow = () => {}, load = loadPlotly }) {
    this.host = host;
    this.palette = { ...palette };
    this.onFollow = onFollow;
    this.loader = load;
    this.plot = dressed(host);
    this.aim = new Aim(host, readout, this.palette);
    this.table = new CandleTable(table);
    this.#listen();
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(host);
  }

  /** Load Plotly's script. @returns {Promise<void>} rejects if it can't be had; then it can be tried again */
  async load() {
    this.#loading ??= this.loader();
    try {
      this.#plotly = await this.#loading;
      this.#pace.next();
    } catch (error) {
      this.#loading = null;
      throw error;
    }
  }

  /** Show another series, following its newest candle. @param {Series} series
   * @param {{tick_size: number, synthetic?: boolean} | null} instrument */
  show(series, instrument) {
    this.clear();
    this.#scene = new Scene(series, instrument, new Date().getTimezoneOffset() * -60_000);
    this.host.setAttribute("aria-label", `${series.symbol}, candles of ${series.interval}`);
    this.table.show(this.#scene);
    this.#pace.next();
  }

  /** Show nothing: what is to be shown is not here yet. */
  clear() {
    if (this.#isPlotted) this.#plotly?.purge(this.plot);
    this.#isPlotted = this.#isNews = false;
    this.#scene = null;
    this.#endGesture();
    this.aim.clear();
    this.table.clear();
    this.#tellFollowing();
  }

  /** The forming candle has changed. */
  tick() {
    this.#isNews = true;
    if (!this.#isFrozen) this.#pace.soon();
  }

  /** Candles have closed, or the series has loaded others. */
  closed() {
    this.tick();
  }

  /** @param {Span[]} spans in which the stream was cut */
  setSpans(spans) {
    this.#marks = { ...this.#marks, spans };
    this.#pace.next();
  }

  /** @param {Alert[]} alerts of the symbol that is shown */
  setAlerts(alerts) {
    this.#marks = { ...this.#marks, alerts };
    this.#pace.next();
  }

  /** @param {Palette} palette */
  setPalette(palette) {
    this.palette = { ...palette };
    this.aim.overlay.dress(this.palette);
    this.#pace.next();
  }

  /** Show nothing new while the page is hidden or paused; then all at once. @param {boolean} isFrozen */
  freeze(isFrozen) {
    this.#isFrozen = isFrozen;
    if (!isFrozen && this.#isNews) this.#pace.next();
  }

  goLive() {
    this.aim.leave();
    this.#scene?.goLive();
    this.#pace.next();
  }

  /** Take the host's size. A host without one is not seen, and gets its chart when it is. */
  resize() {
    if (this.#measure()) this.#pace.next();
  }

  /** Download the chart as it is shown. */
  async png() {
    if (this.#plotly && this.#scene && this.#isPlotted) {
      await saveImage(this.#plotly, this.#scene, this.palette, this.#marks);
    }
  }

  /** End for good. */
  close() {
    this.clear();
    this.#pace.stop();
    this.#listening.abort();
    this.sizes.disconnect();
    this.host.replaceChildren();
  }

  #paint() {
    const [plotly, scene] = [this.#plotly, this.#scene];
    if (!plotly || !scene || this.#gesture || !this.host.clientWidth) return;
    this.#measure();
    if (this.#isNews && !this.#isFrozen) {
      this.#isNews = false;
      if (scene.look()) this.table.show(scene);
    }
    this.#draw(plotly, scene);
    this.#tellFollowing();
    this.aim.show(scene);
  }

  /** @param {Plotly} plotly @param {Scene} scene */
  #draw(plotly, scene) {
    const { traces, layout } = scene.figure(this.palette, this.#marks);
    if (this.#isPlotted) {
      plotly.react(this.plot, traces, layout, CONFIG);
      return;
    }
    this.#isPlotted = true;
    plotly.newPlot(this.plot, traces, layout, CONFIG);
    sharpen(this.plot);
    // `purge` takes these away with everything else.
    this.plot.on("plotly_relayouting", () => {
      this.#beginGesture();
      this.aim.hide();
    });
    this.plot.on("plotly_relayout", (change) => this.#look(change));
    this.plot.on("plotly_doubleclick", () => this.goLive());
  }

  /** A person has panned or zoomed. @param {Record<string, unknown>} change as Plotly tells it */
  #look(change) {
    const range = [wallTime(change["xaxis.range[0]"]), wallTime(change["xaxis.range[1]"])];
    if (range.every(Number.isFinite)) this.#scene?.show([range[0], range[1]]);
    this.#release();
  }

  #beginGesture() {
    clearTimeout(this.#gesture);
    this.#gesture = window.setTimeout(() => this.#release(), GESTURE);
  }

  #endGesture() {
    clearTimeout(this.#gesture);
    this.#gesture = 0;
  }

  #release() {
    this.#endGesture();
    this.#pace.next();
  }

  #tellFollowing() {
    const isFollowing = this.#scene?.isFollowing ?? true;
    if (isFollowing !== this.#wasFollowing) this.onFollow(isFollowing);
    this.#wasFollowing = isFollowing;
  }

  /** @returns {boolean} whether there is a size, and it is another one or nothing was drawn yet */
  #measure() {
    const { clientWidth: width, clientHeight: height } = this.host;
    const size = this.#scene?.size;
    if (!size || !width || !height || (size.width === width && size.height === height && this.#isPlotted)) return false;
    this.#scene?.resize(width, height);
    return true;
  }

  #listen() {
    /** @type {import("./chart_input.js").Actions} */
    const actions = {
      press: () => this.#beginGesture(),
      release: () => this.#gesture && this.#release(),
      move: (change) => {
        if (this.#scene) change(this.#scene, this.aim);
        this.#pace.next();
      },
      point: (pixels) => {
        this.aim.point(pixels);
        if (this.#scene && this.#isPlotted && !this.#gesture) this.aim.show(this.#scene);
      },
    };
    listen(this.host, actions, this.#listening.signal);
  }
}
