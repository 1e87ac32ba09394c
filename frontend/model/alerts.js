/** Alerts: a price that is crossed. Looked at on every tick, replayed ones too, so that a cut hides none. */

import { isSymbol } from "./address.js";

/**
 * @typedef {object} Alert
 * @property {string} id
 * @property {string} symbol
 * @property {number} price
 * @property {"up" | "down"} direction from which side it is crossed
 * @property {number | null} crossed when it was, by the market's time in milliseconds; null until then
 */

/** Alerts that are kept. */
const LIMIT = 100;

export class Alerts {
  /** @type {Alert[]} */
  list = [];
  /** Those that wait, by symbol. @type {Map<string, Alert[]>} */
  #waiting = new Map();

  /** @param {unknown} [stored] what was kept of an earlier page */
  constructor(stored = null) {
    if (Array.isArray(stored)) this.list = stored.filter(isAlert).slice(-LIMIT);
    this.#sort();
  }

  /**
   * @param {string} id
   * @param {string} symbol
   * @param {number} price
   * @param {number | null} last the symbol's price now
   * @returns {Alert | null} null if there are too many
   */
  add(id, symbol, price, last) {
    if (this.list.length >= LIMIT) return null;
    const direction = last !== null && last >= price ? "down" : "up";
    /** @type {Alert} */
    const alert = { id, symbol, price, direction, crossed: null };
    this.list.push(alert);
    this.#sort();
    return alert;
  }

  /** @param {string} id */
  remove(id) {
    this.list = this.list.filter((alert) => alert.id !== id);
    this.#sort();
  }

  /** The symbols of which an alert waits. */
  get symbols() {
    return [...this.#waiting.keys()];
  }

  /** @param {string} symbol @returns {Alert[]} those that wait */
  of(symbol) {
    return this.#waiting.get(symbol) ?? [];
  }

  /**
   * Look at a price.
   *
   * @param {string} symbol
   * @param {number} price
   * @param {number} ts the event's time in microseconds
   * @returns {Alert[]} those that it crosses, most often none
   */
  look(symbol, price, ts) {
    const waiting = this.#waiting.get(symbol);
    if (!waiting) return [];
    const crossed = waiting.filter((alert) => (alert.direction === "up" ? price >= alert.price : price <= alert.price));
    for (const alert of crossed) alert.crossed = ts / 1000;
    if (crossed.length) this.#sort();
    return crossed;
  }

  #sort() {
    this.#waiting.clear();
    for (const alert of this.list) {
      if (alert.crossed === null) this.#waiting.set(alert.symbol, [...this.of(alert.symbol), alert]);
    }
  }
}

/** @param {any} value @returns {value is Alert} */
function isAlert(value) {
  return (
    typeof value?.id === "string" &&
    typeof value.symbol === "string" &&
    isSymbol(value.symbol) &&
    Number.isFinite(value.price) &&
    (value.direction === "up" || value.direction === "down") &&
    (value.crossed === null || Number.isFinite(value.crossed))
  );
}
