/**
 * Machine: one data connection after the other, each going on where the last one ended.
 *
 *     connecting → live ⇄ replaying → stale | reconnecting(retry in) | paused → live, and refused(status)
 *
 * A transport that does not open in 4 s, or fails twice, gives way to the next; the cursor goes along.
 */

import { Backoff } from "./backoff.js";
import { Choice } from "./choice.js";
import { Failure, farewell, isRefusal, Violation } from "./failure.js";
import { Silence } from "./silence.js";
import { TRANSPORTS } from "./transports/index.js";

/** @typedef {import("./follower.js").Item} Item */
/** @typedef {import("./transports/index.js").TransportName} TransportName */
/** @typedef {"connecting" | "live" | "replaying" | "stale" | "reconnecting" | "paused" | "refused" | "closed"} State */

/** Milliseconds in which a transport must have opened, else the next is tried. */
const OPEN_TIMEOUT = 4000;

/** The code of a failure to open in time. */
const LATE = "timeout";

/** Milliseconds after which a connection counts as stable, and waits begin small again. */
const STABLE = 60_000;

/** Milliseconds for which a request that the client has let go of may still reach the server, which takes it for the
 * newer connection. */
const ECHO = 60_000;

/** Milliseconds between two looks at how long nothing has come. */
const LOOK_INTERVAL = 1000;

/** Seconds to stay away at least where someone says when to come back: a proxy may say 0 for ever. */
const SHORTEST_WAIT = 0.1;

/** Milliseconds that a timer can hold; it would take more for none. */
const LONGEST_WAIT = 2 ** 31 - 1;

/**
 * What a machine tells its owner.
 *
 * @typedef {object} Owner
 * @property {(message: any, items: Item[], isReplay: boolean) => void} take each message, the items that it means, and
 *   whether they are older than their connection
 * @property {() => void} changed the status has changed
 */

export class Machine {
  /** @type {State} */
  state = "connecting";
  /** When the state began, in milliseconds since the Unix epoch. */
  since = 0;
  /** When the next connection is tried, in milliseconds since the Unix epoch; null while none is waited for. */
  /** @type {number | null} */
  retryAt = null;
  /** Tries since the last connection that opened. */
  attempt = 0;
  /** Why the last connection ended. @type {Failure | null} */
  failure = null;
  /** @type {import("./transports/index.js").Transport | null} */
  connection = null;

  /** Messages that came on the present connection. */
  messages = 0;

  #isRunning = false;
  #connections = 0;
  /** When the present connection opened; null while there is none. @type {number | null} */
  #opened = null;
  /** When the client last let go of a connection by itself. */
  #leftAt = -Infinity;
  /** @type {any} */
  #timer = null;
  /** @type {any} */
  #looker = null;
  #unwatch = () => {};

  /**
   * @param {import("./request.js").Request} request
   * @param {import("./follower.js").Follower} follower
   * @param {readonly TransportName[]} transports in the order in which they are tried
   * @param {string | null} start a reserved word to begin with where the follower has no position
   * @param {Owner} owner
   */
  constructor(request, follower, transports, start, owner) {
    this.request = request;
    this.follower = follower;
    this.choice = new Choice(transports);
    this.start = start;
    this.owner = owner;
    this.env = request.env;
    this.silence = new Silence(this.env.now());
    this.#backoff = new Backoff(this.env.random);
    this.since = this.env.now();
  }

  /** @type {Backoff} */
  #backoff;

  /** The transport that is used, or will be tried next. @returns {TransportName} */
  get transport() {
    return this.choice.transport;
  }

  /** Begin. */
  run() {
    this.#isRunning = true;
    this.#unwatch = this.env.watchWake(() => this.wake());
    this.#look();
    this.#connect();
  }

  /** Connect now instead of waiting, also after a final refusal. */
  retry() {
    if (!this.#isRunning) return;
    this.#leave();
    this.#drop();
    this.#connect();
  }

  /** Use other transports, from the first of them on. @param {readonly TransportName[]} transports */
  use(transports) {
    this.choice = new Choice(transports);
    this.retry();
  }

  close() {
    this.#isRunning = false;
    this.#drop();
    this.#unwatch();
    this.env.clearTimeout(this.#looker);
    this.#enter("closed");
  }

  #connect() {
    this.attempt += 1;
    this.retryAt = null;
    this.choice.begin();
    this.messages = 0;
    this.follower.begin();
    this.silence.begin(this.env.now());
    const turn = this.#turn;
    if (this.state !== "connecting" && this.state !== "reconnecting") this.#enter("reconnecting");
    if (this.#turn !== turn) return;
    const connection = new TRANSPORTS[this.transport](this.request, {
      receive: (message) => this.connection === connection && this.#receive(message),
      end: (failure) => this.connection === connection && this.#fail(failure),
    });
    this.connection = connection;
    this.#timer = this.env.setTimeout(() => this.#late(), OPEN_TIMEOUT);
    this.owner.changed();
    connection.open(this.follower.position ?? this.start).catch((error) => {
      const failure = error instanceof Failure ? error : new Failure("blocked", String(error));
      if (this.connection === connection) this.#fail(failure);
    });
  }

  #late() {
    this.#leave();
    this.#fail(new Failure(LATE, `${this.transport} did not open in ${OPEN_TIMEOUT / 1000} s`));
  }

  /** @param {any} message */
  #receive(message) {
    const failure = farewell(message);
    if (failure) return this.#fail(failure);
    if (this.#opened === null) this.#open();
    this.silence.end(this.env.now());
    this.messages += 1;
    try {
      if (message.type === "hello") this.silence.heartbeat = this.#heartbeat(message);
      else this.choice.deliver();
      const replayed = this.follower.statistics.replayed;
      const items = this.follower.receive(message);
      this.#enter(this.follower.phase);
      const isReplay = this.follower.statistics.replayed > replayed || this.#isCatchingUp(message);
      this.owner.take(message, items, isReplay);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#fail(error);
    }
  }

  /** Whether an answer to a poll holds what was missed: the first one, and those that follow it at once.
   * @param {any} message */
  #isCatchingUp(message) {
    return message.type === "poll" && (message.more || this.messages === 1);
  }

