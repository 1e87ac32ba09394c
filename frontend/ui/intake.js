/** Intake: what comes from the stream, handed to the parts of the page that show it. */

import { gapText, recoveryText } from "../model/wording.js";

/** @typedef {import("../client/follower.js").Item} Item */
/** @typedef {import("../client/follower.js").Tick} Tick */
/** @typedef {import("../client/shared.js").Status} Status */
/** @typedef {import("./parts.js").Parts} Parts */

/** Milliseconds between two comparisons of clocks. */
const CLOCK_PAUSE = 300_000;

export class Intake {
  /** @type {string} */
  #state = "connecting";
  /** Whether a first snapshot has come. */
  hasBegun = false;
  #comparedAt = 0;

  /**
   * @param {Parts} parts
   * @param {import("./connection.js").AnyTicker} ticker
   * @param {import("./connection.js").ConnectionPanel} panel
   * @param {{begun: () => void, unknown: (now: number) => void}} told called after the first snapshot, and when a tick
   *   has come of a symbol that is not known
   */
  constructor(parts, ticker, panel, told) {
    this.parts = parts;
    this.ticker = ticker;
    this.panel = panel;
    this.told = told;
    ticker.on("items", (items, isReplay) => this.#take(items, isReplay));
    ticker.on("status", (status) => this.#follow(status));
    ticker.on("recovery", (recovered) => this.#recover(recovered));
    ticker.on("failure", (failure) => parts.toasts.show(failure.message, { tone: "bad" }));
    if (ticker.status) this.#follow(ticker.status);
  }

  /** @param {Item[]} items @param {boolean} isReplay whether they are older than their connection */
  #take(items, isReplay) {
    const now = Date.now();
    let count = 0;
    for (const item of items) {
      if (item.type === "gap") this.#lose(item, now);
      else if (item.type === "snapshot") this.#begin(item, now);
      else if (item.type !== "bar") {
        count += 1;
        this.#tick(item, now, isReplay);
      }
    }
    if (count) this.#count(count, now);
  }

  /** @param {number} count @param {number} now */
  #count(count, now) {
    const { meter, pill, painter } = this.parts;
    meter.count(count, now);
    pill.lastTick = now;
    if (pill.waiting !== null) pill.waiting += count;
    painter.ask();
  }

  /** @param {Tick} tick @param {number} now @param {boolean} isLate */
  #tick(tick, now, isLate) {
    const { candles, tape, market, meter } = this.parts;
    const before = market.row(tick.symbol).trade?.price;
    this.#price(tick, now, isLate);
    candles.take(tick);
    if (tick.type === "trade") tape.add(tick, before);
    if (!isLate && !market.isRecorded) meter.time(tick.ts, now);
  }

  /** @param {Tick} tick @param {number} now @param {boolean} isLate */
  #price(tick, now, isLate) {
    const { market, watchlist, alerting } = this.parts;
    const row = market.row(tick.symbol);
    const before = row.last;
    watchlist.touch(tick.symbol, market.take(tick, now), now);
    if (row.last !== null && row.last !== before) alerting.look(tick.symbol, row.last, tick.ts, isLate);
    if (!row.instrument) this.told.unknown(now);
  }

  /** @param {import("../client/follower.js").Snapshot} snapshot @param {number} now */
  #begin({ quotes, trades }, now) {
    for (const tick of [...quotes, ...trades]) this.#price(tick, now, true);
    this.parts.painter.ask();
    if (this.hasBegun) return;
    this.hasBegun = true;
    // What `make bench-page` measures, and everyone's developer tools show.
    requestAnimationFrame(() => performance.mark("watchlist"));
    this.told.begun();
  }

  /** @param {import("../client/follower.js").Gap} gap @param {number} now */
  #lose(gap, now) {
    const { candles, market, pill, toasts } = this.parts;
    candles.span("lost", market.time(pill.lastTick || now), market.time(now));
    candles.reload();
    toasts.show(gapText(gap), { tone: "bad", stays: true });
  }

  /** @param {import("../client/recovery.js").Recovered} recovered */
  #recover(recovered) {
    const { candles, market, toasts } = this.parts;
    this.panel.add(recovered);
    if (recovered.replayed) {
      const shift = market.time(recovered.until) - recovered.until;
      candles.span("replayed", recovered.at + shift, recovered.until + shift);
    }
    toasts.say(recoveryText(recovered));
  }

  /** @param {Status} status */
  #follow({ state }) {
    const { watchlist, headline, meter, toasts, painter } = this.parts;
    painter.ask();
    if (state === this.#state) return;
    this.#state = state;
    watchlist.isLive = ["live", "replaying", "paused"].includes(state);
    watchlist.refresh();
    headline.isLive = state === "live";
    if (state === "live") this.#compareClocks();
    if (state === "reconnecting" || state === "refused") meter.forget();
    if (state === "refused" || state === "stale") toasts.say(`The stream is ${state}.`);
  }

  /** Compare clocks with the server, so that latencies are true. */
  async #compareClocks() {
    if (Date.now() - this.#comparedAt < CLOCK_PAUSE) return;
    this.#comparedAt = Date.now();
    try {
      this.parts.meter.offset = (await this.ticker.ping()).offset;
    } catch {
      // Without a WebSocket the clocks are taken to agree.
    }
  }
}
