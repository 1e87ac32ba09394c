/**
 * Ticker: a market as it happens, complete across every cut.
 *
 *     import { Ticker } from "/client/ticker.js";
 *     const ticker = new Ticker("http://localhost:8000", { symbols: ["EUR/USD", "BTC*"] });
 *     ticker.on("quote", (quote) => console.log(quote.symbol, quote.bid, quote.ask));
 *     ticker.on("gap", (gap) => console.warn("lost", gap.lost, gap.reason));
 */

import { Control } from "./control.js";
import { isCursor, RESERVED } from "./cursor.js";
import { Emitter } from "./emitter.js";
import { browser, randomId } from "./env.js";
import { Failure } from "./failure.js";
import { Follower } from "./follower.js";
import { Machine } from "./machine.js";
import { Recovery } from "./recovery.js";
import { Request } from "./request.js";
import { ORDER, TRANSPORTS } from "./transports/index.js";
import { Wish } from "./wish.js";

/** @typedef {import("./follower.js").Item} Item */
/** @typedef {import("./request.js").Subscription} Subscription */
/** @typedef {import("./transports/index.js").TransportName} TransportName */

/**
 * What a ticker is doing.
 *
 * @typedef {object} Status
 * @property {import("./machine.js").State} state
 * @property {number} since when the state began, in milliseconds since the Unix epoch
 * @property {TransportName} transport in use, or to be tried next
 * @property {number} attempt tries since the last connection
 * @property {number | null} retryAt when the next is made
 * @property {{code: string, message: string, status: number | null} | null} failure why the last connection ended
 * @property {{of: number, done: number}} replay ticks that the server promised to replay, and those that have come
 * @property {number} last when something came last
 * @property {string | null} cursor the place to resume from
 * @property {string} session
 * @property {string | null} node the server's name for itself
 * @property {"websocket" | "patch" | "stream" | null} control how ops travel
 * @property {Subscription} subscription what is wanted
 * @property {import("./follower.js").Statistics} statistics counts since the beginning
 * @property {TransportName | null} pinned the only transport that is used, null where all may be
 * @property {boolean} isCrowded whether it polls because other tabs hold the connections that a browser may open
 */

/**
 * @typedef {object} Options
 * @property {string[]} [symbols] names, patterns such as `BTC*`, `sector:Energy`; all by default
 * @property {string[]} [types] of `quote`, `trade` and `bar`; the first two by default
 * @property {string} [interval] of bars, `1m` by default
 * @property {number} [conflate] milliseconds of a window of which only the newest quote per symbol is sent
 * @property {string} [cursor] where to resume, `earliest` or `latest`; by default now, after a snapshot
 * @property {import("./request.js").Token} [token]
 * @property {readonly TransportName[]} [transports] in the order in which they are tried
 * @property {string} [session] 16 to 64 of `[A-Za-z0-9_-]`; a random one by default
 * @property {import("./env.js").Env} [env]
 */

export { Failure };

/** How often a cut is tried while polling: between two polls a session has nothing to cut. */
const CUT_TRIES = 40;

export class Ticker extends Emitter {
  /** @type {string | null} */
  #node = null;
  /** @type {Wish} */
  #wish;
  #isClosed = false;
  #isCrowded = false;
  /** @type {TransportName | null} */
  #pinned = null;
  #recovery = new Recovery();

