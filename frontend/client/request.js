/** Request: what a client asks of a server, as whom, and how it says so in URLs. */

import { answerFailure, Failure } from "./failure.js";

/** @typedef {string | (() => string | Promise<string>)} Token a bearer token, or what returns the newest one */
/** @typedef {import("./env.js").Env} Env */

/** A query over 8 KiB is refused (PROTOCOL.md section 4); the rest of it takes less than the difference. */
const NAMES_LIMIT = 7000;

/** Milliseconds that an answer may take. */
const ANSWER_TIMEOUT = 10_000;

/** Milliseconds in which a server that is there answers. */
const PROBE_TIMEOUT = 2000;

/**
 * What is wanted of the market. All names have the same types, and bars one interval.
 *
 * @typedef {object} Subscription
 * @property {string[]} symbols names and patterns such as `BTC*` or `sector:Energy`
 * @property {string[]} types of `quote`, `trade` and `bar`
 * @property {string} interval of bars
 */

export class Request {
  /**
   * @param {string} url where the server is, `http` or `https`
   * @param {string} session
   * @param {Subscription} subscription
   * @param {{token?: Token, conflate?: number}} options
   * @param {Env} env
   */
  constructor(url, session, subscription, { token, conflate = 0 }, env) {
    this.url = url.replace(/\/+$/, "");
    this.session = session;
    /** What the server holds as the session's subscription, as far as is known: each connection asks for the same, so
     * that a session that was forgotten is made anew as it was, and what was missed is replayed for all its names. */
    this.effective = subscription;
    this.conflate = conflate;
    this.token = token;
    this.env = env;
  }

  /** Return a data connection's parameters. @param {string | null} cursor @returns {Record<string, string>} */
  query(cursor) {
    const { symbols, types, interval } = this.effective;
    const names = symbols.join(",");
    // A list too long for a URL goes by `set`. Until the server has it everything comes, which is more than enough.
    const query = { symbols: encodeURIComponent(names).length > NAMES_LIMIT ? "*" : names, types: types.join(",") };
    const optional = { interval, conflate: this.conflate ? String(this.conflate) : "", cursor: cursor ?? "" };
    const given = Object.entries(optional).filter(([, value]) => value);
    return { ...query, ...Object.fromEntries(given), session: this.session, batch: "1" };
  }

  /** @param {string} path @param {Record<string, string>} query */
  address(path, query = {}) {
    const text = new URLSearchParams(query).toString();
    return `${this.url}${path}${text && `?${text}`}`;
  }

  /** Return the address of a socket. @param {Record<string, string>} query */
  socketAddress(query) {
    return this.address("/v1/ws", query).replace(/^http/, "ws");
  }

  /** Return the credential's header. @returns {Promise<Record<string, string>>} */
  async headers() {
    const token = typeof this.token === "function" ? await this.token() : this.token;
    return token ? { Authorization: `Bearer ${token}` } : {};
  }

  /**
   * Return a ticket as a parameter, because EventSource and WebSocket can't send a header (PROTOCOL.md section 9).
   * Nothing where there is no token, or where the server knows no tickets because it wants no credentials.
   *
   * @param {boolean} forStream whether it opens this session's stream only
   * @returns {Promise<Record<string, string>>}
   */
  async ticket(forStream) {
    const headers = await this.headers();
    if (!headers.Authorization) return {};
    const body = JSON.stringify(forStream ? { session: this.session } : {});
    const answer = await this.send("POST", "/v1/ticket", { body, headers });
    if (answer.status === 404) return {};
    if (!answer.ok) throw await answerFailure(answer);
    return { ticket: (await answer.json()).ticket };
  }

  /**
   * Ask for JSON.
   *
   * @param {string} method
   * @param {string} path
   * @param {{body?: string, query?: Record<string, string>}} [more]
   * @returns {Promise<any>}
   * @throws {Failure} if the answer is an error, or there is none
   */
  async json(method, path, { body, query } = {}) {
    const answer = await this.send(method, path, { body, query, headers: await this.headers() });
    if (!answer.ok) throw await answerFailure(answer);
    return answer.json().catch((error) => {
      throw new Failure("blocked", `the answer to ${path} is not the server's: ${error}`);
    });
  }

  /** Find out whether the server is there at all. @returns {Promise<boolean>} */
  async isThere() {
    const late = new AbortController();
    const timer = this.env.setTimeout(() => late.abort(), PROBE_TIMEOUT);
    const how = /** @type {RequestInit} */ ({ mode: "no-cors", cache: "no-store", signal: late.signal });
    try {
      // Its answer may not be read from another origin, but that there is one can be seen.
      await this.env.fetch(this.address("/healthz"), how);
      return true;
    } catch {
      return false;
    } finally {
      this.env.clearTimeout(timer);
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{body?: string, query?: Record<string, string>, headers?: Record<string, string>, signal?: AbortSignal}} more
   */
  async send(method, path, { body, query, headers = {}, signal = AbortSignal.timeout(ANSWER_TIMEOUT) }) {
    const all = body === undefined ? headers : { ...headers, "Content-Type": "application/json" };
    try {
      return await this.env.fetch(this.address(path, query), { method, body, signal, headers: all, cache: "no-store" });
    } catch (error) {
      throw new Failure("cut", `no answer to ${path}: ${error instanceof Error ? error.message : error}`);
    }
  }
}
