/** Pill: what the stream is doing, since when, and its details. */

import { httpVersion } from "../client/version.js";
import { duration } from "../model/format.js";
import { lostText, pillOf, TRANSPORTS } from "../model/wording.js";
import { byId, fillPairs, mark, popover, write } from "./dom.js";

/** @typedef {import("../client/shared.js").Status} Status */

/** Glyphs that many fonts lack, and the classes that draw them. @type {Record<string, string>} */
const DRAWN = { "⏸": "icon-pause", "⛔": "icon-refused" };

export class Pill {
  #button = byId("pill");
  #action = byId("pill-action");
  #details = byId("details");
  /** @type {string | null} */
  #version = null;
  /** @type {Status | null} */
  status = null;
  /** Ticks that wait since the page was paused; null if it is not. @type {number | null} */
  waiting = null;
  /** When the last tick came, in milliseconds since the Unix epoch. */
  lastTick = 0;

  /**
   * @param {import("./painter.js").Painter} painter
   * @param {import("../model/meter.js").Meter} meter
   * @param {() => void} retry
   */
  constructor(painter, meter, retry) {
    this.meter = meter;
    popover(this.#button, this.#details, () => painter.ask());
    this.#action.addEventListener("click", retry);
    byId("details-copy").addEventListener("click", () => this.#copy());
    painter.add((now) => this.#paint(now));
    painter.every(1000, () => painter.ask());
  }

  /** @param {number} now */
  #paint(now) {
    const { status, waiting, lastTick } = this;
    const pill = pillOf(status, { now, waiting, lastTick });
    mark(this.#button, "tone", pill.tone);
    mark(this.#button, "state", status?.state ?? "connecting");
    write(byId("pill-icon"), pill.icon);
    byId("pill-icon").className = DRAWN[pill.icon] ?? "";
    write(byId("pill-word"), pill.word);
    write(byId("pill-text"), pill.text);
    write(byId("pill-facts"), this.#facts(now));
    this.#action.hidden = pill.action === null;
    write(this.#action, pill.action ?? "");
    if (!this.#details.hidden) fillPairs(byId("details-list"), this.#pairs(now));
  }

  /** Once there is a status, the browser has spoken with the server. */
  get #http() {
    return (this.#version ??= httpVersion(location.href));
  }

  /** @param {number} now */
  #facts(now) {
    if (!this.status) return "";
    const latency = this.meter.latency(0.5);
    const parts = [`${TRANSPORTS[this.status.transport]}·${this.#http}`];
    if (latency !== null && this.status.state === "live") parts.push(`${Math.round(latency)} ms`);
    parts.push(`${Math.round(this.meter.rate(now))}/s`, lostText(this.status.statistics));
    return parts.join("  ");
  }

  /** @param {number} now @returns {[string, string][]} */
  #pairs(now) {
    const { status, meter } = this;
    if (!status) return [["state", "connecting"]];
    const { statistics, failure } = status;
    const [p50, p95] = [meter.latency(0.5), meter.latency(0.95)];
    return [
      ["state", `${status.state} for ${duration((now - status.since) / 1000)}`],
      ["why", failure ? `${failure.code}: ${failure.message}` : "—"],
      ["transport", `${status.transport}, HTTP ${this.#http}${status.isCrowded ? ", other tabs hold the streams" : ""}`],
      ["cursor", status.cursor ?? "—"],
      ["session", status.session],
      ["node", status.node ?? "—"],
      ["control", status.control ?? "—"],
      ["rate", `${meter.rate(now).toFixed(1)} ticks a second`],
      ["latency", p50 === null || p95 === null ? "—" : `p50 ${p50.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms`],
      ["reconnects", String(statistics.reconnects)],
      ["replayed", String(statistics.replayed)],
      ["lost", lostText(statistics).replace("lost ", "")],
      ["tabs", (status.tabs ?? 1) > 1 ? `${status.tabs} share the stream` : "this one"],
    ];
  }

  async #copy() {
    const text = this.#pairs(Date.now()).map(([name, value]) => `${name}: ${value}`).join("\n");
    await navigator.clipboard?.writeText(text).catch(() => {});
    const button = byId("details-copy");
    write(button, "Copied");
    setTimeout(() => write(button, "Copy"), 1500);
  }
}