  /**
   * @param {string} url where the server is
   * @param {Options} [options]
   * @throws {TypeError} if an option is wrong
   */
  constructor(url, options = {}) {
    super();
    const { symbols = ["*"], types = ["quote", "trade"], interval = "1m", cursor, transports = ORDER } = options;
    check(transports, cursor);
    this.env = options.env ?? browser;
    const wanted = { symbols: [...new Set(symbols)], types: [...types], interval };
    const request = new Request(url, options.session ?? randomId(this.env), wanted, options, this.env);
    this.request = request;
    this.follower = new Follower(isCursor(cursor) ? cursor : null);
    this.control = new Control(request, () => this.#resend());
    this.#wish = new Wish(request, wanted, (change) => this.do("set", change), () => this.#isStreaming);
    this.transports = transports;
    const start = isCursor(cursor) ? null : (cursor ?? null);
    this.machine = new Machine(request, this.follower, transports, start, {
      take: (message, items, isReplay) => this.#take(message, items, isReplay),
      changed: () => this.#changed(),
    });
    queueMicrotask(() => this.#isClosed || this.machine.run());
  }

  /** @returns {Status} */
  get status() {
    const { state, since, transport, attempt, retryAt, failure, silence, connection } = this.machine;
    return {
      ...{ state, since, transport, attempt, retryAt, last: silence.last },
      failure: failure && { code: failure.code, message: failure.message, status: failure.status },
      replay: { ...this.follower.replay },
      cursor: this.follower.position,
      session: this.request.session,
      node: this.#node,
      control: connection?.ops ? "stream" : this.control.way,
      subscription: this.#wish.wanted,
      statistics: { ...this.follower.statistics },
      pinned: this.#pinned,
      isCrowded: this.#isCrowded,
    };
  }

  /**
   * Change what is subscribed. Names that are added begin with a snapshot.
   *
   * @param {Partial<Subscription>} change
   * @returns {Promise<void>} resolves when the server has it; while there is no connection, at once
   * @throws {Failure} if the server refuses it for good; nothing is changed
   */
  async set(change) {
    this.#wish.change(change);
    const hasBegun = this.follower.position !== null || this.machine.connection !== null;
    if (!hasBegun) this.request.effective = this.#wish.wanted;
    if (this.#isStreaming) await this.#wish.sync();
  }

  /** @param {string[]} symbols */
  subscribe(symbols) {
    return this.set({ symbols: [...this.#wish.wanted.symbols, ...symbols] });
  }

  /** @param {string[]} symbols names and patterns, literally */
  unsubscribe(symbols) {
    return this.set({ symbols: this.#wish.wanted.symbols.filter((each) => !symbols.includes(each)) });
  }

  /** Let the server hold ticks back until `play`. */
  async pause() {
    const { cursor } = await this.do("pause");
    this.follower.pause(cursor);
    this.machine.show();
  }

  async play() {
    await this.do("play");
    this.follower.play();
    this.machine.show();
  }

  /**
   * Let the server cut this stream without a word, as a network would, and refuse it for a time: to see a recovery.
   *
   * @param {number} seconds 0 to 60
   */
  async cut(seconds) {
    const { connection } = this.machine;
    connection?.hurry?.();
    for (let tries = connection?.hurry ? CUT_TRIES : 1; ; tries -= 1) {
      try {
        return await this.do("cut", { seconds });
      } catch (error) {
        if (!(error instanceof Failure) || error.code !== "not_found" || tries <= 1) throw error;
      }
    }
  }

  /**
   * Compare clocks with the server.
   *
   * @returns {Promise<{offset: number, roundTrip: number}>} what to add to this clock to have the server's, and how long
   *   the question took, in milliseconds
   */
  async ping() {
    const asked = this.env.now();
    const { ts } = await this.do("ping");
    const roundTrip = this.env.now() - asked;
    return { offset: ts / 1000 - (asked + roundTrip / 2), roundTrip };
  }

  /**
   * Do an op (PROTOCOL.md section 5) to this session.
   *
   * @param {string} op
   * @param {object} [fields]
   * @returns {Promise<any>} its ack
   * @throws {Failure} if it failed
   */
  do(op, fields = {}) {
    const ops = this.machine.connection?.ops;
    return ops ? ops.do(op, fields) : this.control.do(op, fields);
  }

  /** Use one transport only, from the same cursor on; with null all of them again, in their order.
   * @param {TransportName | null} transport @throws {TypeError} if there is no such transport */
  use(transport) {
    if (transport !== null) check([transport], undefined);
    this.#pinned = transport;
    this.#breaks("switch");
    this.machine.use(this.#choice);
  }

  /** Poll, because other tabs hold the connections that a browser may open, or don't any more. A transport that was
   * chosen stays. @param {boolean} isCrowded */
  crowd(isCrowded) {
    this.#isCrowded = isCrowded;
    if (this.#pinned !== null) return;
    this.#breaks("switch");
    this.machine.use(this.#choice);
  }

  /** The transports that may be used now. @returns {readonly TransportName[]} */
  get #choice() {
    if (this.#pinned !== null) return [this.#pinned];
    return this.#isCrowded ? ["poll"] : this.transports;
  }

  /** Look at once whether the stream still lives: the machine or the page may have slept. */
  wake() {
    this.machine.wake();
  }

  /** Connect now: instead of waiting, or after a refusal. */
  retry() {
    this.machine.retry();
  }

  close() {
    this.#isClosed = true;
    this.control.close();
    this.machine.close();
    this.#wish.close();
  }

  get #isStreaming() {
    return ["live", "replaying", "stale", "paused"].includes(this.machine.state);
  }

  #changed() {
    const { state } = this.machine;
    if (state === "reconnecting" || state === "refused") this.#breaks("cut");
    this.emit("status", this.status);
  }

  /** @param {"cut" | "switch"} cause */
  #breaks(cause) {
    if (this.follower.position !== null) this.#recovery.begin(this.env.now(), cause, this.follower.statistics);
  }

  /** @param {any} message @param {Item[]} items @param {boolean} isReplay */
  #take(message, items, isReplay) {
    if (message.type === "hello") this.#node = message.node ?? null;
    if (message.type === "hello" || message.type === "subscription") this.#wish.learn(message);
    if (items.length) this.#hand(items, isReplay);
    if (message.type === "subscription") this.emit("subscription", message);
    const recovered = this.#recovery.take(message, this.env.now(), this.follower, this.machine.transport);
    if (recovered) this.emit("recovery", recovered);
    if (this.#isFresh(message)) this.#resend();
  }

  /** Whether a message shows that a session is there for changes. @param {any} message */
  #isFresh(message) {
    return message.type === "hello" || (message.type === "poll" && this.machine.messages === 1);
  }

  /** @param {Item[]} items @param {boolean} isReplay */
  #hand(items, isReplay) {
    this.emit("items", items, isReplay);
    for (const item of items) this.emit(item.type, item);
  }

  #resend() {
    if (this.#isStreaming) this.#wish.sync().catch((failure) => this.emit("failure", failure));
  }
}

/** @param {readonly string[]} transports @param {string | undefined} cursor */
function check(transports, cursor) {
  const unknown = transports.find((name) => !Object.hasOwn(TRANSPORTS, name));
  if (unknown !== undefined || !transports.length) throw new TypeError(`transports are some of ${Object.keys(TRANSPORTS)}`);
  if (cursor !== undefined && !isCursor(cursor) && !RESERVED.includes(cursor)) throw new TypeError(`${cursor} is no cursor`);
}
