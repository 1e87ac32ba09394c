/**
 * Hub: one ticker for all tabs of a browser, inside a SharedWorker. Each tab says what it wants; the ticker wants what
 * any of them does, and each is handed its part. No input or output but the ports.
 */

/** @typedef {import("./ticker.js").Ticker} Ticker */
/** @typedef {import("./ticker.js").Options} Options */
/** @typedef {import("./follower.js").Item} Item */
/** @typedef {import("./follower.js").Quote} Quote */
/** @typedef {import("./follower.js").Trade} Trade */
/** @typedef {Pick<MessagePort, "postMessage" | "close"> & {onmessage: ((event: any) => void) | null}} Port */

/** Milliseconds between two reports of the status to all tabs, at least. */
const REPORT_INTERVAL = 200;

/** What tabs may ask of the ticker. */
const METHODS = new Set(["cut", "ping", "use", "retry", "wake"]);

class Tab {
  /** @type {(symbol: string) => boolean} */
  wants = () => false;
  /** @type {string[]} */
  symbols = [];

  /** @param {Port} port */
  constructor(port) {
    this.port = port;
  }

  /** @param {string[]} symbols */
  want(symbols) {
    this.symbols = symbols;
    this.wants = matcher(symbols);
  }
}

export class Hub {
  /** @type {Ticker | null} */
  #ticker = null;
  /** @type {Set<Tab>} */
  #tabs = new Set();
  /** The newest quote and trade of each symbol, for tabs that join. @type {Map<string, Quote>} */
  #quotes = new Map();
  /** @type {Map<string, Trade>} */
  #trades = new Map();
  /** @type {any} */
  #report = null;
  /** The state that the tabs were told last: another one is told at once. @type {string | null} */
  #told = null;

  /**
   * @param {(url: string, options: Options) => Ticker} create
   * @param {(name: string) => Promise<void>} left resolves when the tab that holds a lock is gone
   * @param {Pick<import("./env.js").Env, "setTimeout">} env
   */
  constructor(create, left, env) {
    this.create = create;
    this.left = left;
    this.env = env;
  }

  /** Serve a tab. @param {Port} port */
  add(port) {
    const tab = new Tab(port);
    port.onmessage = ({ data }) => this.#take(tab, data);
  }

