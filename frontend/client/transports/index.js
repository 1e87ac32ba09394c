/** The transports by name, in the order in which they are tried. */

import { EventSourceStream } from "./eventsource.js";
import { FetchedStream } from "./fetched.js";
import { LongPolling, ShortPolling } from "./poll.js";
import { SocketStream } from "./socket.js";

/** @typedef {"sse" | "fetch" | "websocket" | "longpoll" | "poll"} TransportName */

/**
 * One data connection. `open` resolves or rejects once it is under way; from then on the listener is told everything.
 *
 * @typedef {object} Transport
 * @property {(cursor: string | null) => Promise<void>} open
 * @property {() => void} close ends it without another word to the listener
 * @property {import("../ops.js").Ops} [ops] where it takes ops itself
 * @property {() => void} [hurry]
 */

/** @typedef {{new (request: import("../request.js").Request, listener: import("./eventsource.js").Listener): Transport, heartbeat: number | null}} TransportClass */

/** @type {Record<TransportName, TransportClass>} */
export const TRANSPORTS = {
  sse: EventSourceStream,
  websocket: SocketStream,
  longpoll: LongPolling,
  poll: ShortPolling,
  fetch: FetchedStream,
};

/** @type {readonly TransportName[]} */
export const ORDER = Object.freeze(["sse", "websocket", "longpoll", "poll"]);
