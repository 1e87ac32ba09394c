/** Choice: which transport is used. One that fails twice in a row, or does not open in time, gives way to the next. */

/** @typedef {import("./transports/index.js").TransportName} TransportName */

/** Failures in a row after which the next transport is tried. */
const LIMIT = 2;

export class Choice {
  #index = 0;
  #failures = 0;
  /** Whether more than a hello came on the present connection: then a cut is no failure of its transport. */
  #hasDelivered = false;

  /** @param {readonly TransportName[]} transports in the order in which they are tried */
  constructor(transports) {
    this.transports = transports;
  }

  get transport() {
    return this.transports[this.#index];
  }

  /** A connection begins. */
  begin() {
    this.#hasDelivered = false;
  }

  /** It has brought something. */
  deliver() {
    this.#hasDelivered = true;
  }

  /** It has ended. @param {boolean} isLate whether it did not open in time */
  fail(isLate) {
    this.#failures = isLate ? LIMIT : this.#hasDelivered ? 0 : this.#failures + 1;
    if (this.#failures < LIMIT) return;
    this.#index = (this.#index + 1) % this.transports.length;
    this.#failures = 0;
  }
}
