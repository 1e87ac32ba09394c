/**
 * SharedTicker: the ticker that all tabs of a browser share, through a SharedWorker: one stream at the server. It offers
 * what a page needs of a Ticker. `openTicker` opens one where that can be, and else a Ticker of the page's own.
 */

import { Emitter } from "./emitter.js";
import { browser, randomId } from "./env.js";
import { Failure } from "./failure.js";
import { takeSlot, waitForSlot } from "./slots.js";
import { Ticker } from "./ticker.js";
import { httpVersion } from "./version.js";

/** @typedef {import("./ticker.js").Options} Options */
/** @typedef {import("./ticker.js").Status & {tabs?: number, isCrowded?: boolean}} Status */

/** Milliseconds in which the worker must have answered. */
const WELCOME_TIMEOUT = 3000;

export class SharedTicker extends Emitter {
  /** @type {Status | null} */
  #status = null;
  #next = 1;
  /** @type {Map<number, {resolve: (value: any) => void, reject: (failure: Failure) => void}>} */
  #asked = new Map();
  /** @type {(() => void)[]} */
  #unwatch = [];

  /** @param {MessagePort} port @param {string} url @param {Options} options @param {string} lock */
  constructor(port, url, options, lock) {
    super();
    this.port = port;
    this.opening = { op: "open", url, options, lock };
    port.onmessage = ({ data }) => this.#take(data);
  }

  /**
   * @param {string} url
   * @param {Options} options
   * @returns {Promise<SharedTicker>}
   * @throws {Error} if the worker does not answer
   */
  static async open(url, options) {
    const address = new URL("./worker.js", import.meta.url);
    // Tabs that want a stream of another kind get a worker of their own, for that is its name.
    const { symbols, ...kind } = options;
    const name = `ticker ${url} ${JSON.stringify(kind)}`;
    const worker = new SharedWorker(address, { type: "module", name });
    const ticker = new SharedTicker(worker.port, url, options, await holdLock());
    await ticker.#open(worker);
    return ticker;
  }

  /** @param {SharedWorker} worker */
  async #open(worker) {
    this.#watch();
    this.port.postMessage(this.opening);
    try {
      await new Promise((resolve, reject) => {
        this.on("welcome", resolve);
        worker.onerror = () => reject(new Error("the worker can't be loaded"));
        setTimeout(() => reject(new Error("the worker does not answer")), WELCOME_TIMEOUT);
      });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #watch() {
    const leave = () => this.port.postMessage({ op: "close" });
    /** @param {PageTransitionEvent} event */
    const comeBack = (event) => event.persisted && this.port.postMessage(this.opening);
    addEventListener("pagehide", leave);
    addEventListener("pageshow", comeBack);
    this.#unwatch = [
      browser.watchWake(() => this.port.postMessage({ op: "wake", id: 0, arguments: [] })),
      () => removeEventListener("pagehide", leave),
      () => removeEventListener("pageshow", comeBack),
    ];
  }

  /** @returns {Status | null} null until the worker has told */
  get status() {
    return this.#status;
  }

  /**
   * Change what this tab wants.
   *
   * @param {{symbols: string[]}} change names and `*` patterns
   * @returns {Promise<void>}
   * @throws {TypeError} if it names a sector: only the server knows who belongs to it
   */
  async set({ symbols }) {
    const sector = symbols.find(isSector);
    if (sector) throw new TypeError(`${sector} needs a ticker of the page's own: share: false`);
    const before = this.opening.options;
    const options = (this.opening.options = { ...before, symbols });
    try {
      await this.#ask("set", { symbols });
    } catch (error) {
      if (this.opening.options === options) this.opening.options = before;
      throw error;
    }
  }

  /** @param {string[]} symbols */
  subscribe(symbols) {
    return this.set({ symbols: [...new Set([...this.#symbols, ...symbols])] });
  }

  /** @param {string[]} symbols names and patterns, literally */
  unsubscribe(symbols) {
    return this.set({ symbols: this.#symbols.filter((each) => !symbols.includes(each)) });
  }

  get #symbols() {
    return this.opening.options.symbols ?? [];
  }

  /** @param {number} seconds @returns {Promise<any>} */
  cut(seconds) {
    return this.#ask("cut", seconds);
  }

  /** @returns {Promise<{offset: number, roundTrip: number}>} */
  ping() {
    return this.#ask("ping");
  }

  /** For all tabs. @param {import("./transports/index.js").TransportName | null} transport @returns {Promise<void>} */
  use(transport) {
    return this.#ask("use", transport);
  }

  /** @returns {Promise<void>} */
  retry() {
    return this.#ask("retry");
  }

  close() {
    for (const end of this.#unwatch) end();
    this.port.postMessage({ op: "close" });
    this.port.close();
  }

  /** @param {string} op @param {...any} given @returns {Promise<any>} */
  #ask(op, ...given) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.port.postMessage({ op, id, arguments: given });
    });
  }

  /** @param {any} message */
  #take(message) {
    if (message.status) this.#status = message.status;
    if (message.type === "items") this.#hand(message.items, message.isReplay ?? false);
    else if (message.type === "status") this.emit("status", message.status);
    else if (message.type === "answer") this.#answer(message);
    else this.emit(message.type, message.value);
  }

  /** @param {any[]} items @param {boolean} isReplay */
  #hand(items, isReplay) {
    this.emit("items", items, isReplay);
    for (const item of items) this.emit(item.type, item);
  }

  /** @param {any} message */
  #answer({ id, value, failure }) {
    const question = this.#asked.get(id);
    this.#asked.delete(id);
    if (failure) question?.reject(new Failure(failure.code, failure.message, failure));
    else question?.resolve(value);
  }
}

/**
 * Open a ticker that shares its stream with other tabs where that can be.
 *
 * A browser opens six connections per server over HTTP/1.1, over all tabs: without a SharedWorker, tabs beyond the
 * fourth poll, so that pages still load, until a stream becomes free. `status.isCrowded` says so.
 *
 * @param {string} url
 * @param {Options & {share?: boolean}} options
 * @returns {Promise<Ticker | SharedTicker>}
 */
export async function openTicker(url, { share = true, ...given } = {}) {
  const options = { symbols: ["*"], ...given };
  if (share && canShare(url, options)) {
    const shared = await SharedTicker.open(url, options).catch(() => null);
    if (shared) return shared;
  }
  if (httpVersion(url) !== "h1" || (await takeSlot())) return new Ticker(url, options);
  const ticker = new Ticker(url, options);
  ticker.crowd(true);
  waitForSlot().then(() => ticker.crowd(false));
  return ticker;
}

/** Whether a worker of ours may serve: it must be of the page's origin, and functions don't go through a port.
 * @param {string} url @param {Options} options */
function canShare(url, { token, env, symbols }) {
  const isHome = new URL(url).origin === location.origin && new URL(import.meta.url).origin === location.origin;
  return isHome && "SharedWorker" in globalThis && !token && !env && !symbols?.some(isSector);
}

/** @param {string} name */
function isSector(name) {
  return name.startsWith("sector:");
}

/** Hold a lock for as long as this page lives. @returns {Promise<string>} its name; empty where there are no locks */
function holdLock() {
  const name = `ticker tab ${randomId(browser)}`;
  if (!navigator.locks) return Promise.resolve("");
  return new Promise((resolve) => {
    navigator.locks.request(name, () => {
      resolve(name);
      return new Promise(() => {});
    });
  });
}
