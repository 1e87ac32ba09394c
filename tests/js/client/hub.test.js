import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../../frontend/client/failure.js";
import { Hub } from "../../../frontend/client/hub.js";
import { gap, quote, snapshot, trade } from "./support/messages.js";
import { FakePort, FakeTicker } from "./support/tabs.js";
import { World } from "./support/world.js";

function begin() {
  const world = new World();
  /** @type {FakeTicker[]} */
  const tickers = [];
  /** @type {Map<string, () => void>} */
  const locks = new Map();
  const create = (/** @type {string} */ url, /** @type {any} */ options) => {
    tickers.push(new FakeTicker(url, options));
    return /** @type {any} */ (tickers[0]);
  };
  const left = (/** @type {string} */ name) => new Promise((resolve) => locks.set(name, () => resolve(undefined)));
  const hub = new Hub(create, /** @type {any} */ (left), world.env);

  /** A tab that wants symbols. @param {string[]} symbols @param {string} [lock] */
  function open(symbols, lock = "") {
    const port = new FakePort();
    hub.add(port);
    port.send({ op: "open", url: "http://ticker.test", options: { symbols, types: ["quote"] }, lock });
    return port;
  }
  return { world, tickers, locks, hub, open };
}

/** The items that a tab has been handed since it was last asked. @param {FakePort} port */
function items(port) {
  return port.take("items").flatMap((message) => message.items);
}

test("the first tab's wish makes the one ticker", () => {
  const { tickers, open } = begin();
  open(["A"]);
  open(["B"]);

  assert.equal(tickers.length, 1);
  assert.equal(tickers[0].url, "http://ticker.test");
  assert.deepEqual(tickers[0].options, { symbols: ["A"], types: ["quote"] });
});

test("a tab is welcomed with the status, the number of tabs in it", () => {
  const { open } = begin();
  const [first, second] = [open(["A"]), open(["B"])];

  assert.deepEqual(first.take("welcome"), [{ type: "welcome", status: { state: "live", cursor: "1-9", tabs: 1 } }]);
  assert.deepEqual(second.take("welcome"), [{ type: "welcome", status: { state: "live", cursor: "1-9", tabs: 2 } }]);
});

test("the ticker wants what any tab wants", async () => {
  const { world, tickers, open } = begin();
  open(["A", "B"]);
  const second = open(["B", "C*"]);
  second.send({ op: "set", id: 1, arguments: [{ symbols: ["D"] }] });
  await world.settle();

  assert.deepEqual(tickers[0].unions, [["A", "B", "C*"], ["A", "B", "D"]]);
  assert.deepEqual(second.take("answer"), [{ type: "answer", id: 1, value: undefined }]);
});

test("each tab gets its part of the items only, and whether they are old", () => {
  const { tickers, open } = begin();
  const [first, second, third] = [open(["A", "B"]), open(["B*"]), open(["C"])];
  for (const port of [first, second, third]) port.got = [];
  const bar = { type: "bar", symbol: "B", interval: "1m", ts: 0 };
  tickers[0].hand([quote(1, "A"), trade(2, "B"), quote(3, "BB"), bar], true);

  const type = "items";
  assert.deepEqual(first.got, [{ type, items: [quote(1, "A"), trade(2, "B"), bar], isReplay: true }]);
  assert.deepEqual(second.got, [{ type, items: [trade(2, "B"), quote(3, "BB"), bar], isReplay: true }]);
  assert.deepEqual(third.got, []);
});

test("a gap is for all tabs, and of its snapshot each gets its part", () => {
  const { tickers, open } = begin();
  const [first, second] = [open(["A"]), open(["B"])];
  items(first);
  items(second);
  const all = { quotes: [quote(8, "A"), quote(9, "B")], trades: [trade(7, "B")] };
  tickers[0].hand([gap(3, 9), snapshot(9, all)]);

  assert.deepEqual(items(first), [gap(3, 9), snapshot(9, { quotes: [quote(8, "A")] })]);
  assert.deepEqual(items(second), [gap(3, 9), snapshot(9, { quotes: [quote(9, "B")], trades: [trade(7, "B")] })]);
});