  /** @param {Tab} tab @param {any} message */
  #take(tab, message) {
    if (message.op === "open") this.#open(tab, message);
    else if (message.op === "close") this.#remove(tab);
    else this.#answer(tab, message);
  }

  /** @param {Tab} tab @param {{url: string, options: Options, lock: string}} message */
  #open(tab, { url, options, lock }) {
    tab.want(options.symbols ?? []);
    this.#tabs.add(tab);
    if (lock) this.left(lock).then(() => this.#remove(tab)).catch(() => {});
    if (this.#ticker === null) this.#start(url, options);
    else this.#bring(tab, []).catch((error) => tab.port.postMessage({ type: "failure", value: plain(error) }));
    this.#welcome(tab);
    this.#soon();
  }

  /** @param {string} url @param {Options} options */
  #start(url, options) {
    this.#ticker = this.create(url, options);
    this.#ticker.on("items", (items, isReplay) => this.#hand(items, isReplay));
    this.#ticker.on("status", ({ state }) => (state === this.#told ? this.#soon() : this.#tellStatus()));
    for (const name of ["recovery", "failure"]) {
      this.#ticker.on(name, (value) => this.#tell({ type: name, value: plain(value) }));
    }
  }

  /** Hand a tab what is known of its symbols; the server sends the others. @param {Tab} tab */
  #welcome(tab) {
    const cursor = this.#ticker?.status.cursor;
    tab.port.postMessage({ type: "welcome", status: this.#status });
    if (!cursor) return;
    const quotes = [...this.#quotes.values()].filter((quote) => tab.wants(quote.symbol));
    const trades = [...this.#trades.values()].filter((trade) => tab.wants(trade.symbol));
    tab.port.postMessage({ type: "items", items: [{ type: "snapshot", scope: "all", cursor, quotes, trades }] });
  }

  /** @param {Tab} tab @param {{op: string, id: number, arguments: any[]}} message */
  async #answer(tab, { op, id, arguments: given }) {
    try {
      const value = op === "set" ? await this.#set(tab, given[0]) : await this.#call(op, given);
      tab.port.postMessage({ type: "answer", id, value });
    } catch (error) {
      tab.port.postMessage({ type: "answer", id, failure: plain(error) });
    }
  }

  /** @param {Tab} tab @param {{symbols: string[]}} change */
  async #set(tab, { symbols }) {
    const before = tab.symbols;
    const added = symbols.filter((name) => !tab.wants(name));
    tab.want(symbols);
    this.#known(tab, matcher(added));
    this.#forget();
    await this.#bring(tab, before);
  }

  /** Bring what all tabs want to the ticker. A wish that is refused is taken back: the next one of any tab would be
   * refused with it. @param {Tab} tab @param {string[]} before what it wanted until now */
  async #bring(tab, before) {
    const { symbols } = tab;
    try {
      await this.#ticker?.set({ symbols: this.#union() });
    } catch (error) {
      if (tab.symbols === symbols) tab.want(before);
      throw error;
    }
  }

  /** Hand a tab what other tabs have already been told of names that it adds.
   * @param {Tab} tab @param {(symbol: string) => boolean} isNew */
  #known(tab, isNew) {
    const quotes = [...this.#quotes.values()].filter((quote) => isNew(quote.symbol));
    const trades = [...this.#trades.values()].filter((trade) => isNew(trade.symbol));
    const cursor = this.#ticker?.status.cursor;
    if (!cursor || quotes.length + trades.length === 0) return;
    tab.port.postMessage({ type: "items", items: [{ type: "snapshot", scope: "added", cursor, quotes, trades }] });
  }

  /** @param {string} op @param {any[]} given */
  async #call(op, given) {
    if (!METHODS.has(op)) throw new TypeError(`a shared ticker knows no ${op}`);
    /** @type {any} */
    const ticker = this.#ticker;
    return plain(await ticker[op](...given));
  }

  #union() {
    return [...new Set([...this.#tabs].flatMap((tab) => tab.symbols))];
  }

  /** @param {Tab} tab */
  #remove(tab) {
    if (!this.#tabs.delete(tab)) return;
    this.#forget();
    // Without tabs the worker ends, and the stream with it; until then it goes on, for one that is being loaded again.
    if (this.#tabs.size) this.#ticker?.set({ symbols: this.#union() }).catch(() => {});
    this.#soon();
  }

  /** Forget symbols that no tab wants any more: what is known of them grows old. Without tabs it is still kept up. */
  #forget() {
    if (!this.#tabs.size) return;
    for (const known of [this.#quotes, this.#trades]) {
      for (const symbol of known.keys()) if (![...this.#tabs].some((tab) => tab.wants(symbol))) known.delete(symbol);
    }
  }

  /** @param {Item[]} items @param {boolean} isReplay */
  #hand(items, isReplay) {
    for (const item of items) this.#keep(item);
    for (const tab of this.#tabs) {
      const own = items.map((item) => part(item, tab.wants)).filter((item) => item !== null);
      if (own.length) tab.port.postMessage({ type: "items", items: own, isReplay });
    }
    this.#soon();
  }

  /** @param {Item} item */
  #keep(item) {
    if (item.type === "quote") this.#quotes.set(item.symbol, item);
    else if (item.type === "trade") this.#trades.set(item.symbol, item);
    else if (item.type === "snapshot") {
      for (const quote of item.quotes) this.#quotes.set(quote.symbol, quote);
      for (const trade of item.trades) this.#trades.set(trade.symbol, trade);
    }
  }

  /** Report the status to all tabs, but not at each tick. */
  #soon() {
    this.#report ??= this.env.setTimeout(() => {
      this.#report = null;
      this.#tellStatus();
    }, REPORT_INTERVAL);
  }

  #tellStatus() {
    const status = this.#status;
    this.#told = status?.state ?? null;
    this.#tell({ type: "status", status });
  }

  get #status() {
    return this.#ticker && { ...this.#ticker.status, tabs: this.#tabs.size };
  }

  /** @param {object} message */
  #tell(message) {
    for (const tab of this.#tabs) tab.port.postMessage(message);
  }
}

/** @param {Item} item @param {(symbol: string) => boolean} wants @returns {Item | null} what of it a tab wants */
function part(item, wants) {
  if (item.type === "gap") return item;
  if (item.type !== "snapshot") return wants(item.symbol) ? item : null;
  const quotes = item.quotes.filter((quote) => wants(quote.symbol));
  const trades = item.trades.filter((trade) => wants(trade.symbol));
  return { ...item, quotes, trades };
}

/** @param {string[]} symbols names and `*` patterns @returns {(symbol: string) => boolean} */
function matcher(symbols) {
  const names = new Set(symbols);
  const globs = symbols.filter((name) => name.includes("*"));
  if (!globs.length) return (symbol) => names.has(symbol);
  const escaped = globs.map((glob) => glob.replace(/[^A-Za-z0-9_*]/g, "\\$&").replace(/\*+/g, ".*"));
  const pattern = new RegExp(`^(?:${escaped.join("|")})$`);
  return (symbol) => names.has(symbol) || pattern.test(symbol);
}

/** Return what can go through a port. @param {any} value */
function plain(value) {
  if (!(value instanceof Error)) return value;
  const { code, message, retryAfter, isFinal, status, field } = /** @type {any} */ (value);
  return { code, message, retryAfter, isFinal, status, field };
}
