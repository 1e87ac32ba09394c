/** EventSourceStream: a data connection over the browser's own EventSource, a new one for each try. */

import { answerFailure, Failure, Violation } from "../failure.js";

/** What a stream can send (PROTOCOL.md section 4). */
export const EVENTS = Object.freeze(
  "hello refused gap snapshot quote trade ticks bar subscription heartbeat bye".split(" "),
);

const CLOSED = 2;

/**
 * What a transport tells: each message as it comes, and once why no more will.
 *
 * @typedef {object} Listener
 * @property {(message: any) => void} receive
 * @property {(failure: Failure) => void} end
 */

export class EventSourceStream {
  /** Seconds between two signs of life at most; null as the server says. @type {number | null} */
  static heartbeat = null;

  /** @type {EventSource | null} */
  #source = null;
  #isClosed = false;

  /** @param {import("../request.js").Request} request @param {Listener} listener */
  constructor(request, listener) {
    this.request = request;
    this.listener = listener;
  }

  /** @param {string | null} cursor */
  async open(cursor) {
    const query = { ...this.request.query(cursor), ...(await this.request.ticket(true)) };
    if (this.#isClosed) return;
    const { EventSource } = this.request.env;
    if (!EventSource) return this.#end(new Failure("blocked", "there is no EventSource here"));
    const url = this.request.address("/v1/stream", query);
    this.#source = new EventSource(url);
    for (const name of EVENTS) this.#source.addEventListener(name, (event) => this.#take(name, event.data));
    this.#source.onerror = () => this.#fail(url);
  }

  /** @param {string} name @param {string} data */
  #take(name, data) {
    const message = parse(data);
    if (this.#isClosed) return;
    if (message === null) return this.#end(new Violation(`the data of ${name} is no JSON object`));
    message.type = name;
    this.listener.receive(message);
  }

  /** The browser would come back by itself, with the URL of the first time; we do, with the newest cursor. */
  /** @param {string} url */
  #fail(url) {
    const gaveUp = this.#source?.readyState === CLOSED;
    this.close();
    if (gaveUp) this.#explain(url).then((failure) => this.listener.end(failure));
    else this.listener.end(new Failure("cut", "the stream was cut"));
  }

  /** EventSource tells no status: ask for it. @param {string} url @returns {Promise<Failure>} */
  async #explain(url) {
    const target = url.slice(this.request.url.length);
    try {
      const headers = await this.request.headers();
      let answer = await this.request.send("HEAD", target, { headers });
      if (!answer.ok && answer.headers.get("Content-Type")?.startsWith("application/json")) {
        answer = await this.request.send("GET", target, { headers });
      }
      if (!answer.ok) return await answerFailure(answer);
      // A stream that is served after all has no end to wait for.
      answer.body?.cancel().catch(() => {});
      return new Failure("cut", "the stream was refused, and would be served now");
    } catch (error) {
      return error instanceof Failure ? error : new Failure("cut", String(error));
    }
  }

  close() {
    this.#isClosed = true;
    this.#source?.close();
  }

  /** @param {Failure} failure */
  #end(failure) {
    this.close();
    this.listener.end(failure);
  }
}

/** @param {string} text @returns {any} an object, or null */
export function parse(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
