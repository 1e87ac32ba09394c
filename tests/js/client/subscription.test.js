import assert from "node:assert/strict";
import { test } from "node:test";
import { hello, page, quote, snapshot, subscription } from "./support/messages.js";
import { begin, onSocket, polling, streaming } from "./support/tickers.js";
import { accept, block } from "./support/world.js";

/** @typedef {import("./support/world.js").World} World */

const TYPES = ["quote", "trade"];

/** The ops that were sent on all sockets. @param {World} world */
function ops(world) {
  return world.sockets.flatMap(({ sent }) => sent.map(({ op }) => op));
}

/** The symbols of each change that was sent on a socket. @param {World} world */
function changes(world) {
  return world.sockets.flatMap(({ sent }) => sent.filter(({ op }) => op === "set").map(({ symbols }) => symbols));
}

/** Refuse changes that name some symbol. @param {World} world @param {string} name @param {object} [more] */
function refuse(world, name, more = {}) {
  const error = { type: "error", code: "bad_symbols", message: "no such name", ...more };
  accept(world, ({ id, op, symbols }) => op === "set" && symbols.includes(name) && { ...error, id });
}

/** Whether a promise has been settled, and how. @param {Promise<any>} promise */
function watch(promise) {
  const seen = { is: "pending" };
  promise.then(
    () => (seen.is = "done"),
    (failure) => (seen.is = failure.code),
  );
  return seen;
}

/* Over which way. */

test("a change of an event stream goes over a socket that is attached to its session first", async () => {
  const { world, ticker } = await streaming();
  accept(world);
  await ticker.subscribe(["B", "A", "B"]);

  assert.deepEqual(world.socket.sent, [
    { op: "attach", id: 1, session: ticker.status.session },
    { op: "set", id: 2, symbols: ["A", "B"], types: TYPES, interval: "1m" },
  ]);
  assert.deepEqual([ticker.status.control, ticker.status.subscription.symbols], ["websocket", ["A", "B"]]);
  await ticker.unsubscribe(["A", "C"]);
  await ticker.set({ types: ["trade"], interval: "5s" });

  assert.deepEqual(world.socket.sent.slice(2), [
    { op: "set", id: 3, symbols: ["B"], types: TYPES, interval: "1m" },
    { op: "set", id: 4, symbols: ["B"], types: ["trade"], interval: "5s" },
  ]);
  assert.deepEqual([world.sockets.length, world.sources.length], [1, 1]);
});

test("a change of a WebSocket goes over that socket itself", async () => {
  const { world, ticker } = await onSocket();
  const done = watch(ticker.subscribe(["B"]));
  await world.settle();
  assert.deepEqual(world.socket.last, { op: "set", id: 2, symbols: ["A", "B"], types: TYPES, interval: "1m" });
  assert.equal(done.is, "pending");
  world.socket.ack();
  await world.settle();

  assert.equal(done.is, "done");
  assert.deepEqual([world.sockets.length, ticker.status.control], [1, "stream"]);
});

test("where no WebSocket can be had changes go by PATCH, and none is tried for a minute", async () => {
  const { world, ticker } = await streaming({ session: "my-own-session-id" });
  world.serve("PATCH /v1/sessions/my-own-session-id", (asked) => asked.json({ symbols: asked.body.symbols }));
  block(world);
  await ticker.subscribe(["B"]);
  await ticker.subscribe(["C"]);

  const common = { op: "set", types: TYPES, interval: "1m" };
  assert.deepEqual(world.asked.map(({ body }) => body), [
    { ...common, symbols: ["A", "B"] },
    { ...common, symbols: ["A", "B", "C"] },
  ]);
  assert.deepEqual([world.sockets.length, ticker.status.control], [1, "patch"]);
});

for (const transport of /** @type {const} */ (["longpoll", "poll"])) {
  test(`a change while it uses ${transport} goes over a socket, and the next poll asks for it`, async () => {
    const { world, ticker } = await polling(transport);
    accept(world);
    await ticker.subscribe(["B"]);
    assert.deepEqual(ops(world), ["attach", "set"]);
    if (transport === "longpoll") world.request.json(page(3));
    await world.advance(1000);

    assert.equal(world.request.query.symbols, "A,B");
  });
}

/* When. */

test("it is done when the server has it, and not before", async () => {
  const { world, ticker } = await streaming();
  world.onSocket = (socket) => socket.open();
  const done = watch(ticker.subscribe(["B"]));
  await world.settle();
  world.socket.ack();
  await world.settle();
  assert.deepEqual([done.is, world.socket.last.op], ["pending", "set"]);
  world.socket.ack();
  await world.settle();

  assert.equal(done.is, "done");
});

