/** The parser of event streams (WHATWG HTML 9.2.6), for streams that are read through `fetch`. */

/** Characters of one event at most: a message of 4 MiB, and as much again. A longer one is no ticker server's. */
export const EVENT_LIMIT = 8 * 2 ** 20;

/** @typedef {{name: string, data: string, id: string}} ServerEvent */

export class EventStreamParser {
  #decoder = new TextDecoder("utf-8");
  /** What has come of a line that is not whole. */
  #rest = "";
  /** True after a CR: an LF that follows belongs to it. */
  #afterCr = false;
  #name = "";
  /** @type {string[]} */
  #data = [];
  #size = 0;
  /** The last id that came, whether or not its event has. */
  #id = "";
  /** The last event's id: the place to resume from. */
  lastEventId = "";
  /** Milliseconds to wait before the next connection, null until the server has said. @type {number | null} */
  retry = null;

  /**
   * Take the next bytes, wherever they are cut, and return the events that are whole now.
   *
   * @param {Uint8Array} bytes
   * @returns {ServerEvent[]}
   * @throws {RangeError} if an event is longer than `EVENT_LIMIT`; the parser is of no use afterwards
   */
  feed(bytes) {
    /** @type {ServerEvent[]} */
    const events = [];
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return events;
    if (this.#afterCr && text[0] === "\n") text = text.slice(1);
    this.#afterCr = text === "" ? false : text.endsWith("\r");
    const lines = text.split(/\r\n|\n|\r/);
    lines[0] = this.#rest + lines[0];
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#line(line, events);
    if (this.#size + this.#rest.length > EVENT_LIMIT) throw new RangeError("an event is too long");
    return events;
  }

  /** @param {string} line @param {ServerEvent[]} events */
  #line(line, events) {
    if (line === "") return this.#dispatch(events);
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    this.#size += line.length;
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#name = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^[0-9]{1,16}$/.test(value)) this.retry = Number(value);
  }

  /** @param {ServerEvent[]} events */
  #dispatch(events) {
    this.lastEventId = this.#id;
    if (this.#data.length) {
      events.push({ name: this.#name || "message", data: this.#data.join("\n"), id: this.#id });
    }
    this.#name = "";
    this.#data = [];
    this.#size = 0;
  }
}
