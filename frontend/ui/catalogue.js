/** Catalogue: asks the server for its instruments, until it has some, when another turns up and when a day begins. */

/** Milliseconds between two questions. */
const PAUSE = 3000;

export class Catalogue {
  #askedAt = 0;
  /** The market's day of which reference prices are known, 0 before its first tick. */
  #day = 0;
  /** Whether a symbol has turned up since. */
  #isDue = false;

  /**
   * @param {import("../model/market.js").Market} market
   * @param {import("./painter.js").Painter} painter
   * @param {() => void} learned called when the market knows them
   */
  constructor(market, painter, learned) {
    this.market = market;
    this.learned = learned;
    painter.every(PAUSE, () => this.#look());
  }

  async learn() {
    this.#askedAt = Date.now();
    this.#isDue = false;
    const { day } = this.market;
    try {
      const answer = await fetch("/v1/symbols", { cache: "no-store" });
      const { instruments } = await answer.json();
      this.market.define(instruments);
      this.#day = day || this.#day;
    } catch {
      // The pill says that the server is away; the question comes again.
      return;
    }
    this.learned();
  }

  /** The first snapshot is here: what is known holds for its day. */
  begin() {
    this.#day = this.market.day;
  }

  /** A tick has come of a symbol that is not known. @param {number} now */
  wonder(now) {
    this.#isDue = true;
    if (now - this.#askedAt > PAUSE) this.learn();
  }

  #look() {
    const { day, instruments } = this.market;
    if (this.#isDue || !instruments.size || day !== this.#day) this.learn();
  }
}
