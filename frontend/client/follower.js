/**
 * Follower: what each message does to a client's place, its counts, and what comes out of it. No input or output.
 *
 * Its position is the cursor it resumed with, then that of the last snapshot, tick, `ticks.to`, subscription or
 * heartbeat (PROTOCOL.md section 4). Every batch must go on from it, and every heartbeat must count what has come: that
 * is how a client proves that it missed nothing.
 */

import { compareCursors, isCursor } from "./cursor.js";
import { Violation } from "./failure.js";

/** @typedef {{type: "quote", symbol: string, bid: number, bid_size: number, ask: number, ask_size: number, ts: number, cursor: string}} Quote */
/** @typedef {{type: "trade", symbol: string, price: number, size: number, side: "buy" | "sell" | null, ts: number, cursor: string}} Trade */
/** @typedef {{type: "bar", symbol: string, interval: string, open: number, high: number, low: number, close: number, volume: number, trades: number, ts: number, partial?: boolean, closed?: boolean}} Bar */
/** @typedef {{type: "gap", from: string | null, to: string, lost: number | null, reason: string}} Gap */
/** @typedef {{type: "snapshot", cursor: string, scope: "all" | "added", quotes: Quote[], trades: Trade[]}} Snapshot */
/** @typedef {Quote | Trade} Tick */
/** @typedef {Tick | Bar | Gap | Snapshot} Item What a follower hands on. */
/** @typedef {"connecting" | "live" | "replaying" | "paused"} Phase */

/** Bars that are remembered while the position stands still: more than any server sends between two heartbeats. */
const BARS_LIMIT = 100_000;

/** Counts since a client began. */
export class Statistics {
  /** Quotes and trades that were handed on. */
  received = 0;
  /** Quotes and trades that came again, and were dropped. */
  duplicates = 0;
  /** Those of `received` that were older than their connection. */
  replayed = 0;
  /** Gaps, and the ticks of the whole market inside them as far as the server knew. */
  gaps = 0;
  lost = 0;
  /** Those of `gaps` whose size nobody knows. */
  unsized = 0;
  /** Connections after the first. */
  reconnects = 0;
  /** Times that the server's bytes broke the contract. */
  violations = 0;
}

export class Follower {
  /** @type {Phase} */
  phase = "connecting";
  statistics = new Statistics();
  /** Ticks that the connection's `hello` promised to replay, and those that have come of them. */
  replay = { of: 0, done: 0 };
  /** A gap whose snapshot is still to come: until then it can come again, and would count twice. @type {Gap | null} */
  #gap = null;
  /** The newest tick when the connection began: up to it ticks are replayed. @type {string | null} */
  #newest = null;
  /** Quotes and trades of this connection, to compare with `heartbeat.sent`. */
  #sent = 0;
  /** Whether none came since the last heartbeat. */
  #silent = false;
  /** The newest tick when the client asked for a pause: up to it ticks were due before. @type {string | null} */
  #held = null;
  /** Bars since the position last moved: around a cut they come again. @type {Set<string>} */
  #bars = new Set();

  /** @param {string | null} [position] the cursor to resume with */
  constructor(position = null) {
    this.position = position;
  }

  /** Forget what belongs to one connection, because another one begins. */
  begin() {
    this.#gap = null;
    this.#newest = null;
    this.#sent = 0;
    this.#silent = false;
    this.replay = { of: 0, done: 0 };
  }

  /** Pause: from a place on the server holds ticks back, as the client has asked. @param {unknown} cursor */
  pause(cursor) {
    this.phase = "paused";
    this.#held = isCursor(cursor) ? cursor : this.position;
  }

  /** Play: the server holds nothing back any more. */
  play() {
    if (this.phase === "paused") this.phase = "live";
  }

  /**
   * Take a message and return what it means for the consumer, in order.
   *
   * @param {any} message an event with its name as `type`; an answer to a poll has the type `poll`
   * @returns {Item[]}
   * @throws {Violation} if it shows that something is missing without a gap; the position is still good: resume
   */
  receive(message) {
    switch (message.type) {
      case "quote":
      case "trade":
        return this.#ticks(checked([message]));
      case "ticks":
        return this.#batch(message);
      case "bar":
        return this.#bar(message) ? [message] : [];
      case "hello":
        return this.#hello(message);
      case "gap":
        this.#gap = message;
        return [];
      case "snapshot":
        return this.#snapshot(message);
      case "subscription":
        this.#advance(place(message.cursor));
        return [];
      case "heartbeat":
        return this.#heartbeat(message);
      case "poll":
        return this.#page(message);
      default:
        return [];
    }
  }

