/** Catalogue: asks the server for its instruments, until it has some and when another turns up. */

/** Milliseconds between two questions. */
const PAUSE = 3000;

export class Catalogue {
  #askedAt = 0;

  /**
   * @param {import("../model/market.js").Market} market
   * @param {import("./painter.js").Painter} painter
   * @param {() => void} learned called when the market knows them
   */
  constructor(market, painter, learned) {
    this.market = market;
    this.learned = learned;
    painter.every(PAUSE, () => market.instruments.size || this.learn());
  }

  async learn() {
    this.#askedAt = Date.now();
    try {
      const answer = await fetch("/v1/symbols", { cache: "no-store" });
      const { instruments } = await answer.json();
      this.market.define(instruments);
    } catch {
      // The pill says that the server is away; the question comes again.
      return;
    }
    this.learned();
  }

  /** A tick has come of a symbol that is not known. @param {number} now */
  wonder(now) {
    if (now - this.#askedAt > PAUSE) this.learn();
  }
}
