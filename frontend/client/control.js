/**
 * Control: ops for a session whose ticks come on another connection: over a WebSocket that is attached to it, and over
 * PATCH where a WebSocket can't be had (PROTOCOL.md sections 5 and 7).
 */

import { Failure } from "./failure.js";
import { Ops } from "./ops.js";
import { parse } from "./transports/eventsource.js";
import { closeFailure, SUBPROTOCOL } from "./transports/socket.js";

/** Milliseconds in which the socket must be attached. */
const OPEN_TIMEOUT = 4000;

/** Milliseconds for which no socket is tried after one that did not open. */
const BLOCKED = 60_000;

/** Failures of the way, not of the op: another way may do. */
const WAYS = new Set(["cut", "timeout", "blocked"]);

export class Control {
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Promise<Ops> | null} */
  #opening = null;
  #blockedUntil = 0;
  #isClosed = false;

  /** @param {import("./request.js").Request} request @param {() => void} opened called when a socket is attached */
  constructor(request, opened) {
    this.request = request;
    this.opened = opened;
  }

  /** The way in use. @returns {"websocket" | "patch" | null} null before the first op */
  get way() {
    return this.#blockedUntil ? "patch" : this.#opening ? "websocket" : null;
  }

  /**
   * @param {string} op
   * @param {object} [fields]
   * @returns {Promise<any>} the effective state
   * @throws {Failure} if it can't be done; nothing is changed
   */
  async do(op, fields = {}) {
    try {
      return await (await this.#ops()).do(op, fields);
    } catch (error) {
      if (this.#isClosed || !(error instanceof Failure) || !WAYS.has(error.code)) throw error;
      return this.request.json("PATCH", `/v1/sessions/${this.request.session}`, { body: JSON.stringify({ op, ...fields }) });
    }
  }

  close() {
    this.#isClosed = true;
    this.#leave();
  }

  /** Close the socket, also one that is open and of no use. */
  #leave() {
    this.#socket?.close();
    this.#socket = this.#opening = null;
  }

  #ops() {
    if (this.request.env.now() < this.#blockedUntil) throw new Failure("blocked", "a WebSocket can't be had");
    this.#opening ??= this.#open().catch((error) => {
      this.#leave();
      this.#blockedUntil = this.request.env.now() + BLOCKED;
      throw error instanceof Failure ? error : new Failure("blocked", String(error));
    });
    return this.#opening;
  }

  /** @returns {Promise<Ops>} */
  async #open() {
    const { env, session } = this.request;
    const ticket = await this.request.ticket(false);
    if (this.#isClosed) throw closed();
    if (!env.WebSocket) throw new Failure("blocked", "there is no WebSocket here");
    const socket = new env.WebSocket(this.request.socketAddress(ticket), [SUBPROTOCOL]);
    const ops = new Ops(env, (text) => socket.send(text));
    this.#socket = socket;
    await this.#connect(socket, ops);
    await ops.do("attach", { session });
    this.#blockedUntil = 0;
    this.opened();
    return ops;
  }

  /** @param {WebSocket} socket @param {Ops} ops @returns {Promise<void>} */
  #connect(socket, ops) {
    const { env } = this.request;
    return new Promise((resolve, reject) => {
      const timer = env.setTimeout(() => socket.close(), OPEN_TIMEOUT);
      socket.onopen = () => {
        env.clearTimeout(timer);
        resolve();
      };
      socket.onmessage = (event) => ops.take(parse(event.data) ?? {});
      socket.onclose = (event) => {
        env.clearTimeout(timer);
        if (this.#socket === socket) this.#opening = this.#socket = null;
        ops.close();
        reject(closeFailure(event.code, event.reason));
      };
    });
  }
}

function closed() {
  return new Failure("cut", "the client is closed");
}
