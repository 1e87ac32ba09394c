/** FetchedStream: Server-Sent Events read through `fetch`, which can send the credential's header. */

import { EventStreamParser } from "../eventstream.js";
import { answerFailure, Failure, Violation } from "../failure.js";
import { EVENTS, parse } from "./eventsource.js";

export class FetchedStream {
  /** @type {number | null} */
  static heartbeat = null;

  #abort = new AbortController();

  /** @param {import("../request.js").Request} request @param {import("./eventsource.js").Listener} listener */
  constructor(request, listener) {
    this.request = request;
    this.listener = listener;
  }

  /** @param {string | null} cursor */
  async open(cursor) {
    const headers = { Accept: "text/event-stream", ...(await this.request.headers()) };
    const more = { query: this.request.query(cursor), headers, signal: this.#abort.signal };
    const answer = await this.request.send("GET", "/v1/stream", more);
    if (!answer.ok) throw await answerFailure(answer);
    if (!answer.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      throw new Failure("blocked", "the answer is no event stream");
    }
    this.#read(/** @type {ReadableStream<Uint8Array>} */ (answer.body)).then(
      () => this.#end(new Failure("cut", "the stream has ended")),
      (error) => this.#end(error instanceof Failure ? error : new Failure("cut", String(error))),
    );
  }

  /** @param {ReadableStream<Uint8Array>} body */
  async #read(body) {
    const parser = new EventStreamParser();
    const reader = body.getReader();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      for (const { name, data } of this.#parse(parser, chunk.value)) {
        if (this.#abort.signal.aborted) return;
        if (EVENTS.includes(name)) this.#take(name, data);
      }
    }
  }

  /** @param {EventStreamParser} parser @param {Uint8Array} bytes */
  #parse(parser, bytes) {
    try {
      return parser.feed(bytes);
    } catch (error) {
      throw new Violation(String(error));
    }
  }

  /** @param {string} name @param {string} data */
  #take(name, data) {
    const message = parse(data);
    if (message === null) throw new Violation(`the data of ${name} is no JSON object`);
    message.type = name;
    this.listener.receive(message);
  }

  close() {
    this.#abort.abort();
  }

  /** @param {Failure} failure */
  #end(failure) {
    if (this.#abort.signal.aborted) return;
    this.close();
    this.listener.end(failure);
  }
}
