/** Chart: candles, volumes and what stands beside them. Plotly draws; this decides when, and what is looked at. */

import { Aim } from "./chart_aim.js";
import { CONFIG } from "./chart_figure.js";
import { saveImage } from "./chart_image.js";
import { listen } from "./chart_input.js";
import { wallTime } from "./chart_range.js";
import { Scene } from "./chart_scene.js";
import { CandleTable } from "./chart_text.js";
import { make } from "./dom.js";
import { loadPlotly } from "./plotly.js";

/** @typedef {import("../model/series.js").Series} Series */
/** @typedef {import("./chart_figure.js").Palette} Palette */
/** @typedef {import("./chart_shapes.js").Span} Span */
/** @typedef {import("./chart_shapes.js").Alert} Alert */
/** @typedef {import("./plotly.js").Plotly} Plotly */

/** Milliseconds between two paints that ticks ask for. */
const PAUSE = 100;

/** Milliseconds after which a gesture counts as ended of which Plotly has not told the end. */
const GESTURE = 800;

const HINT =
  "Left and right move over the candles, Home and End to the oldest and the newest, plus and minus zoom, Escape leaves.";

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
  /** The next paint: the frame, or the timer that asks for it; 0 if there is none. */
  #frame = 0;
  #timer = 0;
  #paintedAt = 0;
  #marks = { spans: /** @type {Span[]} */ ([]), alerts: /** @type {Alert[]} */ ([]) };
  /** What `onFollow` was told. */
  #wasFollowing = true;
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
    /** Plotly's element. It must not stretch the host, whose size it takes. */
    this.plot = /** @type {import("./plotly.js").PlotlyElement} */ (plotElement());
    dressHost(host, this.plot);
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
      this.#repaint();
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
    this.#repaint();
  }

  /** Show nothing: what is to be shown is not here yet. */
  clear() {
    if (this.#isPlotted) this.#plotly?.purge(this.plot);
    this.#isPlotted = false;
    this.#scene = null;
    this.#endGesture();
    this.aim.clear();
    this.table.clear();
    this.#tellFollowing();
  }

  /** The forming candle has changed. */
  tick() {
    this.#isNews = true;
    if (!this.#isFrozen) this.#ask();
  }

  /** Candles have closed, or the series has loaded others. */
  closed() {
    this.tick();
  }

  /** @param {Span[]} spans in which the stream was cut */
  setSpans(spans) {
    this.#marks = { ...this.#marks, spans };
    this.#repaint();
  }

  /** @param {Alert[]} alerts of the symbol that is shown */
  setAlerts(alerts) {
    this.#marks = { ...this.#marks, alerts };
    this.#repaint();
  }

  /** @param {Palette} palette */
  setPalette(palette) {
    this.palette = { ...palette };
    this.aim.overlay.dress(this.palette);
    this.#repaint();
  }

  /** Show nothing new while the page is hidden or paused; then all at once. @param {boolean} isFrozen */
  freeze(isFrozen) {
    this.#isFrozen = isFrozen;
    if (!isFrozen && this.#isNews) this.#repaint();
  }

  goLive() {
    this.aim.leave();
    this.#scene?.goLive();
    this.#repaint();
  }

  /** Take the host's size. A host without one is not seen, and gets its chart when it is. */
  resize() {
    if (this.#measure()) this.#repaint();
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
    this.#listening.abort();
    this.sizes.disconnect();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.host.replaceChildren();
  }

  /** Paint in a while: ticks come faster than anybody looks. */
  #ask() {
    if (this.#frame || this.#timer) return;
    const wait = this.#paintedAt + PAUSE - performance.now();
    this.#timer = window.setTimeout(() => this.#repaint(), Math.max(0, wait));
  }

  /** Paint in the next frame; a hidden page has none until it is shown. */
  #repaint() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  #paint() {
    const [plotly, scene] = [this.#plotly, this.#scene];
    if (!plotly || !scene || this.#gesture || !this.host.clientWidth) return;
    this.#measure();
    this.#paintedAt = performance.now();
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
    // `purge` takes these away with everything else.
    this.plot.on("plotly_relayouting", () => this.#beginGesture());
    this.plot.on("plotly_relayout", (change) => this.#look(change));
  }

  /** A person has panned or zoomed. @param {Record<string, unknown>} change as Plotly tells it */
  #look(change) {
    this.#endGesture();
    const range = [wallTime(change["xaxis.range[0]"]), wallTime(change["xaxis.range[1]"])];
    if (range.every(Number.isFinite)) this.#scene?.show([range[0], range[1]]);
    this.#repaint();
  }

  #beginGesture() {
    clearTimeout(this.#gesture);
    this.aim.hide();
    this.#gesture = window.setTimeout(() => {
      this.#gesture = 0;
      this.#repaint();
    }, GESTURE);
  }

  #endGesture() {
    clearTimeout(this.#gesture);
    this.#gesture = 0;
  }

  #tellFollowing() {
    const isFollowing = this.#scene?.isFollowing ?? true;
    if (isFollowing !== this.#wasFollowing) this.onFollow(isFollowing);
    this.#wasFollowing = isFollowing;
  }

  /** @returns {boolean} whether there is a size, and whether it is another one */
  #measure() {
    const { clientWidth: width, clientHeight: height } = this.host;
    const size = this.#scene?.size;
    if (!size || !width || !height || (size.width === width && size.height === height && this.#isPlotted)) return false;
    this.#scene?.resize(width, height);
    return true;
  }

  #listen() {
    /** @param {(scene: Scene) => void} change */
    const move = (change) => {
      if (this.#scene) change(this.#scene);
      this.#repaint();
    };
    const actions = {
      step: (/** @type {number} */ step) => move((scene) => this.aim.step(scene, step)),
      jump: (/** @type {boolean} */ isLast) => move((scene) => {
        if (isLast) scene.goLive();
        this.aim.jump(scene, isLast);
      }),
      zoom: (/** @type {number} */ factor) => move((scene) => scene.zoom(factor)),
      leave: () => this.aim.leave() && (this.#repaint(), true),
      point: (/** @type {{x: number, y: number} | null} */ pixels) => {
        this.aim.point(pixels);
        if (this.#scene && this.#isPlotted && !this.#gesture) this.aim.show(this.#scene);
      },
      live: () => this.goLive(),
    };
    listen(this.host, actions, this.#listening.signal);
  }
}

/** @param {HTMLElement} host @param {HTMLElement} plot */
function dressHost(host, plot) {
  const hint = make("p", { className: "hidden", id: `${host.id || "chart"}-hint` }, HINT);
  Object.assign(host, { role: "application", tabIndex: 0, ariaRoleDescription: "chart" });
  host.setAttribute("aria-describedby", hint.id);
  host.setAttribute("aria-label", "chart");
  Object.assign(host.style, { position: "relative", overflow: "hidden" });
  host.append(plot, hint);
}

/** @returns {HTMLElement} */
function plotElement() {
  const plot = make("div", { ariaHidden: "true" });
  Object.assign(plot.style, { position: "absolute", inset: "0", fontFeatureSettings: '"tnum"' });
  return plot;
}
