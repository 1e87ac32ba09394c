/** Wish: what a client wants of the market, and its way to the server: one change at a time, until the server has it. */

import { Failure } from "./failure.js";

/** @typedef {import("./request.js").Subscription} Subscription */

/** Seconds to wait with a change that failed for now. */
const AGAIN = 1;

export class Wish {
  /** The change that is on its way; whether the server has it. @type {Promise<boolean> | null} */
  #syncing = null;
  /** Ends the rest before a change is sent again. @type {() => void} */
  #resume = () => {};
  #isClosed = false;

  /**
   * @param {import("./request.js").Request} request whose `effective` is what the server holds
   * @param {Subscription} wanted
   * @param {(wanted: Subscription) => Promise<unknown>} send tells the server
   * @param {() => boolean} isStreaming whether there is a session to change
   */
  constructor(request, wanted, send, isStreaming) {
    this.request = request;
    this.send = send;
    this.isStreaming = isStreaming;
    /** The server may not know it yet. */
    this.wanted = wanted;
  }

  /** @param {Partial<Subscription>} change */
  change(change) {
    const wanted = { ...this.wanted, ...change };
    wanted.symbols = [...new Set(wanted.symbols)];
    this.wanted = wanted;
  }

  /** @param {any} message what the server says that it holds */
  learn({ symbols, types }) {
    if (Array.isArray(symbols)) this.request.effective = { ...this.request.effective, symbols, types };
  }

  /**
   * Bring what is wanted to the server.
   *
   * @throws {Failure} if the server refuses it for good; then what was wanted before is wanted again
   */
  async sync() {
    // Who asked for the change that is on its way is told how it ends.
    if (this.#syncing) await this.#syncing.catch(() => {});
    let isDone = false;
    while (!isDone && this.isStreaming() && !same(this.wanted, this.request.effective)) {
      isDone = await (this.#syncing ??= this.#bring(this.wanted).finally(() => (this.#syncing = null)));
    }
  }

  close() {
    this.#isClosed = true;
    this.#resume();
  }

  /** @param {Subscription} wanted @returns {Promise<boolean>} whether the server has it; else try again */
  async #bring(wanted) {
    const before = this.request.effective;
    try {
      await this.send(wanted);
      this.request.effective = wanted;
      return true;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.isFinal) {
        if (this.wanted === wanted) this.wanted = before;
        throw error;
      }
      await this.#rest((error.retryAfter ?? AGAIN) * 1000);
      return false;
    }
  }

  /** @param {number} milliseconds @returns {Promise<void>} resolves also when the client is closed */
  #rest(milliseconds) {
    if (this.#isClosed) return Promise.resolve();
    const { env } = this.request;
    return new Promise((resolve) => {
      const timer = env.setTimeout(resolve, milliseconds);
      this.#resume = () => {
        env.clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** @param {Subscription} a @param {Subscription} b */
function same(a, b) {
  return a.interval === b.interval && sameSet(a.symbols, b.symbols) && sameSet(a.types, b.types);
}

/** @param {string[]} a @param {string[]} b */
function sameSet(a, b) {
  const names = new Set(a);
  return names.size === new Set(b).size && b.every((name) => names.has(name));
}
