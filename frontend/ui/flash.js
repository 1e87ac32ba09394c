/** Flash: a cell whose price has changed lights up, and one shared sweep puts all of them out. */

/** Milliseconds between two sweeps: a light lasts up to that long. */
const SWEEP = 400;

/** Milliseconds between two lights of a cell, at least: more than three a second may harm (WCAG 2.3.1). */
const PAUSE = 350;

export class Flash {
  isOn = true;
  /** @type {Map<HTMLElement, number>} */
  #lit = new Map();
  /** When each cell was lit last. @type {WeakMap<HTMLElement, number>} */
  #last = new WeakMap();
  #calm = matchMedia("(prefers-reduced-motion: reduce)");

  constructor() {
    setInterval(() => this.#sweep(), SWEEP);
  }

  /** @param {HTMLElement} cell @param {number} direction @param {number} now */
  light(cell, direction, now) {
    const isSoon = now - (this.#last.get(cell) ?? 0) < PAUSE;
    if (!this.isOn || this.#calm.matches || (isSoon && !this.#lit.has(cell))) return;
    const colour = direction > 0 ? "var(--up)" : "var(--down)";
    cell.style.background = `color-mix(in srgb, ${colour} var(--flash), transparent)`;
    // A cell that is lit takes the colour of the newest price beside its arrow, and is no brighter for that.
    if (isSoon) return;
    this.#lit.set(cell, now);
    this.#last.set(cell, now);
  }

  #sweep() {
    const end = Date.now() - SWEEP / 2;
    for (const [cell, since] of this.#lit) {
      if (since > end) continue;
      cell.style.background = "";
      this.#lit.delete(cell);
    }
  }
}