  /** @param {any} hello @returns {Item[]} */
  #hello(hello) {
    this.begin();
    this.#newest = place(hello.newest);
    this.replay.of = hello.replay ?? 0;
    this.phase = hello.replay ? "replaying" : "live";
    if (hello.follows) return [];
    const begin = place(hello.cursor);
    if (this.position !== null && compareCursors(begin, this.position) > 0) {
      throw new Violation(`the stream goes on at ${begin}, after ${this.position}, without a gap`);
    }
    this.position ??= begin;
    return [];
  }

  /** @param {any} batch @returns {Item[]} */
  #batch(batch) {
    const from = place(batch.from);
    const to = place(batch.to);
    const at = this.position;
    if (at !== null && (compareCursors(from, at) > 0 || compareCursors(to, at) < 0)) {
      throw new Violation(`a batch from ${from} to ${to} does not go on from ${at}`);
    }
    const items = this.#ticks(checked(batch.ticks));
    this.#advance(to);
    return items;
  }

  /** @param {(Tick | Bar)[]} records @returns {Item[]} those that are new */
  #ticks(records) {
    return records.filter((record) => (record.type === "bar" ? this.#bar(record) : this.#tick(record)));
  }

  /** @param {Tick} tick @returns {boolean} whether it is new */
  #tick(tick) {
    const at = tick.cursor;
    const isHeld = this.#isHeld(at);
    this.#sent += 1;
    this.#silent = isHeld;
    if (this.position !== null && compareCursors(at, this.position) <= 0) {
      this.statistics.duplicates += 1;
      return false;
    }
    this.statistics.received += 1;
    if (this.#newest !== null && compareCursors(at, this.#newest) <= 0) {
      this.statistics.replayed += 1;
      this.replay.done += 1;
    }
    if (!isHeld) this.play();
    this.#advance(at);
    return true;
  }

  /** @param {Bar} bar @returns {boolean} whether it is new */
  #bar(bar) {
    const key = JSON.stringify(bar);
    if (this.#bars.has(key)) return false;
    if (this.#bars.size >= BARS_LIMIT) this.#bars.delete(this.#bars.values().next().value ?? "");
    this.#bars.add(key);
    return true;
  }

  /** @param {any} snapshot @returns {Item[]} */
  #snapshot(snapshot) {
    const at = place(snapshot.cursor);
    const gap = this.#gap;
    const item = { ...snapshot, type: "snapshot" };
    if (snapshot.scope === "added") {
      this.#advance(at);
      return [item];
    }
    if (gap === null && this.position !== null) {
      throw new Violation(`a snapshot at ${at} replaces what came after ${this.position}, without a gap`);
    }
    this.#jump(at);
    if (gap === null) return [item];
    this.#gap = null;
    this.statistics.gaps += 1;
    this.statistics.lost += gap.lost ?? 0;
    this.statistics.unsized += Number(gap.lost === null);
    return [{ ...gap, type: "gap" }, item];
  }

  /** @param {any} heartbeat @returns {Item[]} */
  #heartbeat(heartbeat) {
    const at = place(heartbeat.cursor);
    if (heartbeat.sent !== this.#sent) {
      throw new Violation(`${heartbeat.sent} ticks were sent up to ${at}, ${this.#sent} have come`);
    }
    if (this.#silent && at === this.position && compareCursors(place(heartbeat.newest), at) > 0) this.phase = "paused";
    else if (!this.#isHeld(at)) this.play();
    this.#silent = true;
    this.#advance(at);
    return [];
  }

  /** @param {any} page @returns {Item[]} */
  #page(page) {
    const at = place(page.cursor);
    const records = checked(page.ticks);
    if (!this.#isHeld(at)) this.phase = page.more ? "replaying" : "live";
    this.#gap = page.gap ?? null;
    const items = page.snapshot ? this.#snapshot(page.snapshot) : [];
    const ticks = this.#ticks(records);
    this.#advance(at);
    return items.length ? items.concat(ticks) : ticks;
  }

  /** Whether a pause goes on at a place: what was due before it does not end it.
   * @param {string} at */
  #isHeld(at) {
    if (this.phase !== "paused") return false;
    return at === this.position || (this.#held !== null && compareCursors(at, this.#held) <= 0);
  }

  /** Move the position forward; a place behind it, as a heartbeat's of a paused session, changes nothing.
   * @param {string} at */
  #advance(at) {
    if (this.position === null || compareCursors(at, this.position) > 0) this.#jump(at);
    if (this.phase === "replaying" && this.#newest !== null && compareCursors(at, this.#newest) >= 0) this.phase = "live";
  }

  /** @param {string} at */
  #jump(at) {
    this.position = at;
    if (this.#bars.size) this.#bars.clear();
  }
}

/** @param {unknown} text @returns {string} */
function place(text) {
  if (!isCursor(text)) throw new Violation(`${JSON.stringify(text)} is no cursor`);
  return text;
}

/** Check records before any of them counts: what came with one that is wrong comes again, because the position is as it
 * was. @param {any} records @returns {(Tick | Bar)[]} */
function checked(records) {
  if (!Array.isArray(records)) throw new Violation("there is no list of ticks");
  for (const record of records) if (record?.type !== "bar") place(record?.cursor);
  return records;
}