test("patterns are matched as the server does, and nothing in them but the star is special", () => {
  const { tickers, open } = begin();
  const ports = ["*", "B*", "*/USD", "A*C", "BRK.*", "A-*_*", "(*", "a[*"].map((pattern) => open([pattern]));
  for (const port of ports) port.got = [];
  const symbols = ["BTC", "EUR/USD", "AC", "ABCC", "ACB", "BRK.B", "BRKXB", "A-B_C", "B"];
  tickers[0].hand(symbols.map((symbol, place) => quote(place + 1, symbol)));

  assert.deepEqual(ports.map((port) => items(port).map(({ symbol }) => symbol)), [
    symbols,
    ["BTC", "BRK.B", "BRKXB", "B"],
    ["EUR/USD"],
    ["AC", "ABCC", "A-B_C"],
    ["BRK.B"],
    ["A-B_C"],
    [],
    [],
  ]);
});

test("a tab that joins gets what is known of its symbols", () => {
  const { tickers, open } = begin();
  open(["A", "B", "C"]);
  tickers[0].hand([snapshot(3, { quotes: [quote(1, "A"), quote(2, "B")], trades: [trade(3, "C")] })]);
  tickers[0].hand([quote(4, "A"), trade(5, "A"), { type: "bar", symbol: "A", interval: "1m", ts: 0 }]);
  const second = open(["A", "B", "D"]);

  const known = { quotes: [quote(4, "A"), quote(2, "B")], trades: [trade(5, "A")] };
  assert.deepEqual(items(second), [snapshot(9, known)]);
});

test("a tab that joins before anything is known waits for the server's snapshot", () => {
  const { tickers, open } = begin();
  open(["A"]);
  tickers[0].status = { state: "connecting", cursor: null };

  assert.deepEqual(items(open(["A"])), []);
});

test("names that a tab adds begin with what other tabs were told of them", async () => {
  const { world, tickers, open } = begin();
  open(["A", "B"]);
  const second = open(["C"]);
  tickers[0].hand([quote(1, "A"), quote(2, "B"), quote(3, "C")]);
  items(second);
  second.send({ op: "set", id: 1, arguments: [{ symbols: ["C", "B"] }] });
  await world.settle();
  assert.deepEqual(items(second), [snapshot(9, { scope: "added", quotes: [quote(2, "B")] })]);
  second.send({ op: "set", id: 2, arguments: [{ symbols: ["C", "B", "E"] }] });
  await world.settle();

  assert.deepEqual(items(second), []);
});

test("what no tab wants any more is forgotten, since it grows old", async () => {
  const { world, tickers, open } = begin();
  const first = open(["A", "B"]);
  tickers[0].hand([quote(1, "A"), quote(2, "B")]);
  first.send({ op: "set", id: 1, arguments: [{ symbols: ["A"] }] });
  await world.settle();

  assert.deepEqual(items(open(["A", "B"])), [snapshot(9, { quotes: [quote(1, "A")] })]);
});

test("what only a tab that left has wanted is forgotten too", () => {
  const { tickers, open } = begin();
  open(["A"]);
  const second = open(["B"]);
  tickers[0].hand([quote(1, "A"), trade(2, "B")]);
  second.send({ op: "close" });

  assert.deepEqual(items(open(["A", "B"])), [snapshot(9, { quotes: [quote(1, "A")] })]);
});

test("calls are answered by their id, with what the ticker says", async () => {
  const { world, tickers, open } = begin();
  const [first, second] = [open(["A"]), open(["B"])];
  tickers[0].answer = async (name) => (name === "ping" ? { offset: 3, roundTrip: 80 } : undefined);
  first.send({ op: "ping", id: 7, arguments: [] });
  second.send({ op: "cut", id: 7, arguments: [5] });
  second.send({ op: "use", id: 8, arguments: ["poll"] });
  first.send({ op: "retry", id: 8, arguments: [] });
  first.send({ op: "wake", id: 0, arguments: [] });
  await world.settle();

  const type = "answer";
  assert.deepEqual(tickers[0].calls.slice(1), [["ping"], ["cut", 5], ["use", "poll"], ["retry"], ["wake"]]);
  assert.deepEqual(first.take(type), [
    { type, id: 7, value: { offset: 3, roundTrip: 80 } },
    { type, id: 8, value: undefined },
    { type, id: 0, value: undefined },
  ]);
  assert.deepEqual(second.take(type), [{ type, id: 7, value: undefined }, { type, id: 8, value: undefined }]);
});

