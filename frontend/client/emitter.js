/**
 * Emitter: who listens to what. A listener that throws stops neither the others nor the stream; its error is reported as
 * one that nobody caught.
 */

export class Emitter {
  /** @type {Map<string, Set<(...values: any[]) => void>>} */
  #listeners = new Map();

  /**
   * @param {string} name
   * @param {(...values: any[]) => void} listener
   * @returns {() => void} what ends it
   */
  on(name, listener) {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** @param {string} name @param {unknown[]} values */
  emit(name, ...values) {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        listener(...values);
      } catch (error) {
        report(error);
      }
    }
  }
}

/** Report as the platform reports what nobody caught. @param {unknown} error */
function report(error) {
  if (typeof globalThis.reportError === "function") globalThis.reportError(error);
  else queueMicrotask(() => {
    throw error;
  });
}