test("what changes nothing sends nothing", async () => {
  const { world, ticker } = await streaming({ symbols: ["A", "B"] });
  await ticker.set({ symbols: ["B", "A", "B"], types: ["trade", "quote"] });
  await ticker.subscribe(["A"]);
  await ticker.unsubscribe(["C"]);

  assert.deepEqual([world.sockets, world.asked], [[], []]);
});

test("before there is a connection, the first one asks for it", async () => {
  const { world, ticker } = begin();
  await ticker.subscribe(["B"]);
  await world.settle();
  assert.equal(world.source.query.symbols, "A,B");
  world.source.send(hello(1, { symbols: ["A", "B"], follows: "snapshot" }), snapshot(1));
  await world.settle();

  assert.deepEqual(world.sockets, []);
});

test("while it connects, a change is sent as soon as there is a session", async () => {
  const { world, ticker } = begin();
  accept(world);
  await world.settle();
  await ticker.subscribe(["B"]);
  await world.settle();
  assert.deepEqual(world.sockets, []);
  world.source.send(hello(1, { follows: "snapshot" }), snapshot(1));
  await world.settle();

  assert.deepEqual(changes(world), [["A", "B"]]);
});

test("a change while it is cut is sent after it has come back, which asks for what the server holds", async () => {
  const { world, ticker } = await streaming();
  accept(world);
  world.source.cut();
  await ticker.subscribe(["B"]);
  await ticker.unsubscribe(["A"]);
  await world.advance(1000);
  assert.deepEqual(world.sockets, []);
  assert.deepEqual([world.source.query.symbols, world.source.query.cursor], ["A", "1-2"]);
  world.source.send(hello(2));
  await world.settle();

  assert.deepEqual(changes(world), [["B"]]);
});

test("a reconnect asks for names that were added, to be replayed even if the session was forgotten", async () => {
  const { world, ticker } = await streaming();
  accept(world);
  await ticker.subscribe(["B"]);
  world.source.cut();
  await world.advance(1000);
  assert.equal(world.source.query.symbols, "A,B");
  world.source.send(hello(2, { symbols: ["A", "B"] }));
  await world.settle();

  assert.deepEqual(changes(world), [["A", "B"]]);
});

test("a change that the server had not acknowledged is not asked for by a reconnect, but sent again", async () => {
  const { world, ticker } = await onSocket();
  const done = watch(ticker.subscribe(["B"]));
  await world.settle();
  world.socket.drop(1006);
  await world.advance(1000);
  assert.equal(world.socket.query.symbols, "A");
  world.socket.open();
  world.socket.answer = ({ id, op }) => ({ type: "ack", id, op });
  world.socket.ack();
  world.socket.tell(hello(2));
  await world.advance(1000);

  assert.deepEqual(changes(world), [["A", "B"], ["A", "B"]]);
  assert.equal(done.is, "done");
  assert.equal(world.sockets.length, 2);
});

test("what is wanted is sent again on every WebSocket whose session holds something else", async () => {
  const { world } = await onSocket();
  world.socket.drop(1006);
  await world.advance(1000);
  world.socket.open();
  world.socket.answer = ({ id, op }) => ({ type: "ack", id, op });
  world.socket.tell(hello(2, { symbols: [] }));
  await world.settle();

  assert.deepEqual(world.socket.sent.map(({ op, symbols }) => [op, symbols]), [["stream", undefined], ["set", ["A"]]]);
});

test("what is wanted is sent again where a stream's session holds something else", async () => {
  const { world } = await streaming();
  accept(world);
  world.source.cut();
  await world.advance(1000);
  world.source.send(hello(2, { symbols: ["A"], types: ["quote"] }));
  await world.settle();

  assert.deepEqual(ops(world), ["attach", "set"]);
  assert.deepEqual(world.socket.last.types, TYPES);
});

test("what is wanted is sent again by a control socket that opens anew", async () => {
  const { world, ticker } = await streaming();
  accept(world);
  await ticker.subscribe(["B"]);
  world.socket.drop(1006);
  world.source.send(subscription(3, ["A"]));
  await ticker.ping();
  await world.settle();

  assert.deepEqual(world.socket.sent.map(({ op }) => op), ["attach", "ping", "set"]);
  assert.deepEqual(changes(world), [["A", "B"], ["A", "B"]]);
});

