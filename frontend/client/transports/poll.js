/** Polling: a data connection by one request after the other (PROTOCOL.md section 6). */

import { isCursor } from "../cursor.js";
import { answerFailure, Failure, Violation } from "../failure.js";
import { parse } from "./eventsource.js";

/** Seconds that the server may wait for a tick when polls are long: the most that the contract allows. */
const LONG_WAIT = 25;

/** Milliseconds between two short polls. */
const SHORT_PAUSE = 1000;

/** Milliseconds that an answer may take beyond the server's wait. */
const GRACE = 5000;

class Polling {
  #abort = new AbortController();
  /** @type {any} */
  #timer = null;
  /** Ends a rest. @type {() => void} */
  #resume = () => {};
  /** Seconds that the server may wait. The first poll asks for what is there, so it shows at once whether this works. */
  #wait = 0;

  /**
   * @param {import("../request.js").Request} request
   * @param {import("./eventsource.js").Listener} listener
   * @param {boolean} isLong
   */
  constructor(request, listener, isLong) {
    this.request = request;
    this.listener = listener;
    this.isLong = isLong;
  }

  /** @param {string | null} cursor */
  async open(cursor) {
    this.#poll(cursor).catch((error) => this.#end(error instanceof Failure ? error : new Failure("cut", String(error))));
  }

  /** Poll without pauses from now on: a session that has no poll under way can't be cut. */
  hurry() {
    this.isLong = true;
    this.#resume();
  }

  /** @param {string | null} cursor */
  async #poll(cursor) {
    while (!this.#abort.signal.aborted) {
      const page = await this.#ask(cursor);
      if (this.#abort.signal.aborted) return;
      page.type = "poll";
      this.listener.receive(page);
      cursor = page.cursor;
      if (!page.more && !this.isLong) await this.#rest();
      this.#wait = this.isLong ? LONG_WAIT : 0;
    }
  }

  /** @param {string | null} cursor @returns {Promise<any>} */
  async #ask(cursor) {
    const { request } = this;
    const query = { ...request.query(cursor), wait: String(this.#wait) };
    const late = () => this.#end(new Failure("silent", "a poll was not answered"));
    const timer = request.env.setTimeout(late, this.#wait * 1000 + GRACE);
    try {
      const more = { query, signal: this.#abort.signal, headers: await request.headers() };
      const answer = await request.send("GET", "/v1/poll", more);
      if (!answer.ok) throw await answerFailure(answer);
      const page = parse(await answer.text());
      if (!isCursor(page?.cursor) || !Array.isArray(page.ticks)) throw new Violation("the answer is no page of ticks");
      return page;
    } finally {
      request.env.clearTimeout(timer);
    }
  }

  #rest() {
    return new Promise((resolve) => {
      this.#resume = () => resolve(undefined);
      this.#timer = this.request.env.setTimeout(this.#resume, SHORT_PAUSE);
    });
  }

  close() {
    this.#abort.abort();
    this.request.env.clearTimeout(this.#timer);
    this.#resume();
  }

  /** @param {Failure} failure */
  #end(failure) {
    if (this.#abort.signal.aborted) return;
    this.close();
    this.listener.end(failure);
  }
}

export class LongPolling extends Polling {
  /** An answer comes after so many seconds at the latest. @type {number | null} */
  static heartbeat = LONG_WAIT + 1;

  /** @param {import("../request.js").Request} request @param {import("./eventsource.js").Listener} listener */
  constructor(request, listener) {
    super(request, listener, true);
  }
}

export class ShortPolling extends Polling {
  /** @type {number | null} */
  static heartbeat = LONG_WAIT + 1;

  /** @param {import("../request.js").Request} request @param {import("./eventsource.js").Listener} listener */
  constructor(request, listener) {
    super(request, listener, false);
  }
}
