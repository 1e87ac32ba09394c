/** Backoff: the waits between connections, with full jitter. */

export class Backoff {
  #tries = 0;

  /**
   * @param {() => number} random returns numbers from 0 to 1
   * @param {{base?: number, factor?: number, limit?: number}} [settings] seconds of the first wait at most, what each
   *   next one grows by, and the longest
   */
  constructor(random, { base = 1, factor = 1.5, limit = 30 } = {}) {
    this.random = random;
    this.base = base;
    this.factor = factor;
    this.limit = limit;
  }

  /** Return the seconds to wait before the next try. */
  next() {
    const longest = Math.min(this.limit, this.base * this.factor ** this.#tries);
    this.#tries += 1;
    return this.random() * longest;
  }

  /** Begin small again, after a connection that lasted. */
  reset() {
    this.#tries = 0;
  }
}