test("a poll's first answer shows that there is a session to change", async () => {
  const { world, ticker } = begin({ transports: ["longpoll"], cursor: "1-1" });
  accept(world);
  await world.settle();
  await ticker.subscribe(["B"]);
  world.request.json(page(2));
  await world.settle();
  assert.deepEqual(changes(world), [["A", "B"]]);
  world.request.json(page(3));
  await world.settle();

  assert.deepEqual(changes(world), [["A", "B"]]);
});

test("a list that is too long for a URL asks for all, and is sent once there is a session", async () => {
  const symbols = Array.from({ length: 1000 }, (_, number) => `SYMBOL/${number}`);
  const { world } = begin({ symbols });
  accept(world);
  await world.settle();
  assert.equal(world.source.query.symbols, "*");
  world.source.send(hello(1, { symbols: ["*"], follows: "snapshot" }), snapshot(1));
  await world.settle();
  assert.deepEqual(changes(world), [symbols]);
  world.source.cut();
  await world.advance(1000);

  assert.equal(world.source.query.symbols, "*");
});

test("what the stream says that it carries is told, and asked for by the next one", async () => {
  const { world, ticker, hear } = await streaming();
  const heard = hear("subscription");
  world.source.send(subscription(5, ["A", "B"], { unknown: ["B"] }));

  assert.deepEqual(heard, [subscription(5, ["A", "B"], { unknown: ["B"] })]);
  assert.equal(ticker.status.cursor, "1-5");
  world.source.cut();
  await world.advance(1000);
  assert.equal(world.source.query.symbols, "A,B");
});

test("names that are added begin with their snapshot", async () => {
  const { world, ticker, hear } = await streaming();
  accept(world);
  const items = hear("items");
  await ticker.subscribe(["B"]);
  const added = snapshot(5, { scope: "added", quotes: [quote(4, "B")] });
  world.source.send(subscription(5, ["A", "B"]), added, quote(6, "B"));

  assert.deepEqual(items, [[added], [quote(6, "B")]]);
});

/* What goes wrong. */

test("what the server refuses for good is refused, and the old subscription stays", async () => {
  const { world, ticker, hear } = await streaming();
  const failures = hear("failure");
  refuse(world, "b", { field: "symbols[1]" });
  const facts = { code: "bad_symbols", message: "no such name", field: "symbols[1]", isFinal: true };
  await assert.rejects(ticker.subscribe(["b"]), { name: "Failure", ...facts });
  await world.advance(10_000);

  assert.deepEqual(ticker.status.subscription.symbols, ["A"]);
  assert.deepEqual(changes(world), [["A", "b"]]);
  assert.deepEqual(failures, []);
  await ticker.subscribe(["C"]);
  world.source.cut();
  await world.advance(1000);
  assert.equal(world.source.query.symbols, "A,C");
});

test("what the server refuses for now is sent again when it says", async () => {
  const { world, ticker } = await streaming();
  let count = 0;
  const error = { type: "error", code: "rate_limited", message: "slowly", retry_after: 4 };
  accept(world, ({ id, op }) => op === "set" && (count += 1) < 3 && { ...error, id });
  const done = watch(ticker.subscribe(["B"]));
  await world.advance(3999);
  assert.deepEqual([changes(world).length, done.is], [1, "pending"]);
  await world.advance(4001);

  assert.deepEqual(changes(world), [["A", "B"], ["A", "B"], ["A", "B"]]);
  assert.equal(done.is, "done");
});

test("what was lost on its way is sent again a second later", async () => {
  const { world, ticker } = await streaming({ session: "my-own-session-id" });
  block(world);
  let isBroken = true;
  world.serve("PATCH /v1/sessions/my-own-session-id", (asked) => (isBroken ? asked.page(502) : asked.json({})));
  const done = watch(ticker.subscribe(["B"]));
  await world.advance(999);
  assert.deepEqual([world.asked.length, done.is], [1, "pending"]);
  isBroken = false;
  await world.advance(1);

  assert.deepEqual([world.asked.length, done.is], [2, "done"]);
});

test("a change that fails for now is dropped for a newer one", async () => {
  const { world, ticker } = await streaming();
  refuse(world, "B", { code: "not_ready", retry_after: 2 });
  const first = watch(ticker.set({ symbols: ["B"] }));
  await world.settle();
  const second = watch(ticker.set({ symbols: ["C"] }));
  await world.advance(10_000);

  assert.deepEqual(changes(world), [["B"], ["C"]]);
  assert.deepEqual([first.is, second.is], ["done", "done"]);
});

