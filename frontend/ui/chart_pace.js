/** Pace: when a chart is painted. Always in an animation frame, which a hidden page has not until it is shown. */

/** Milliseconds between two paints that ticks ask for: they come faster than anybody looks. */
const PAUSE = 100;

export class Pace {
  #frame = 0;
  #timer = 0;
  #paintedAt = 0;

  /** @param {() => void} paint */
  constructor(paint) {
    this.paint = paint;
  }

  /** Paint soon, at most ten times a second. */
  soon() {
    if (this.#frame || this.#timer) return;
    const wait = this.#paintedAt + PAUSE - performance.now();
    this.#timer = window.setTimeout(() => this.next(), Math.max(0, wait));
  }

  /** Paint in the next frame, because a person has done something. */
  next() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paintedAt = performance.now();
      this.paint();
    });
  }

  stop() {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#frame = this.#timer = 0;
  }
}
