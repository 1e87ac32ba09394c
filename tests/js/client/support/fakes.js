/** Fakes of what a browser gives to talk with a server: the test is the server. */

/** An EventSource of which the test decides what comes. */
export class FakeEventSource {
  readyState = 0;
  /** @type {(() => void) | null} */
  onerror = null;
  /** @type {Map<string, (event: {data: string}) => void>} */
  #listeners = new Map();

  /** @param {string} url */
  constructor(url) {
    this.url = new URL(url);
  }

  /** What it asks for. */
  get query() {
    return Object.fromEntries(this.url.searchParams);
  }

  get isClosed() {
    return this.readyState === 2;
  }

  /** @param {string} name @param {(event: {data: string}) => void} listener */
  addEventListener(name, listener) {
    this.#listeners.set(name, listener);
  }

  close() {
    this.readyState = 2;
  }

  /** Let messages come, also late ones. @param {any[]} messages */
  send(...messages) {
    for (const { type, ...data } of messages) this.sendText(type, JSON.stringify(data));
  }

  /** @param {string} name @param {string} data */
  sendText(name, data) {
    if (!this.isClosed) this.readyState = 1;
    this.#listeners.get(name)?.({ data });
  }

  /** Lose the connection, as by the network. */
  cut() {
    this.readyState = 0;
    this.onerror?.();
  }

  /** Give up for ever, as browsers do at an error status. */
  giveUp() {
    this.readyState = 2;
    this.onerror?.();
  }
}

/** A WebSocket of which the test decides what comes. */
export class FakeWebSocket {
  readyState = 0;
  /** Messages that were sent on it. @type {any[]} */
  sent = [];
  /** @type {(() => void) | null} */
  onopen = null;
  /** @type {((event: {data: string}) => void) | null} */
  onmessage = null;
  /** @type {((event: {code: number, reason: string}) => void) | null} */
  onclose = null;
  /** What answers each message by itself; `{}` is no answer. @type {(message: any) => any} */
  answer = () => null;

  /** @param {string} url @param {string[]} protocols */
  constructor(url, protocols) {
    this.url = new URL(url);
    this.protocols = protocols;
  }

  get query() {
    return Object.fromEntries(this.url.searchParams);
  }

  get isClosed() {
    return this.readyState === 3;
  }

  /** The newest message. */
  get last() {
    return this.sent.at(-1);
  }

  /** @param {string} text */
  send(text) {
    if (this.readyState === 0) throw new DOMException("still connecting", "InvalidStateError");
    if (this.isClosed) return;
    const message = JSON.parse(text);
    this.sent.push(message);
    queueMicrotask(() => {
      const answer = this.answer(message);
      if (answer?.type && !this.isClosed) this.tell(answer);
    });
  }

  close() {
    if (this.isClosed) return;
    this.readyState = 3;
    queueMicrotask(() => this.onclose?.({ code: 1005, reason: "" }));
  }

  open() {
    this.readyState = 1;
    this.onopen?.();
  }

  /** Let messages come, also late ones. @param {any[]} messages */
  tell(...messages) {
    for (const message of messages) this.onmessage?.({ data: JSON.stringify(message) });
  }

  /** Acknowledge the newest message. @param {object} [fields] */
  ack(fields = {}) {
    this.tell({ type: "ack", id: this.last.id, op: this.last.op, ...fields });
  }

  /** @param {number} [code] @param {string} [reason] */
  drop(code = 1006, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
}

/** A request that waits for its answer. */
export class Asked {
  /** @type {(answer: Response) => void} */
  resolve = () => {};
  /** @type {(reason: unknown) => void} */
  reject = () => {};

  /** @param {string} url @param {RequestInit} init */
  constructor(url, { method = "GET", headers = {}, body, signal, ...rest } = {}) {
    this.method = method;
    this.url = new URL(url);
    this.headers = new Headers(headers);
    this.body = body === undefined ? undefined : JSON.parse(String(body));
    this.rest = rest;
    /** @type {Promise<Response>} */
    this.answer = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    if (signal?.aborted) this.reject(signal.reason);
    const abort = () => this.reject(signal?.reason);
    signal?.addEventListener("abort", abort);
    const end = () => signal?.removeEventListener("abort", abort);
    this.answer.then(end, end);
    this.signal = signal;
  }

  get path() {
    return this.url.pathname;
  }

  get route() {
    return `${this.method} ${this.path}`;
  }

  get query() {
    return Object.fromEntries(this.url.searchParams);
  }

  get isAborted() {
    return this.signal?.aborted ?? false;
  }

  /** @param {unknown} value @param {number} [status] @param {Record<string, string>} [headers] */
  json(value, status = 200, headers = {}) {
    this.reply(JSON.stringify(value), status, { "Content-Type": "application/json", ...headers });
  }

  /** Refuse with an error of the wire contract. @param {number} status @param {string} code @param {object} [more] */
  error(status, code, more = {}) {
    this.json({ error: { code, message: `it is ${code}`, ...more } }, status);
  }

  /** Answer as a proxy would. @param {number} status @param {Record<string, string>} [headers] */
  page(status, headers = {}) {
    this.reply("<h1>Bad gateway</h1>", status, { "Content-Type": "text/html", ...headers });
  }

  /** @param {BodyInit | null} body @param {number} [status] @param {Record<string, string>} [headers] */
  reply(body, status = 200, headers = {}) {
    this.resolve(new Response(this.method === "HEAD" ? null : body, { status, headers }));
  }

  /** Let nobody answer, as without a network. */
  fail() {
    this.reject(new TypeError("fetch failed"));
  }
}
