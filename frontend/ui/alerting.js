/** Alerting: set alerts, keep them, and tell when one is crossed. */

import { Alerts } from "../model/alerts.js";
import { fixed, time } from "../model/format.js";
import { byId, make, popover } from "./dom.js";
import { keep, recall } from "./store.js";

/** @typedef {import("../model/alerts.js").Alert} Alert */

const KEY = "ticker.alerts";

export class Alerting {
  #alerts = new Alerts(recall(KEY));
  #price = /** @type {HTMLInputElement} */ (byId("alert-price"));
  #sound = /** @type {HTMLInputElement} */ (byId("alert-sound"));
  #notify = /** @type {HTMLInputElement} */ (byId("alert-notify"));
  #symbol = "";

  /**
   * @param {import("../model/market.js").Market} market
   * @param {import("./toasts.js").Toasts} toasts
   * @param {() => void} changed called when there are other alerts
   */
  constructor(market, toasts, changed) {
    this.market = market;
    this.toasts = toasts;
    this.changed = changed;
    popover(byId("alert"), byId("alert-panel"), () => this.#open());
    byId("alert-form").addEventListener("submit", (event) => this.#submit(event));
    this.#notify.addEventListener("change", () => this.#allow());
    addEventListener("storage", ({ key }) => key === KEY && this.#reread());
  }

  /** Symbols of which an alert waits. */
  get symbols() {
    return this.#alerts.symbols;
  }

  /** @param {string} symbol of the chart */
  show(symbol) {
    this.#symbol = symbol;
    this.#list();
  }

  /** The lines of the chart. */
  get lines() {
    return this.#alerts.of(this.#symbol).map(({ id, price }) => ({ id, price }));
  }

  /**
   * Look at a symbol's new price.
   *
   * @param {string} symbol
   * @param {number} price
   * @param {number} ts the event's time in microseconds
   * @param {boolean} isLate whether it comes from a replay or after a gap
   */
  look(symbol, price, ts, isLate) {
    const crossed = this.#alerts.look(symbol, price, ts);
    if (!crossed.length) return;
    for (const alert of crossed) this.#tell(alert, isLate);
    this.#save();
  }

  #open() {
    const row = this.market.row(this.#symbol);
    this.#price.value = row.last === null ? "" : row.last.toFixed(row.decimals);
    this.#price.step = String(row.instrument?.tick_size ?? "any");
    this.#price.select();
    this.#list();
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    const price = this.#price.valueAsNumber;
    const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
    if (!this.#symbol || !Number.isFinite(price)) return;
    const { last } = this.market.row(this.#symbol);
    if (this.#alerts.add(id, this.#symbol, price, last)) this.#save();
    else this.toasts.show("There are 100 alerts already: remove some first.", { tone: "bad" });
  }

  async #allow() {
    if (!this.#notify.checked) return;
    const answer = "Notification" in globalThis ? await Notification.requestPermission() : "denied";
    if (answer !== "granted") this.#notify.checked = false;
  }

  #save() {
    keep(KEY, this.#alerts.list);
    this.#list();
    this.changed();
  }

  /** Another tab has changed them. */
  #reread() {
    this.#alerts = new Alerts(recall(KEY));
    this.#list();
    this.changed();
  }

  #list() {
    const items = this.#alerts.list.map((alert) => {
      const remove = make("button", { type: "button" }, "remove");
      remove.addEventListener("click", () => {
        this.#alerts.remove(alert.id);
        this.#save();
      });
      return make("li", {}, make("span", {}, this.#text(alert)), remove);
    });
    byId("alert-list").replaceChildren(...items);
  }

  /** @param {Alert} alert */
  #text({ symbol, price, direction, crossed }) {
    const what = `${symbol} ${direction === "up" ? "▲" : "▼"} ${fixed(price, this.market.row(symbol).decimals)}`;
    return crossed === null ? what : `${what}, crossed ${time(crossed)}`;
  }

  /** @param {Alert} alert @param {boolean} isLate */
  #tell(alert, isLate) {
    const { symbol, price, direction, crossed } = alert;
    const what = `${symbol} has ${direction === "up" ? "risen to" : "fallen to"} ${fixed(price, this.market.row(symbol).decimals)}`;
    const text = isLate ? `While you were away, ${time(crossed ?? 0)}: ${what}` : what;
    this.toasts.show(text, { tone: "alert", stays: true });
    if (this.#sound.checked) beep();
    if (this.#notify.checked && Notification.permission === "granted") new Notification(text, { tag: alert.id });
  }
}

/** Two short notes. */
function beep() {
  const context = new AudioContext();
  const gain = new GainNode(context, { gain: 0.08 });
  gain.connect(context.destination);
  [660, 880].forEach((frequency, index) => {
    const tone = new OscillatorNode(context, { frequency });
    tone.connect(gain);
    tone.start(context.currentTime + index * 0.16);
    tone.stop(context.currentTime + index * 0.16 + 0.13);
  });
  setTimeout(() => context.close(), 600);
}
