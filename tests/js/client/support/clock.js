/** A clock that goes on only when it is told to. */

/** Let everything run that is ready: promises, and what they lead to. */
export async function settle() {
  for (let round = 0; round < 3; round += 1) await new Promise((resolve) => setImmediate(resolve));
}

export class Clock {
  /** Milliseconds since the Unix epoch, by the wall clock. */
  now = 1_763_900_000_000;
  /** Milliseconds for which timers have run: they stand still while a machine sleeps. */
  #elapsed = 0;
  #next = 1;
  /** @type {Map<number, {due: number, job: () => void}>} */
  #timers = new Map();

  /** @param {() => void} job @param {number} milliseconds */
  setTimeout(job, milliseconds) {
    // Platforms keep 31 bits: what is longer, or no number, is due at once.
    const wait = milliseconds >= 0 && milliseconds < 2 ** 31 ? milliseconds : 0;
    this.#timers.set(this.#next, { due: this.#elapsed + wait, job });
    return this.#next++;
  }

  /** @param {number} timer */
  clearTimeout(timer) {
    this.#timers.delete(timer);
  }

  /** In how many milliseconds each timer is due. */
  get waits() {
    return [...this.#timers.values()].map(({ due }) => due - this.#elapsed).sort((a, b) => a - b);
  }

  /** Let time pass, each timer at its moment. @param {number} milliseconds */
  async advance(milliseconds) {
    const end = this.#elapsed + milliseconds;
    await settle();
    for (let first = this.#first(end); first; first = this.#first(end)) {
      const [timer, { due, job }] = first;
      this.#timers.delete(timer);
      this.#pass(due - this.#elapsed);
      job();
      await settle();
    }
    this.#pass(end - this.#elapsed);
  }

  /** Let the wall clock jump, as after a sleep. @param {number} milliseconds */
  jump(milliseconds) {
    this.now += milliseconds;
  }

  /** @param {number} end */
  #first(end) {
    const due = [...this.#timers].filter(([, timer]) => timer.due <= end);
    return due.sort(([, a], [, b]) => a.due - b.due).at(0);
  }

  /** @param {number} milliseconds */
  #pass(milliseconds) {
    this.#elapsed += milliseconds;
    this.now += milliseconds;
  }
}