test("failures are plain objects, since a port can carry nothing else of them", async () => {
  const { world, tickers, open } = begin();
  const port = open(["A"]);
  tickers[0].answer = async () => {
    throw new Failure("rate_limited", "slowly", { retryAfter: 3, status: 429, field: "op" });
  };
  port.send({ op: "cut", id: 1, arguments: [5] });
  await world.settle();

  const facts = { code: "rate_limited", message: "slowly", retryAfter: 3, isFinal: false, status: 429, field: "op" };
  assert.deepEqual(port.take("answer"), [{ type: "answer", id: 1, failure: facts }]);
  tickers[0].emit("failure", new Failure("bad_symbols", "no such name", { isFinal: true }));
  assert.deepEqual(port.take("failure").map(({ value }) => [value.code, value.isFinal]), [["bad_symbols", true]]);
});

test("a tab may not ask for what concerns others, or is none of its business", async () => {
  const { world, tickers, open } = begin();
  const port = open(["A"]);
  for (const op of ["on", "emit", "crowd", "constructor"]) {
    port.send({ op, id: 1, arguments: [] });
    await world.settle();
    assert.match(port.take("answer")[0].failure.message, new RegExp(op));
  }

  assert.deepEqual(tickers[0].calls, []);
});

test("recoveries are told to all tabs", () => {
  const { tickers, open } = begin();
  const ports = [open(["A"]), open(["B"])];
  tickers[0].emit("recovery", { missed: 3, isComplete: true });

  for (const port of ports) {
    assert.deepEqual(port.take("recovery"), [{ type: "recovery", value: { missed: 3, isComplete: true } }]);
  }
});

/* Tabs that leave. */

test("a tab that closes takes its symbols along, and is told nothing more", async () => {
  const { world, tickers, open } = begin();
  open(["A", "B"]);
  const second = open(["B", "C"]);
  second.send({ op: "close" });
  second.got = [];
  tickers[0].hand([quote(1, "B"), quote(2, "C")]);
  tickers[0].enter("stale");
  await world.advance(1000);

  assert.deepEqual(tickers[0].unions.at(-1), ["A", "B"]);
  assert.deepEqual(second.got, []);
});

test("a tab whose lock is free is gone", async () => {
  const { world, tickers, locks, open } = begin();
  open(["A"], "tab 1");
  const second = open(["C"], "tab 2");
  await world.advance(200);
  second.got = [];
  locks.get("tab 2")?.();
  await world.advance(200);

  assert.deepEqual(tickers[0].unions.at(-1), ["A"]);
  assert.deepEqual(second.got, []);
});

test("a tab that closes and whose lock is then free leaves once", async () => {
  const { world, tickers, locks, open } = begin();
  open(["A"], "tab 1");
  const second = open(["C"], "tab 2");
  second.send({ op: "close" });
  const before = tickers[0].calls.length;
  locks.get("tab 2")?.();
  await world.settle();

  assert.equal(tickers[0].calls.length, before);
});

test("a lock that can't be watched ends nothing", async () => {
  const world = new World();
  const ticker = new FakeTicker("", {});
  const hub = new Hub(() => /** @type {any} */ (ticker), () => Promise.reject(new Error("no locks")), world.env);
  const port = new FakePort();
  hub.add(port);
  port.send({ op: "open", url: "", options: { symbols: ["A"] }, lock: "tab" });
  await world.settle();
  ticker.hand([quote(1, "A")]);

  assert.deepEqual(items(port).at(-1), quote(1, "A"));
});

test("after the last tab the stream goes on, and a page that is being loaded again gets what is known", async () => {
  const { world, tickers, open } = begin();
  const first = open(["A", "B"]);
  tickers[0].hand([quote(1, "A"), quote(2, "B")]);
  first.send({ op: "close" });
  tickers[0].hand([quote(3, "A")]);
  await world.advance(1000);
  assert.deepEqual(tickers[0].calls, []);
  const second = open(["A", "B"]);

  assert.equal(tickers.length, 1);
  assert.deepEqual(tickers[0].unions, [["A", "B"]]);
  assert.deepEqual(items(second), [snapshot(9, { quotes: [quote(3, "A"), quote(2, "B")] })]);
});

test("a page that comes back on the same port is served again", async () => {
  const { world, tickers, open } = begin();
  open(["A"]);
  const second = open(["B"]);
  second.send({ op: "close" });
  second.send({ op: "open", url: "", options: { symbols: ["B"] }, lock: "" });
  await world.settle();
  items(second);
  tickers[0].hand([quote(1, "B")]);

  assert.deepEqual(tickers[0].unions.at(-1), ["A", "B"]);
  assert.deepEqual(items(second), [quote(1, "B")]);
});