test("a change that nobody waits for any more and is refused for good is told as a failure", async () => {
  const { world, ticker, hear } = await streaming();
  const failures = hear("failure");
  refuse(world, "b");
  world.source.cut();
  await ticker.subscribe(["b"]);
  await world.advance(1000);
  world.source.send(hello(2));
  await world.settle();

  assert.deepEqual(failures.map(({ code }) => code), ["bad_symbols"]);
  assert.deepEqual(ticker.status.subscription.symbols, ["A"]);
});

/* One after the other. */

test("two quick changes end in the last one", async () => {
  const { world, ticker } = await streaming();
  accept(world);
  const all = [ticker.set({ symbols: ["B"] }), ticker.set({ symbols: ["C"] })];
  await Promise.all(all);

  assert.deepEqual(changes(world).at(-1), ["C"]);
  assert.deepEqual(ticker.status.subscription.symbols, ["C"]);
  world.source.cut();
  await world.advance(1000);
  assert.equal(world.source.query.symbols, "C");
});

test("many quick changes are one at a time, and only the first and the last", async () => {
  const { world, ticker } = await streaming();
  world.onSocket = (socket) => socket.open();
  const all = ["B", "C", "D", "E"].map((name) => watch(ticker.subscribe([name])));
  await world.settle();
  world.socket.ack();
  await world.settle();
  assert.deepEqual(changes(world), [["A", "B"]]);
  world.socket.ack();
  await world.settle();
  assert.deepEqual(all.map(({ is }) => is), ["done", "pending", "pending", "pending"]);
  assert.deepEqual(changes(world), [["A", "B"], ["A", "B", "C", "D", "E"]]);
  world.socket.ack();
  await world.settle();

  assert.deepEqual(all.map(({ is }) => is), ["done", "done", "done", "done"]);
});

test("a change that is taken back is done when the server has taken it back", async () => {
  const { world, ticker } = await streaming();
  world.onSocket = (socket) => socket.open();
  ticker.subscribe(["B"]);
  const back = watch(ticker.unsubscribe(["B"]));
  await world.settle();
  world.socket.ack();
  await world.settle();
  assert.equal(back.is, "pending");
  world.socket.ack();
  await world.settle();
  assert.deepEqual([back.is, changes(world)], ["pending", [["A", "B"], ["A"]]]);
  world.socket.ack();
  await world.settle();

  assert.equal(back.is, "done");
});

test("a change after one that is refused is not refused with it", async () => {
  const { world, ticker } = await streaming();
  refuse(world, "b");
  const first = watch(ticker.set({ symbols: ["b"] }));
  const second = watch(ticker.set({ symbols: ["C"] }));
  await world.settle();

  assert.deepEqual([first.is, second.is], ["bad_symbols", "done"]);
  assert.deepEqual(changes(world), [["b"], ["C"]]);
  assert.deepEqual(ticker.status.subscription.symbols, ["C"]);
});

test("a change before one that is refused is not refused with it", async () => {
  const { world, ticker } = await streaming();
  refuse(world, "b");
  const all = [watch(ticker.subscribe(["B"])), watch(ticker.subscribe(["b"])), watch(ticker.subscribe(["C"]))];
  await world.settle();

  assert.deepEqual(all.map(({ is }) => is), ["done", "bad_symbols", "bad_symbols"]);
  assert.deepEqual(ticker.status.subscription.symbols, ["A", "B"]);
});

/* The end. */

test("closed while a change is on its way, it asks nothing more and leaves no timer", async () => {
  const { world, ticker } = await streaming();
  world.onSocket = (socket) => socket.open();
  const done = watch(ticker.subscribe(["B"]));
  await world.settle();
  ticker.close();
  await world.settle();

  assert.notEqual(done.is, "pending");
  assert.deepEqual([world.clock.waits, world.asked], [[], []]);
  assert.equal(world.socket.isClosed, true);
});

test("closed while a change waits to be sent again, it leaves no timer", async () => {
  const { world, ticker } = await streaming();
  refuse(world, "B", { code: "rate_limited", retry_after: 60 });
  const done = watch(ticker.subscribe(["B"]));
  await world.settle();
  ticker.close();
  await world.settle();

  assert.notEqual(done.is, "pending");
  assert.deepEqual(world.clock.waits, []);
  assert.equal(changes(world).length, 1);
});
