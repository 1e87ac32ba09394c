/** Recovery: what one break of the stream cost, counted by the client and held against what the server said. */

import { compareCursors } from "./cursor.js";

/**
 * @typedef {object} Recovered
 * @property {"cut" | "switch"} cause `switch` if the client let go by itself, to use another transport
 * @property {number} at when the connection was lost, in milliseconds since the Unix epoch
 * @property {number} until when the next one opened
 * @property {string} transport of the new connection
 * @property {number} missed ticks that the server said it would replay (polling: those that the first answers held)
 * @property {number} replayed ticks that came of them, counted here
 * @property {number} duplicates ticks that came twice and were dropped
 * @property {number} gaps
 * @property {number | null} lost ticks inside gaps, null where nobody knows how many
 * @property {boolean} isComplete whether everything that was missed has come, and nothing was lost
 */

/** @typedef {import("./follower.js").Statistics} Statistics */

export class Recovery {
  /** @type {number | null} */
  #at = null;
  /** @type {number | null} */
  #until = null;
  /** @type {"cut" | "switch"} */
  #cause = "cut";
  #missed = 0;
  /** The newest tick when the connection began again. */
  #newest = "";
  #isPolling = false;
  /** @type {Statistics | null} */
  #before = null;

  /** The connection was lost; while it is not back, a further loss is the same one.
   * @param {number} now @param {"cut" | "switch"} cause @param {Statistics} statistics */
  begin(now, cause, statistics) {
    if (this.#at === null) {
      this.#at = now;
      this.#cause = cause;
      this.#before = { ...statistics };
    }
    this.#until = null;
  }

  /**
   * Take each message after the follower has.
   *
   * @param {any} message
   * @param {number} now
   * @param {import("./follower.js").Follower} follower
   * @param {string} transport
   * @returns {Recovered | null} once everything is back
   */
  take(message, now, follower, transport) {
    if (this.#at === null) return null;
    // Not at any message: where a listener changes the transport, the old connection's last one is still to come.
    if (message.type === "hello" || (message.type === "poll" && this.#until === null)) {
      this.#reopen(message, now, follower.statistics);
    }
    return this.#until !== null && this.#isOver(message) ? this.#finish(follower.statistics, transport) : null;
  }

  /** A replay that was cut has brought a part already, and hello promises the rest.
   * @param {any} message @param {number} now @param {Statistics} statistics */
  #reopen(message, now, { replayed }) {
    const { replayed: before } = /** @type {Statistics} */ (this.#before);
    this.#until = now;
    this.#missed = replayed - before + (message.replay ?? 0);
    this.#newest = message.newest;
    this.#isPolling = message.type === "poll";
  }

  /** A replay is proved by the heartbeat after it, whose count the follower has compared. Others may come before, in a
   * long one or while a pause holds it back. @param {any} message */
  #isOver(message) {
    if (message.type === "poll") return !message.more;
    if (message.type === "hello") return !message.follows && !message.replay;
    if (message.type === "snapshot") return message.scope === "all";
    return message.type === "heartbeat" && compareCursors(message.cursor, this.#newest) >= 0;
  }

  /** @param {Statistics} now @param {string} transport @returns {Recovered} */
  #finish(now, transport) {
    const before = /** @type {Statistics} */ (this.#before);
    const at = /** @type {number} */ (this.#at);
    const replayed = this.#isPolling ? now.received - before.received : now.replayed - before.replayed;
    const missed = this.#isPolling ? replayed : this.#missed;
    const gaps = now.gaps - before.gaps;
    const lost = now.unsized > before.unsized ? null : now.lost - before.lost;
    this.#at = null;
    return {
      cause: this.#cause,
      at,
      until: this.#until ?? at,
      transport,
      missed,
      replayed,
      duplicates: now.duplicates - before.duplicates,
      gaps,
      lost,
      isComplete: missed === replayed && gaps === 0,
    };
  }
}
