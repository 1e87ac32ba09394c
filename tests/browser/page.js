/**
 * What the tests run in a page: event streams and a socket that write down all they are told.
 * Loaded before the page's own scripts.
 */

const NAMES = ["hello", "gap", "snapshot", "quote", "trade", "subscription", "heartbeat", "refused", "bye"];

/** @typedef {{ name: string, id: string, data: any, at: number }} Told */

class Stream {
  /** @param {string} path */
  constructor(path) {
    /** @type {Told[]} */
    this.told = [];
    /** How often the browser has connected, and failed to. */
    this.opens = 0;
    this.errors = 0;
    this.begin = performance.now();
    this.source = new EventSource(path);
    this.source.onopen = () => (this.opens += 1);
    this.source.onerror = () => (this.errors += 1);
    for (const name of NAMES) this.source.addEventListener(name, (event) => this.take(name, event));
  }

  /** @param {string} name @param {MessageEvent} event */
  take(name, event) {
    this.told.push({ name, id: event.lastEventId, data: JSON.parse(event.data), at: performance.now() - this.begin });
  }

  /** @param {string} name */
  all(name) {
    return this.told.filter((each) => each.name === name);
  }

  numbers() {
    return this.told
      .filter((each) => each.name === "quote" || each.name === "trade")
      .map((each) => each.data.bid_size ?? each.data.size);
  }
}

class Socket {
  /** @param {string} path @param {object[]} ops */
  constructor(path, ops) {
    /** @type {any[]} */
    this.told = [];
    this.code = 0;
    this.socket = new WebSocket(location.origin.replace("http", "ws") + path, ["ticker.v1.json"]);
    this.socket.onopen = () => ops.forEach((op) => this.send(op));
    this.socket.onmessage = (event) => this.told.push(JSON.parse(event.data));
    this.socket.onclose = (event) => (this.code = event.code);
  }

  /** @param {object} op */
  send(op) {
    this.socket.send(JSON.stringify(op));
  }

  numbers() {
    return this.told
      .filter((each) => each.type === "quote" || each.type === "trade")
      .map((each) => each.bid_size ?? each.size);
  }
}

/** @type {Stream[]} */
const streams = [];

/** @type {Socket[]} */
const sockets = [];

/** @param {number} count @param {string} path */
function openStreams(count, path) {
  for (let number = 0; number < count; number++) streams.push(new Stream(path));
}

/** @param {string} path @param {object[]} ops */
function openSocket(path, ops) {
  sockets.push(new Socket(path, ops));
}

/** Fetch, and return the status and the milliseconds that it took. */
async function timedFetch() {
  const begin = performance.now();
  const answer = await fetch("/healthz", { cache: "no-store" });
  await answer.text();
  return { status: answer.status, took: performance.now() - begin };
}

Object.assign(globalThis, { streams, sockets, openStreams, openSocket, timedFetch });
