/** SocketStream: a data connection over a WebSocket, which takes ops too. */

import { Failure, opFailure, Violation } from "../failure.js";
import { Ops } from "../ops.js";
import { parse } from "./eventsource.js";

export const SUBPROTOCOL = "ticker.v1.json";

/** Close codes after which coming back would not help (PROTOCOL.md section 5). */
const FINAL = new Map([
  [1002, "protocol_error"],
  [1003, "wrong_type"],
  [1007, "invalid_data"],
  [1009, "too_large"],
  [4001, "unauthorized"],
  [4503, "bad_message"],
  [4509, "replaced"],
]);

/** Seconds to stay away after 4029: the server counts errors within a minute. */
const RATE_LIMITED_WAIT = 60;

export class SocketStream {
  /** @type {number | null} */
  static heartbeat = null;

  /** @type {WebSocket | null} */
  #socket = null;
  #isClosed = false;

  /** @param {import("../request.js").Request} request @param {import("./eventsource.js").Listener} listener */
  constructor(request, listener) {
    this.request = request;
    this.listener = listener;
    this.ops = new Ops(request.env, (text) => this.#send(text));
  }

  /** @param {string | null} cursor */
  async open(cursor) {
    const query = { ...this.request.query(cursor), ...(await this.request.ticket(false)) };
    if (this.#isClosed) return;
    const { WebSocket } = this.request.env;
    if (!WebSocket) throw new Failure("blocked", "there is no WebSocket here");
    this.#socket = new WebSocket(this.request.socketAddress(query), [SUBPROTOCOL]);
    this.#socket.onopen = () => this.#stream();
    this.#socket.onmessage = (event) => this.#take(event.data);
    this.#socket.onclose = (event) => this.#end(closeFailure(event.code, event.reason));
  }

  #stream() {
    this.ops.do("stream", {}).catch((failure) => this.#end(failure));
  }

  /** @param {string} text */
  #send(text) {
    if (!this.#socket) throw new Error("there is no socket yet");
    this.#socket.send(text);
  }

  /** @param {string} text */
  #take(text) {
    const message = parse(text);
    if (this.#isClosed) return;
    if (message === null) return this.#end(new Violation("a message is no JSON object"));
    if (message.type === "error" && message.id === undefined) return this.#end(opFailure(message));
    if (!this.ops.take(message)) this.listener.receive(message);
  }

  close() {
    this.#isClosed = true;
    this.ops.close();
    this.#socket?.close();
  }

  /** @param {Failure} failure */
  #end(failure) {
    if (this.#isClosed) return;
    this.close();
    this.listener.end(failure);
  }
}

/** What a close code means. @param {number} code @param {string} reason */
export function closeFailure(code, reason) {
  const final = FINAL.get(code);
  if (final) return new Failure(final, reason || `the server closed with ${code}`, { isFinal: true, status: code });
  const facts = { status: code, retryAfter: code === 4029 ? RATE_LIMITED_WAIT : undefined };
  return new Failure(code === 4029 ? "rate_limited" : "cut", reason || "the socket was cut", facts);
}
