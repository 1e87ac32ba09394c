import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Failure } from "../../../frontend/client/failure.js";
import { Hub } from "../../../frontend/client/hub.js";
import { openTicker, SharedTicker } from "../../../frontend/client/shared.js";
import { Ticker } from "../../../frontend/client/ticker.js";
import { settle } from "./support/clock.js";
import { FakeLocks, giveLocks } from "./support/locks.js";
import { quote } from "./support/messages.js";
import { channel, FakeTicker } from "./support/tabs.js";
import { HOME, World } from "./support/world.js";

/** @type {any} */
const scope = globalThis;

/** Where modules come from here: only a page of the same origin may share a worker. */
const ORIGIN = "null";
const SAME_ORIGIN = "file:///market";

/** @type {{page: EventTarget, ticker: FakeTicker, workers: any[], locks: FakeLocks, isBroken: boolean}} */
let browser;

beforeEach((context) => {
  /** @type {any} */ (context).mock.timers.enable({ apis: ["setTimeout"] });
  const page = new EventTarget();
  const ticker = new FakeTicker("", {});
  const left = (/** @type {string} */ name) => browser.locks.request(name, () => {});
  const hub = new Hub(() => /** @type {any} */ (ticker), /** @type {any} */ (left), new World().env);
  browser = { page, ticker, workers: [], locks: giveLocks(new FakeLocks()), isBroken: false };
  scope.addEventListener = page.addEventListener.bind(page);
  scope.removeEventListener = page.removeEventListener.bind(page);
  scope.location = { origin: ORIGIN };
  scope.SharedWorker = class {
    onerror = null;

    /** @param {URL} address @param {{type: string, name: string}} options */
    constructor(address, options) {
      const { near, far } = channel();
      this.address = address;
      this.options = options;
      this.port = near;
      if (!browser.isBroken) hub.add(far);
      browser.workers.push(this);
    }
  };
});

afterEach(() => {
  for (const name of ["addEventListener", "removeEventListener", "location", "SharedWorker"]) delete scope[name];
  giveLocks(undefined);
});

/** @param {string[]} [symbols] */
function open(symbols = ["A"]) {
  return SharedTicker.open(HOME, { symbols });
}

/** Let events happen to the page, and what follows from them. @param {string} name @param {object} [facts] */
async function happen(name, facts = {}) {
  browser.page.dispatchEvent(Object.assign(new Event(name), facts));
  await settle();
}

/** What a tab has sent. @param {SharedTicker} ticker @returns {any[]} */
function sent(ticker) {
  return /** @type {any} */ (ticker.port).sent;
}

test("it opens a worker, says what it wants, and knows the status when it is there", async () => {
  const ticker = await open(["A", "B"]);

  const [worker] = browser.workers;
  assert.match(worker.address.href, /frontend\/client\/worker\.js$/);
  assert.equal(worker.options.type, "module");
  const { op, url, options, lock } = sent(ticker)[0];
  assert.deepEqual([op, url, options], ["open", HOME, { symbols: ["A", "B"] }]);
  assert.equal(browser.locks.held.has(lock), true);
  assert.deepEqual(ticker.status, { state: "live", cursor: "1-9", tabs: 1 });
});

test("only tabs that want a stream of the same kind share a worker", async () => {
  const { open: start } = SharedTicker;
  for (const options of [{ symbols: ["A"] }, { symbols: ["B"] }, { symbols: ["A"], types: ["bar"] }]) {
    await start.call(SharedTicker, HOME, options);
  }
  const [first, second, third] = browser.workers.map(({ options }) => options.name);

  assert.equal(first, second);
  assert.notEqual(first, third);
});

test("items, statuses and recoveries are told as a ticker of one's own does", async () => {
  const ticker = await open(["A"]);
  /** @type {any[]} */
  const heard = [];
  for (const name of ["items", "quote", "status", "recovery", "failure"]) {
    ticker.on(name, (...values) => heard.push([name, ...values]));
  }
  browser.ticker.hand([quote(1), quote(2, "B")], true);
  browser.ticker.enter("stale");
  browser.ticker.emit("recovery", { missed: 3 });
  await settle();

  assert.deepEqual(heard, [
    ["items", [quote(1)], true],
    ["quote", quote(1)],
    ["status", { state: "stale", cursor: "1-9", tabs: 1 }],
    ["recovery", { missed: 3 }],
  ]);
  assert.equal(ticker.status?.state, "stale");
});

test("what is asked comes back with what the ticker says", async () => {
  const ticker = await open();
  browser.ticker.answer = async (name) => ({ name });

  assert.deepEqual(await ticker.ping(), { name: "ping" });
  assert.deepEqual(await ticker.cut(5), { name: "cut" });
  await ticker.use("poll");
  await ticker.retry();
  assert.deepEqual(browser.ticker.calls, [["ping"], ["cut", 5], ["use", "poll"], ["retry"]]);
});

test("what is refused is a failure with all that is known of it", async () => {
  const ticker = await open();
  const facts = { retryAfter: 3, status: 429, field: "op", isFinal: false };
  browser.ticker.answer = async () => {
    throw new Failure("rate_limited", "slowly", facts);
  };

  await assert.rejects(ticker.cut(5), { name: "Failure", code: "rate_limited", message: "slowly", ...facts });
});

test("names are added and taken away", async () => {
  const ticker = await open(["A"]);
  await ticker.subscribe(["B", "A"]);
  await ticker.unsubscribe(["A"]);
  await ticker.set({ symbols: ["C"] });

  assert.deepEqual(browser.ticker.unions, [["A", "B"], ["B"], ["C"]]);
});

