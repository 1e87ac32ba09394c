/** Meter: how fast ticks come, and how old they are when they do. Times are milliseconds. */

/** Latencies that are kept, and seconds over which the rate is taken. */
const KEPT = 512;
const WINDOW = 5;

export class Meter {
  /** Ticks by second, the newest last. @type {{second: number, count: number}[]} */
  #seconds = [];
  /** @type {number[]} */
  #latencies = [];
  #next = 0;
  /** What to add to this clock to have the server's. */
  offset = 0;

  /** @param {number} count ticks that have come @param {number} now */
  count(count, now) {
    const second = Math.floor(now / 1000);
    const newest = this.#seconds.at(-1);
    if (newest?.second === second) newest.count += count;
    else this.#seconds.push({ second, count });
    while (this.#seconds[0].second < second - WINDOW) this.#seconds.shift();
  }

  /** Take a live tick's age. @param {number} ts its time in microseconds @param {number} now */
  time(ts, now) {
    this.#latencies[this.#next] = Math.max(0, now + this.offset - ts / 1000);
    this.#next = (this.#next + 1) % KEPT;
  }

  /** Ticks a second over the last whole seconds. @param {number} now */
  rate(now) {
    const end = Math.floor(now / 1000);
    const whole = this.#seconds.filter(({ second }) => second < end && second >= end - WINDOW);
    const span = Math.min(WINDOW, end - (whole[0]?.second ?? end));
    return span ? whole.reduce((sum, { count }) => sum + count, 0) / span : 0;
  }

  /** @param {number} share 0.5 is the median @returns {number | null} */
  latency(share) {
    if (!this.#latencies.length) return null;
    const sorted = [...this.#latencies].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  }

  /** Forget the latencies: they were another connection's. */
  forget() {
    this.#latencies = [];
    this.#next = 0;
  }
}
