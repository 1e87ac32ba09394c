/** Painter: the only one who paints, once per frame at most, and not at all while the page is hidden. */

export class Painter {
  /** @type {{paint: (now: number) => void, isMarket: boolean}[]} */
  #jobs = [];
  #isAsked = false;
  #isHeld = false;

  /**
   * @param {(now: number) => void} paint called with milliseconds since the Unix epoch
   * @param {{isMarket?: boolean}} [kind] whether it shows the market, and rests while that is paused
   */
  add(paint, { isMarket = false } = {}) {
    this.#jobs.push({ paint, isMarket });
  }

  /** Paint in the next frame. A hidden page has none until it is shown. */
  ask() {
    if (this.#isAsked) return;
    this.#isAsked = true;
    requestAnimationFrame(() => {
      this.#isAsked = false;
      const now = Date.now();
      for (const { paint, isMarket } of this.#jobs) if (!isMarket || !this.#isHeld) paint(now);
    });
  }

  /** @param {boolean} isHeld whether the market rests as it is shown */
  hold(isHeld) {
    this.#isHeld = isHeld;
    this.ask();
  }

  get isHeld() {
    return this.#isHeld;
  }

  /** Do something again and again while the page is seen.
   * @param {number} milliseconds @param {(now: number) => void} job */
  every(milliseconds, job) {
    setInterval(() => document.hidden || job(Date.now()), milliseconds);
  }
}