/* Wishes that are refused. */

/** Refuse each wish that holds a name. @param {FakeTicker} ticker @param {string} name */
function refuse(ticker, name) {
  ticker.answer = async (_, { symbols }) => {
    if (symbols.includes(name)) throw new Failure("bad_symbols", "no such name", { isFinal: true });
  };
}

test("a wish that is refused stays with the tab that had it: the others' are not refused with it", async () => {
  const { world, tickers, open } = begin();
  const [first, second] = [open(["A"]), open(["B"])];
  refuse(tickers[0], "b");
  first.send({ op: "set", id: 1, arguments: [{ symbols: ["A", "b"] }] });
  await world.settle();
  assert.equal(first.take("answer")[0].failure.code, "bad_symbols");
  second.send({ op: "set", id: 1, arguments: [{ symbols: ["B", "C"] }] });
  await world.settle();

  assert.deepEqual(second.take("answer"), [{ type: "answer", id: 1, value: undefined }]);
  assert.deepEqual(tickers[0].unions.at(-1), ["A", "B", "C"]);
  items(first);
  tickers[0].hand([quote(1, "A")]);
  assert.deepEqual(items(first), [quote(1, "A")]);
});

test("a newer wish of the same tab is not taken back with the one that is refused", async () => {
  const { world, tickers, open } = begin();
  const port = open(["A"]);
  refuse(tickers[0], "b");
  port.send({ op: "set", id: 1, arguments: [{ symbols: ["b"] }] });
  port.send({ op: "set", id: 2, arguments: [{ symbols: ["C"] }] });
  await world.settle();
  items(port);
  tickers[0].hand([quote(1, "A"), quote(2, "C")]);

  assert.deepEqual(items(port), [quote(2, "C")]);
});

test("a tab that joins with a wish that is refused is told, and spoils nothing", async () => {
  const { world, tickers, open } = begin();
  const first = open(["A"]);
  refuse(tickers[0], "b");
  const second = open(["b"]);
  await world.settle();
  assert.deepEqual(second.take("failure").map(({ value }) => value.code), ["bad_symbols"]);
  assert.deepEqual(first.take("failure"), []);
  first.send({ op: "set", id: 1, arguments: [{ symbols: ["A", "C"] }] });
  await world.settle();

  assert.deepEqual(tickers[0].unions.at(-1), ["A", "C"]);
  assert.deepEqual(first.take("answer"), [{ type: "answer", id: 1, value: undefined }]);
});

/* The status. */

test("the status is reported at most every 200 ms, with the number of tabs", async () => {
  const { world, tickers, open } = begin();
  const ports = [open(["A"]), open(["B"])];
  await world.advance(200);
  for (const port of ports) port.got = [];
  for (let seq = 1; seq <= 100; seq += 1) {
    tickers[0].hand([quote(seq, "A")]);
    await world.advance(10);
  }

  for (const port of ports) {
    const reports = port.take("status");
    assert.ok(reports.length >= 4 && reports.length <= 5, `${reports.length} reports`);
    assert.deepEqual(reports.at(-1).status, { state: "live", cursor: "1-9", tabs: 2 });
  }
});

test("another state is told at once, the same one again is not", async () => {
  const { world, tickers, open } = begin();
  const port = open(["A"]);
  await world.advance(200);
  port.got = [];
  tickers[0].enter("stale");
  assert.deepEqual(port.take("status").map(({ status }) => status.state), ["stale"]);
  tickers[0].enter("stale");
  tickers[0].enter("stale");
  assert.deepEqual(port.take("status"), []);
  await world.advance(200);
  assert.equal(port.take("status").length, 1);
  tickers[0].enter("live");

  assert.deepEqual(port.take("status").map(({ status }) => status.state), ["live"]);
});

test("who joins or leaves changes the number of tabs that all are told", async () => {
  const { world, open } = begin();
  const first = open(["A"]);
  const second = open(["B"]);
  await world.advance(200);
  assert.equal(first.take("status").at(-1).status.tabs, 2);
  second.send({ op: "close" });
  await world.advance(200);

  assert.equal(first.take("status").at(-1).status.tabs, 1);
});

test("nothing to tell leaves no timer", async () => {
  const { world, open } = begin();
  open(["A"]);
  await world.advance(200);

  assert.deepEqual(world.clock.waits, []);
});
