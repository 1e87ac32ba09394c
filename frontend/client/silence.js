/** Silence: how long nothing has come, and what that means. Times are milliseconds, heartbeats seconds. */

/** Nothing for so many of the usual pauses between two messages is too long … */
const PAUSES = 10;

/** … but a shorter time than this never is. */
const SHORTEST = 3000;

/** What a heartbeat may be late. */
const GRACE = 2000;

/** The weight of the newest pause in their moving average. */
const WEIGHT = 0.1;

export class Silence {
  /** Seconds between two signs of life at most, as the server says. */
  heartbeat = 15;
  /** The moving average of the pauses between messages; a heartbeat's length until it is known better. */
  #pause = 0;

  /** @param {number} last when something came last */
  constructor(last) {
    this.last = last;
    this.#pause = this.heartbeat * 1000;
  }

  /** Count from now on: a connection begins. @param {number} now */
  begin(now) {
    this.last = now;
    this.#pause = this.heartbeat * 1000;
  }

  /** Something has come. @param {number} now */
  end(now) {
    this.#pause += WEIGHT * (now - this.last - this.#pause);
    this.last = now;
  }

  /** Milliseconds since something came. @param {number} now */
  length(now) {
    return now - this.last;
  }

  /** Whether something should have come by now. @param {number} now */
  isLong(now) {
    const expected = Math.max(SHORTEST, PAUSES * this.#pause);
    return this.length(now) > Math.min(expected, this.heartbeat * 1000 + GRACE);
  }

  /** Whether the connection must be dead: two heartbeats are missing. @param {number} now */
  isDead(now) {
    return this.length(now) > 2 * this.heartbeat * 1000;
  }
}
