/** Aim: the candle that a person points at or has moved to by key, and what is shown and said of it. */

import { valueAt } from "./chart_range.js";
import { Overlay } from "./chart_overlay.js";
import { Readout, spoken, stamp } from "./chart_text.js";
import { make, write } from "./dom.js";

/** @typedef {import("./chart_scene.js").Scene} Scene */
/** @typedef {import("./chart_figure.js").Palette} Palette */

export class Aim {
  /** Pixels of the host, or the beginning of the bucket that the key cursor is on. The later one counts.
   * @type {{x: number, y: number} | {ts: number} | null} */
  #at = null;
  /** What is told when the key cursor moves, and only then: prices are never announced by themselves. */
  #told = make("p", { className: "hidden", role: "status" });

  /** @param {HTMLElement} host @param {HTMLElement} readout @param {Palette} palette */
  constructor(host, readout, palette) {
    this.readout = new Readout(readout);
    this.overlay = new Overlay(host, palette);
    host.append(this.#told);
  }

  /** @param {{x: number, y: number} | null} pixels from the host's corner; null: nowhere */
  point(pixels) {
    if (pixels || !this.isByKey) this.#at = pixels;
  }

  /** Whether the key cursor is on a candle. */
  get isByKey() {
    return this.#at !== null && "ts" in this.#at;
  }

  /** Move the key cursor; it begins where the pointer is, else at the newest candle.
   * @param {Scene} scene @param {number} step candles */
  step(scene, step) {
    const { length } = scene.candles;
    const at = this.isByKey || this.#index(scene) >= 0 ? this.#index(scene) + step : length - 1;
    this.#stand(scene, Math.max(0, Math.min(length - 1, at)));
  }

  /** @param {Scene} scene @param {boolean} isLast to the newest candle, else to the oldest */
  jump(scene, isLast) {
    this.#stand(scene, isLast ? scene.candles.length - 1 : 0);
  }

  /** Aim at nothing. */
  leave() {
    this.#at = null;
    write(this.#told, "");
  }

  /** Forget everything, because there is no chart. */
  clear() {
    this.leave();
    this.hide();
    this.readout.clear();
  }

  hide() {
    this.overlay.hide();
  }

  /** Show the candle that is aimed at, else the newest one. @param {Scene} scene */
  show(scene) {
    const index = this.#index(scene);
    const at = index < 0 ? scene.candles.length - 1 : index;
    this.readout.show(scene.candles[at], scene.decimals, scene.isUp(at));
    if (index < 0) this.overlay.hide();
    else this.overlay.show(scene, index, this.#at && "y" in this.#at ? this.#at.y : undefined);
  }

  /** @param {Scene} scene @param {number} index */
  #stand(scene, index) {
    const candle = scene.candles[index];
    if (!candle) return;
    this.#at = { ts: candle.ts };
    scene.reveal(candle);
    write(this.#told, spoken(candle, stamp(scene.wall(candle.ts), scene.length), scene.decimals, scene.isUp(index)));
  }

  /** @param {Scene} scene @returns {number} index of the candle that is aimed at, -1 if none is */
  #index(scene) {
    if (!this.#at) return -1;
    if ("ts" in this.#at) return scene.indexAt(scene.wall(this.#at.ts));
    const { left, top, width, height } = scene.frame;
    const { x, y } = this.#at;
    if (x < left || x > left + width || y < top || y > top + height) return -1;
    return scene.indexAt(valueAt(x, scene.x, left, width));
  }
}
