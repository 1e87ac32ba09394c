/** Freshness: whether a price can still be true, by the symbol's own pace. */

/** @typedef {"fresh" | "ageing" | "stale"} Freshness */

/** Up to so many of its usual gaps a symbol is fresh, and up to so many ageing … */
const FRESH = 3;
const AGEING = 10;

/** … but for so many seconds every symbol is fresh. */
const SHORTEST = 2;

/** A symbol of which no second tick has come is taken for one with so many seconds between them. */
const UNKNOWN = 5;

/** The weight of the newest gap in their moving average. */
const WEIGHT = 0.05;

export class Pace {
  /** Seconds between two ticks, a moving average; null until two have come. @type {number | null} */
  gap = null;
  #newest = 0;

  /** @param {number} ts the next event's time in microseconds */
  take(ts) {
    const gap = (ts - this.#newest) / 1e6;
    // A snapshot's quote and trade are no measure of a pace, nor is what comes late.
    if (this.#newest > 0 && gap > 0) this.gap = this.gap === null ? gap : this.gap + WEIGHT * (gap - this.gap);
    this.#newest = Math.max(this.#newest, ts);
  }
}

/**
 * @param {number | null} age seconds since the newest event, null if there was none
 * @param {number | null} gap seconds between two events
 * @param {boolean} isLive whether the stream is
 * @returns {Freshness}
 */
export function freshness(age, gap, isLive) {
  if (age === null || !isLive) return "stale";
  const fresh = Math.max(SHORTEST, FRESH * (gap ?? UNKNOWN));
  if (age < fresh) return "fresh";
  return age < (fresh * AGEING) / FRESH ? "ageing" : "stale";
}
