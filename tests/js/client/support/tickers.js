/** Tickers in a world of fakes, and what they tell. */

import { Ticker } from "../../../../frontend/client/ticker.js";
import { hello, page, quote } from "./messages.js";
import { HOME, World } from "./world.js";

/** @typedef {import("../../../../frontend/client/ticker.js").Options} Options */

/** @param {Options} [options] */
export function begin(options = {}) {
  const world = new World();
  const ticker = new Ticker(HOME, { env: world.env, symbols: ["A"], ...options });

  /** What is told under a name from now on. @param {string} name @returns {any[]} */
  function hear(name) {
    /** @type {any[]} */
    const heard = [];
    ticker.on(name, (value) => heard.push(value));
    return heard;
  }
  return { world, ticker, hear };
}

/** One that is live on an event stream, at 1-2. @param {Options} [options] */
export async function streaming(options) {
  const made = begin({ cursor: "1-1", ...options });
  await made.world.settle();
  const symbols = options?.symbols ?? ["A"];
  made.world.source.send(hello(1, { symbols, types: options?.types ?? ["quote", "trade"] }), quote(2));
  return made;
}

/** One that is live on a WebSocket, at 1-2. @param {Options} [options] */
export async function onSocket(options) {
  const made = begin({ cursor: "1-1", transports: ["websocket"], ...options });
  await made.world.settle();
  made.world.socket.open();
  made.world.socket.ack();
  made.world.socket.tell(hello(1), quote(2));
  return made;
}

/** One that polls, and waits for its second answer.
 * @param {"longpoll" | "poll"} transport @param {Options} [options] */
export async function polling(transport, options) {
  const made = begin({ cursor: "1-1", transports: [transport], ...options });
  await made.world.settle();
  made.world.request.json(page(2, [quote(2)]));
  await made.world.settle();
  return made;
}