test("a change that is refused is not asked for when the page comes back", async () => {
  const ticker = await open(["A"]);
  browser.ticker.answer = async () => {
    throw new Failure("bad_symbols", "no such name", { isFinal: true });
  };
  await assert.rejects(ticker.subscribe(["b"]), { code: "bad_symbols" });
  browser.ticker.answer = async () => undefined;
  await ticker.subscribe(["C"]);

  assert.deepEqual(browser.ticker.unions.at(-1), ["A", "C"]);
});

test("a sector is refused: only the server knows who belongs to it", async () => {
  const ticker = await open(["A"]);

  await assert.rejects(ticker.subscribe(["sector:Energy"]), TypeError);
  assert.deepEqual(browser.ticker.calls, []);
});

test("a page that is left leaves, and one that comes back from the cache wants again what it wanted", async () => {
  const first = await open(["A"]);
  await open(["B"]);
  await first.subscribe(["C"]);
  sent(first).length = 0;
  browser.page.dispatchEvent(new Event("pagehide"));
  await settle();
  assert.deepEqual(sent(first), [{ op: "close" }]);
  await happen("pageshow", { persisted: true });

  const { op, options } = sent(first).find((message) => message.op === "open");
  assert.deepEqual([op, options], ["open", { symbols: ["A", "C"] }]);
});

test("a page that is shown for the first time wants nothing twice", async () => {
  const ticker = await open(["A"]);
  await happen("pageshow", { persisted: false });

  assert.equal(sent(ticker).filter(({ op }) => op === "open").length, 1);
});

test("what wakes the page wakes the ticker", async () => {
  await open(["A"]);
  await happen("online");

  assert.deepEqual(browser.ticker.calls, [["wake"]]);
});

test("closed, it leaves and watches nothing more", async () => {
  const ticker = await open(["A"]);
  ticker.close();
  await settle();
  const before = sent(ticker).length;
  await happen("online");
  await happen("pagehide");

  assert.deepEqual(sent(ticker).at(-1), { op: "close" });
  assert.equal(sent(ticker).length, before);
  assert.equal(/** @type {any} */ (ticker.port).isClosed, true);
});

test("a worker that does not answer in three seconds is given up, and left", async (context) => {
  browser.isBroken = true;
  const opening = open(["A"]);
  const failed = assert.rejects(opening, /does not answer/);
  await settle();
  context.mock.timers.tick(3000);
  await failed;

  const [{ port }] = browser.workers;
  assert.deepEqual([port.sent.at(-1), port.isClosed], [{ op: "close" }, true]);
});

test("a worker that can't be loaded is given up at once", async () => {
  browser.isBroken = true;
  const failed = assert.rejects(open(["A"]), /can't be loaded/);
  await settle();
  browser.workers[0].onerror(new Event("error"));
  await failed;

  assert.equal(browser.workers[0].port.isClosed, true);
});

test("without locks a tab is told apart by its own word only", async () => {
  giveLocks(undefined);
  const ticker = await open(["A"]);

  assert.equal(sent(ticker)[0].lock, "");
});

/* Whether to share. */

test("a page shares a worker of its own origin, and wants all if nothing else", async () => {
  const ticker = await openTicker(SAME_ORIGIN, {});

  assert.ok(ticker instanceof SharedTicker);
  assert.deepEqual(sent(ticker)[0].options, { symbols: ["*"] });
});

for (const [name, url, options] of /** @type {[string, string, any][]} */ ([
  ["of another origin", HOME, {}],
  ["with a token, which may be a function", SAME_ORIGIN, { token: "t" }],
  ["with a sector", SAME_ORIGIN, { symbols: ["sector:Energy"] }],
  ["that does not want to", SAME_ORIGIN, { share: false }],
])) {
  test(`a page ${name} shares nothing`, async () => {
    const ticker = await openTicker(url, options);
    ticker.close();

    assert.ok(ticker instanceof Ticker);
    assert.deepEqual(browser.workers, []);
  });
}

test("a page without shared workers has a ticker of its own", async () => {
  delete scope.SharedWorker;
  const ticker = await openTicker(SAME_ORIGIN, {});
  ticker.close();

  assert.ok(ticker instanceof Ticker);
});

test("a page whose worker fails has a ticker of its own", async () => {
  browser.isBroken = true;
  const opening = openTicker(SAME_ORIGIN, {});
  await settle();
  browser.workers[0].onerror(new Event("error"));
  const ticker = await opening;
  ticker.close();

  assert.ok(ticker instanceof Ticker);
});

/* Tabs that share nothing over HTTP/1.1. */

test("beyond the fourth, tabs poll until a stream becomes free", async () => {
  const worlds = Array.from({ length: 5 }, () => new World());
  const tickers = [];
  for (const { env } of worlds) tickers.push(/** @type {Ticker} */ (await openTicker(HOME, { env })));
  await settle();
  assert.deepEqual(tickers.map(({ status }) => status.isCrowded), [false, false, false, false, true]);
  assert.deepEqual(worlds.map(({ sources }) => sources.length), [1, 1, 1, 1, 0]);
  assert.equal(worlds[4].asks("GET /v1/poll").length, 1);
  browser.locks.release("ticker stream 2");
  await settle();

  assert.deepEqual([tickers[4].status.isCrowded, worlds[4].sources.length], [false, 1]);
});

test("over HTTP/2 tabs need no slots", async (context) => {
  const url = "https://ticker.test";
  context.mock.method(performance, "getEntriesByType", () => [{ name: `${url}/`, nextHopProtocol: "h2" }]);
  const { env } = new World();
  await openTicker(url, { env });

  assert.deepEqual([...browser.locks.held.keys()], []);
});
