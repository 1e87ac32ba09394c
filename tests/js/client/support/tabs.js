/** Tabs of a browser that share a ticker: the ticker, and ports to where it is. */

import { Emitter } from "../../../../frontend/client/emitter.js";

/** A ticker that does what the test says. */
export class FakeTicker extends Emitter {
  status = { state: "live", cursor: /** @type {string | null} */ ("1-9") };
  /** What was asked of it. @type {any[]} */
  calls = [];
  /** What a call comes to. @type {(name: string, ...given: any[]) => any} */
  answer = async () => undefined;

  /** @param {string} url @param {any} options */
  constructor(url, options) {
    super();
    this.url = url;
    this.options = options;
    for (const name of ["set", "cut", "ping", "use", "retry", "wake", "close"]) {
      Object.defineProperty(this, name, { value: (/** @type {any[]} */ ...given) => this.#call(name, given) });
    }
  }

  /** The symbols of each change. */
  get unions() {
    return this.calls.filter(([name]) => name === "set").map(([, { symbols }]) => symbols);
  }

  /** @param {any[]} items @param {boolean} [isReplay] */
  hand(items, isReplay = false) {
    this.emit("items", items, isReplay);
  }

  /** @param {string} state */
  enter(state) {
    this.status = { ...this.status, state };
    this.emit("status", this.status);
  }

  /** @param {string} name @param {any[]} given */
  #call(name, given) {
    this.calls.push([name, ...given]);
    return this.answer(name, ...given);
  }
}

/** The tab's end of a port, of which the test is the tab. */
export class FakePort {
  /** @type {((event: any) => void) | null} */
  onmessage = null;
  /** @type {any[]} */
  got = [];

  /** @param {any} message */
  postMessage(message) {
    // As a real port does: what can't be cloned can't be sent.
    this.got.push(structuredClone(message));
  }

  close() {}

  /** @param {any} data */
  send(data) {
    this.onmessage?.({ data });
  }

  /** Messages of a type, which are forgotten then. @param {string} type */
  take(type) {
    const found = this.got.filter((message) => message.type === type);
    this.got = this.got.filter((message) => message.type !== type);
    return found;
  }
}

/** Two ends of a channel: what one sends comes to the other a little later. */
export function channel() {
  /** @param {() => any} other */
  const end = (other) => ({
    /** @type {((event: any) => void) | null} */
    onmessage: null,
    /** Everything that was sent from here. @type {any[]} */
    sent: /** @type {any[]} */ ([]),
    isClosed: false,
    /** @param {any} message */
    postMessage(message) {
      const data = structuredClone(message);
      this.sent.push(data);
      const isLost = this.isClosed;
      queueMicrotask(() => isLost || other().isClosed || other().onmessage?.({ data }));
    },
    close() {
      this.isClosed = true;
    },
  });
  /** @type {ReturnType<typeof end>} */
  const near = end(() => far);
  /** @type {ReturnType<typeof end>} */
  const far = end(() => near);
  return { near, far };
}
