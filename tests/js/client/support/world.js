/** A world for clients: a clock that the test moves, and a server that the test plays. */

import { Clock, settle } from "./clock.js";
import { Asked, FakeEventSource, FakeWebSocket } from "./fakes.js";

export const HOME = "http://ticker.test";

/** @typedef {import("../../../../frontend/client/env.js").Env} Env */

export class World {
  clock = new Clock();
  /** @type {FakeEventSource[]} */
  sources = [];
  /** @type {FakeWebSocket[]} */
  sockets = [];
  /** @type {Asked[]} */
  asked = [];
  /** Called with each socket that is made, once its maker has got it. @type {(socket: FakeWebSocket) => void} */
  onSocket = () => {};
  /** What the next draws give: 1, the longest waits, unless a test says otherwise. */
  random = () => 1;
  /** Whether nobody is there. */
  isAway = false;
  /** @type {Set<() => void>} */
  looks = new Set();
  /** @type {Map<string, (asked: Asked) => void>} */
  #routes = new Map();
  /** @type {any} */
  env;

  constructor() {
    const world = this;
    this.env = {
      fetch: (/** @type {string} */ url, /** @type {RequestInit} */ init) => world.#fetch(url, init),
      WebSocket: class extends FakeWebSocket {
        /** @param {string} url @param {string[]} protocols */
        constructor(url, protocols) {
          super(url, protocols);
          world.sockets.push(this);
          queueMicrotask(() => world.onSocket(this));
        }
      },
      EventSource: class extends FakeEventSource {
        /** @param {string} url */
        constructor(url) {
          super(url);
          world.sources.push(this);
        }
      },
      setTimeout: (/** @type {() => void} */ job, /** @type {number} */ wait) => world.clock.setTimeout(job, wait),
      clearTimeout: (/** @type {any} */ timer) => world.clock.clearTimeout(timer),
      now: () => world.clock.now,
      random: () => world.random(),
      getRandomValues: (/** @type {Uint8Array} */ bytes) => bytes.fill(7),
      watchWake: (/** @type {() => void} */ look) => {
        world.looks.add(look);
        return () => world.looks.delete(look);
      },
    };
    this.serve("GET /healthz", (asked) => asked.json({ status: "ok" }));
  }

  /** Answer a route by itself; others wait for the test.
   * @param {string} route @param {(asked: Asked) => void} answer */
  serve(route, answer) {
    this.#routes.set(route, answer);
  }

  /** The newest EventSource. */
  get source() {
    return last(this.sources);
  }

  /** The newest WebSocket. */
  get socket() {
    return last(this.sockets);
  }

  /** The newest request. */
  get request() {
    return last(this.asked);
  }

  /** The requests of a route. @param {string} route */
  asks(route) {
    return this.asked.filter((asked) => asked.route === route);
  }

  /** Let what wakes a page happen: it is shown again, or the network is back. */
  wake() {
    for (const look of this.looks) look();
  }

  settle() {
    return settle();
  }

  /** @param {number} milliseconds */
  advance(milliseconds) {
    return this.clock.advance(milliseconds);
  }

  /** @param {string} url @param {RequestInit} init */
  #fetch(url, init) {
    const asked = new Asked(url, init);
    this.asked.push(asked);
    const route = this.#routes.get(asked.route);
    if (this.isAway) asked.fail();
    else if (route) queueMicrotask(() => route(asked));
    return asked.answer;
  }
}

/** Let each socket open, and acknowledge every op that is not answered otherwise.
 * @param {World} world @param {(message: any) => any} [answer] */
export function accept(world, answer = () => null) {
  world.onSocket = (socket) => {
    socket.answer = (message) => answer(message) || { type: "ack", id: message.id, op: message.op };
    socket.open();
  };
}

/** Let no WebSocket open. @param {World} world */
export function block(world) {
  world.onSocket = (socket) => socket.drop(1006);
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32).
 * @param {number} seed @returns {() => number} */
export function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @template T @param {T[]} all @returns {T} */
function last(all) {
  const found = all.at(-1);
  if (found === undefined) throw new Error("there is none yet");
  return found;
}