  /** @param {any} hello @returns {number} seconds between two signs of life at most */
  #heartbeat(hello) {
    return TRANSPORTS[this.transport].heartbeat ?? hello.heartbeat ?? 15;
  }

  #open() {
    this.env.clearTimeout(this.#timer);
    this.#opened = this.env.now();
    this.silence.heartbeat = TRANSPORTS[this.transport].heartbeat ?? 15;
    this.follower.statistics.reconnects += Number(this.#connections > 0);
    this.#connections += 1;
    this.attempt = 0;
    this.failure = null;
  }

  /** Look after a sleep: one macrotask late, so that what is queued counts. */
  wake() {
    this.env.setTimeout(() => {
      if (this.state === "reconnecting" && this.connection === null && this.#wasLeft) this.retry();
      else this.#check();
    }, 0);
  }

  /** Whether the last connection ended without a word of the server, which would say when to come back. */
  get #wasLeft() {
    return this.failure !== null && this.failure.retryAfter === null;
  }

  /** Show what the follower has become other than by a message. */
  show() {
    if (this.#opened !== null) this.#enter(this.follower.phase);
  }

  #look() {
    this.#looker = this.env.setTimeout(() => this.#look(), LOOK_INTERVAL);
    // After a sleep this timer may be due before what has come meanwhile.
    if (this.silence.isDead(this.env.now())) this.wake();
    else this.#check();
  }

  /** Act on how long nothing has come. */
  #check() {
    if (this.#opened === null) return;
    const now = this.env.now();
    if (this.silence.isDead(now)) {
      this.#leave();
      this.#fail(new Failure("silent", "nothing came for two heartbeats"));
    } else if (this.silence.isLong(now) && this.state !== "paused") this.#enter("stale");
  }

  /** @param {Failure} failure */
  async #fail(failure) {
    const lasted = this.#opened === null ? 0 : this.env.now() - this.#opened;
    const wasOpen = this.#opened !== null;
    const isFinal = failure.isFinal && !this.#isEcho(failure) && !(wasOpen && this.#isRenewable(failure));
    this.#drop();
    const turn = this.#turn;
    if (lasted >= STABLE) this.#backoff.reset();
    this.failure = failure;
    this.follower.statistics.violations += Number(failure instanceof Violation);
    if (isFinal) return this.#enter("refused");
    this.#enter(isRefusal(failure) ? "refused" : "reconnecting");
    if (this.#turn !== turn) return;
    const told = failure.retryAfter;
    if (told === null && !wasOpen) failure.reached ??= await this.request.isThere();
    if (this.#turn !== turn) return;
    // A server that is away, or says when to come back, says nothing about the transport.
    if (told === null && failure.reached !== false) this.choice.fail(failure.code === LATE);
    this.#wait(told === null ? this.#backoff.next() : Math.max(told, SHORTEST_WAIT));
  }

  /** Whether it may have been a late request of this client's own that took the session.
   * @param {Failure} failure */
  #isEcho({ code }) {
    return code === "replaced" && this.env.now() - this.#leftAt < ECHO;
  }

  /** Whether another token may do: one that has expired on an open connection.
   * @param {Failure} failure */
  #isRenewable({ code }) {
    return code === "unauthorized" && typeof this.request.token === "function";
  }

  /** What is being done now: a probe that was overtaken must change nothing, nor must one whom a listener closed. */
  #turn = {};

  /** @param {number} seconds */
  #wait(seconds) {
    const wait = Math.min(seconds * 1000, LONGEST_WAIT);
    this.retryAt = this.env.now() + wait;
    this.#timer = this.env.setTimeout(() => this.#connect(), wait);
    this.owner.changed();
  }

  /** Remember that the client lets go of a connection by itself: its request may still be on the way. */
  #leave() {
    if (this.connection) this.#leftAt = this.env.now();
  }

  /** Let go of the connection without a word. */
  #drop() {
    this.#turn = {};
    this.env.clearTimeout(this.#timer);
    this.connection?.close();
    this.connection = null;
    this.#opened = null;
    this.retryAt = null;
  }

  /** @param {State} state */
  #enter(state) {
    if (state === this.state) return;
    this.state = state;
    this.since = this.env.now();
    this.owner.changed();
  }
}
