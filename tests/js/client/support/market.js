/** A market, the server that streams it, and a network that breaks: everything is drawn from one seed. */

import { gap, heartbeat, hello, page, quote, snapshot, trade } from "./messages.js";

/** @typedef {import("./world.js").World} World */

/** Ticks in one answer to a poll. */
const LIMIT = 7;

/**
 * What may go wrong, each as a chance per step.
 *
 * @typedef {object} Faults
 * @property {number} [cut] a connection is cut
 * @property {number} [refuse] a new one is refused for a time
 * @property {number} [hang] a new one is never answered
 * @property {number} [drop] a message is lost on its way, though nothing shows it
 * @property {number} [away] nobody is there for a step
 */

/** A connection as the server sees it. */
class Served {
  position = 0;
  /** The place that the client knows: a stretch without a tick that it wants costs it nothing. */
  known = 0;
  sent = 0;
  isGreeted = false;
  isHung = false;

  /**
   * @param {any} carrier
   * @param {string | undefined} cursor where the client wants to go on
   * @param {(...messages: any[]) => void} tell
   * @param {() => void} cut
   */
  constructor(carrier, cursor, tell, cut) {
    this.carrier = carrier;
    this.cursor = cursor;
    this.tell = tell;
    this.cut = cut;
  }
}

export class Market {
  /** Every tick, of the symbol that is wanted or of another one. @type {any[]} */
  ticks = [];
  /** The newest tick that is not kept any more. */
  evicted = 0;
  /** Whether there is trade. */
  isOpen = true;
  /** @type {Served[]} */
  #served = [];
  #known = new Set();

  /** @param {World} world @param {() => number} random @param {Faults} faults @param {number} kept ticks at most */
  constructor(world, random, faults, kept) {
    this.world = world;
    this.random = random;
    this.faults = faults;
    this.kept = kept;
  }

  get newest() {
    return this.ticks.length;
  }

  /** The ticks that a client wants from a place on. @param {number} from @param {number} [to] */
  wanted(from, to = this.newest) {
    return this.ticks.slice(from, to).filter(({ symbol }) => symbol === "A");
  }

  /** Let the market, the server and the network go on for a step. */
  async step() {
    if (this.isOpen) this.#publish();
    this.world.isAway = this.#happens("away");
    this.#accept();
    for (const served of this.#served) this.#serve(served);
    for (const asked of this.world.asks("GET /v1/poll")) this.#answer(asked);
    this.#served = this.#served.filter(({ carrier }) => !carrier.isClosed);
    await this.world.advance(this.random() * 3000);
  }

  /** @param {keyof Faults} fault */
  #happens(fault) {
    return this.random() < (this.faults[fault] ?? 0);
  }

  /** @param {number} limit */
  #draw(limit) {
    return Math.floor(this.random() * limit);
  }

  #publish() {
    for (let left = this.#draw(12); left > 0; left -= 1) {
      const seq = this.newest + 1;
      const symbol = this.random() < 0.6 ? "A" : "B";
      this.ticks.push(this.random() < 0.5 ? quote(seq, symbol) : trade(seq, symbol));
    }
    this.evicted = Math.max(0, this.newest - this.kept);
  }

  #accept() {
    for (const carrier of [...this.world.sources, ...this.world.sockets]) {
      if (this.#known.has(carrier)) continue;
      this.#known.add(carrier);
      const { cursor } = carrier.query;
      if ("open" in carrier) this.#served.push(this.#socket(carrier, cursor));
      else this.#served.push(new Served(carrier, cursor, (...all) => carrier.send(...all), () => carrier.cut()));
    }
  }

  /** @param {import("./fakes.js").FakeWebSocket} socket @param {string | undefined} cursor */
  #socket(socket, cursor) {
    socket.answer = ({ id, op }) => ({ type: "ack", id, op });
    if (!socket.isClosed) socket.open();
    return new Served(socket, cursor, (...all) => socket.tell(...all), () => socket.drop(1006));
  }

  /** @param {Served} served */
  #serve(served) {
    if (served.carrier.isClosed || served.isHung) return;
    if (this.#happens("cut")) return served.cut();
    if (!served.isGreeted) return this.#greet(served);
    if (served.position < this.evicted) return this.#lose(served, "slow");
    for (let left = this.#draw(3); left > 0; left -= 1) this.#batch(served);
    if (this.random() < 0.2) this.#beat(served);
  }

  /** @param {Served} served */
  #greet(served) {
    served.isHung = this.#happens("hang");
    if (served.isHung) return;
    if (this.#happens("refuse")) return served.tell({ type: "refused", code: "overloaded", retry_after: 0.5 });
    served.isGreeted = true;
    const { cursor } = served;
    if (cursor === undefined || seqOf(cursor) < this.evicted) {
      served.tell(hello(this.newest, { follows: cursor === undefined ? "snapshot" : "gap" }));
      return this.#lose(served, "evicted", cursor);
    }
    served.position = served.known = seqOf(cursor);
    served.tell(hello(cursor, { newest: `1-${this.newest}`, replay: this.wanted(served.position).length }));
    while (served.position < this.newest && this.random() < 0.9) this.#batch(served);
    if (served.position === this.newest) this.#beat(served);
  }

  /** @param {Served} served @param {string} reason @param {string | undefined} [cursor] where the client stands */
  #lose(served, reason, cursor = `1-${served.position}`) {
    const isLoss = reason === "slow" || served.cursor !== undefined;
    if (isLoss) served.tell(gap(seqOf(cursor) + 1, this.newest, { reason }));
    served.position = served.known = this.newest;
    served.tell(snapshot(this.newest));
  }

  /** Send the next ticks, as far as chance has it. @param {Served} served */
  #batch(served) {
    const from = served.position;
    const to = Math.min(this.newest, from + 1 + this.#draw(6));
    const ticks = this.wanted(from, to);
    served.position = to;
    if (!ticks.length) return;
    served.sent += ticks.length;
    // All clients get the same bytes, which may begin before this one's place.
    // Where something may be dropped it begins there, else the client could not notice.
    const begin = Math.max(0, served.known - (this.faults.drop ? 0 : this.#draw(2)));
    const message = { type: "ticks", from: `1-${begin}`, to: `1-${to}`, ticks };
    served.known = to;
    if (!this.#happens("drop")) served.tell(message);
  }

  /** @param {Served} served */
  #beat(served) {
    served.known = served.position;
    if (!this.#happens("drop")) served.tell(heartbeat(served.position, served.sent, this.newest));
  }

  /** @param {import("./fakes.js").Asked} asked */
  #answer(asked) {
    if (this.#known.has(asked) || asked.isAborted) return;
    // A poll that is hung is not known, and may be answered later, or given up.
    if (this.#happens("hang")) return;
    this.#known.add(asked);
    if (this.#happens("cut")) return asked.fail();
    if (this.#happens("refuse")) return asked.error(503, "overloaded", { retry_after: 0.5 });
    const from = seqOf(asked.query.cursor ?? `1-${this.newest}`);
    if (from < this.evicted) {
      const lost = { gap: gap(from + 1, this.newest), snapshot: snapshot(this.newest) };
      return asked.json(page(this.newest, [], lost));
    }
    const all = this.wanted(from);
    const ticks = all.slice(0, LIMIT);
    const more = all.length > LIMIT;
    asked.json(page(more ? seqOf(ticks[LIMIT - 1].cursor) : this.newest, ticks, { more }));
  }
}

/** @param {string} cursor */
export function seqOf(cursor) {
  return Number(cursor.split("-")[1]);
}
