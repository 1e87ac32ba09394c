/** The locks that tabs of a browser share (Web Locks API), as far as the client uses them. */

/** @typedef {(lock: {name: string} | null) => unknown} Job */

export class FakeLocks {
  /** Each lock that is held, and what lets it go. @type {Map<string, () => void>} */
  held = new Map();
  /** @type {{name: string, serve: () => void}[]} */
  #queue = [];

  /** How many wait. */
  get waiting() {
    return this.#queue.length;
  }

  /** @param {string} name @param {any} options @param {Job} [job] @returns {Promise<unknown>} */
  async request(name, options, job = options) {
    const { ifAvailable = false, signal } = typeof options === "function" ? {} : options;
    // A browser never calls back at once.
    await null;
    if (signal?.aborted) throw signal.reason;
    if (!this.held.has(name)) return this.#hold(name, job);
    if (ifAvailable) return job(null);
    await this.#wait(name, signal);
    return this.#hold(name, job);
  }

  /** Let a lock go, as when the tab that held it is gone. @param {string} name */
  release(name) {
    this.held.get(name)?.();
  }

  /** @param {string} name @param {Job} job */
  async #hold(name, job) {
    /** @type {Promise<void>} */
    const isReleased = new Promise((resolve) => this.held.set(name, resolve));
    try {
      // A lock that is held by now is not lost by a signal: only who still waits can give up.
      await null;
      return await Promise.race([job({ name }), isReleased]);
    } finally {
      this.held.delete(name);
      const next = this.#queue.find((each) => each.name === name);
      next?.serve();
    }
  }

  /** @param {string} name @param {AbortSignal | undefined} signal @returns {Promise<void>} */
  #wait(name, signal) {
    return new Promise((resolve, reject) => {
      const entry = { name, serve: () => this.#leave(entry, resolve) };
      this.#queue.push(entry);
      signal?.addEventListener("abort", () => this.#leave(entry, () => reject(signal.reason)));
    });
  }

  /** @param {{name: string, serve: () => void}} entry @param {() => void} then */
  #leave(entry, then) {
    this.#queue = this.#queue.filter((each) => each !== entry);
    then();
  }
}

/** Let `navigator.locks` be these, or none. @template {FakeLocks | undefined} T @param {T} locks @returns {T} */
export function giveLocks(locks) {
  Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
  return locks;
}
