import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Failure, Ticker } from "../../../frontend/client/ticker.js";
import { batch, bye, gap, heartbeat, hello, page, quote, refused, snapshot, trade } from "./support/messages.js";
import { begin, onSocket, polling, streaming } from "./support/tickers.js";
import { accept, HOME, World } from "./support/world.js";

/** @type {any} */
const scope = globalThis;

afterEach(() => {
  delete scope.reportError;
});

/** Let sockets open and answer the ops, but fail one of them as often as told.
 * @param {World} world @param {string} name @param {string} code @param {number} times */
function failing(world, name, code, times) {
  let left = times;
  accept(world, ({ id, op }) => op === name && (left -= 1) >= 0 && { type: "error", id, code, message: "no" });
}

/** The messages of an op that were sent on all sockets. @param {World} world @param {string} name */
function sent(world, name) {
  return world.sockets.flatMap((socket) => socket.sent.filter(({ op }) => op === name));
}

/* How it begins. */

test("wrong options are refused at once", () => {
  const { env } = new World();
  for (const options of [
    { transports: [] },
    { transports: ["sse", "carrier pigeon"] },
    { transports: ["toString"] },
    { cursor: "soon" },
    { cursor: "" },
  ]) {
    assert.throws(() => new Ticker(HOME, /** @type {any} */ ({ env, ...options })), TypeError, JSON.stringify(options));
  }
});

test("by default it wants quotes and trades of all, over an event stream, from now on", async () => {
  const world = new World();
  const ticker = new Ticker(HOME, { env: world.env });
  assert.deepEqual(world.sources, []);
  await world.settle();

  assert.deepEqual(ticker.status.subscription, { symbols: ["*"], types: ["quote", "trade"], interval: "1m" });
  const { session, ...query } = world.source.query;
  assert.deepEqual(query, { symbols: "*", types: "quote,trade", interval: "1m", batch: "1" });
  assert.match(session, /^[A-Za-z0-9_-]{22}$/);
  assert.equal(ticker.status.session, session);
});

test("a session and a conflation can be given", async () => {
  const { world } = begin({ session: "my-own-session-id", conflate: 250 });
  await world.settle();

  assert.deepEqual([world.source.query.session, world.source.query.conflate], ["my-own-session-id", "250"]);
});

test("it begins where it was told to", async () => {
  for (const cursor of ["1-7", "earliest", "latest"]) {
    const { world, ticker } = begin({ cursor });
    await world.settle();
    assert.equal(world.source.query.cursor, cursor);
    assert.equal(ticker.status.cursor, cursor === "1-7" ? "1-7" : null);
  }
});

test("closed at once, it never connects", async () => {
  const { world, ticker } = begin();
  ticker.close();
  await world.advance(10_000);

  assert.deepEqual([ticker.status.state, world.sources, world.clock.waits], ["closed", [], []]);
});

/* What it tells. */

test("each item is told by itself and with those that came with it, and whether they are old", async () => {
  const { world, ticker, hear } = begin({ cursor: "1-1" });
  await world.settle();
  /** @type {any[]} */
  const items = [];
  ticker.on("items", (...values) => items.push(values));
  const quotes = hear("quote");
  const trades = hear("trade");
  world.source.send(hello(1, { newest: "1-3", replay: 2 }), batch(1, 3, [quote(2), trade(3)]), trade(4));

  assert.deepEqual(items, [[[quote(2), trade(3)], true], [[trade(4)], false]]);
  assert.deepEqual([quotes, trades], [[quote(2)], [trade(3), trade(4)]]);
});

test("a gap is told before the snapshot that follows it", async () => {
  const { world, hear } = await streaming();
  const items = hear("items");
  const gaps = hear("gap");
  const snapshots = hear("snapshot");
  world.source.send(gap(3, 9, { reason: "slow" }), snapshot(9, { quotes: [quote(8)] }));

  const all = [gap(3, 9, { reason: "slow" }), snapshot(9, { quotes: [quote(8)] })];
  assert.deepEqual([items, gaps, snapshots], [[all], [all[0]], [all[1]]]);
});

test("a listener that throws disturbs neither the others nor the stream", async () => {
  scope.reportError = () => {};
  const { world, ticker, hear } = await streaming();
  ticker.on("quote", () => {
    throw new Error("a mistake in a page");
  });
  ticker.on("status", () => {
    throw new Error("another one");
  });
  const quotes = hear("quote");
  world.source.send(quote(3), quote(4));
  world.source.cut();
  await world.advance(1000);
  world.source.send(hello(4), quote(5));

  assert.deepEqual(quotes, [quote(3), quote(4), quote(5)]);
  assert.deepEqual([ticker.status.state, ticker.status.statistics.violations], ["live", 0]);
});

test("the status says everything about the stream", async () => {
  const { world, ticker } = begin({ cursor: "1-1", session: "my-own-session-id" });
  await world.settle();
  const begun = world.clock.now;
  assert.deepEqual(ticker.status, {
    state: "connecting",
    since: begun,
    transport: "sse",
    attempt: 1,
    retryAt: null,
    last: begun,
    failure: null,
    replay: { of: 0, done: 0 },
    cursor: "1-1",
    session: "my-own-session-id",
    node: null,
    control: null,
    subscription: { symbols: ["A"], types: ["quote", "trade"], interval: "1m" },
    statistics: {
      ...{ received: 0, duplicates: 0, replayed: 0, gaps: 0, lost: 0, unsized: 0, reconnects: 0, violations: 0 },
    },
    pinned: null,
    isCrowded: false,
  });
  await world.advance(70);
  world.source.send(hello(1, { newest: "1-9", replay: 4, node: "n7" }), quote(2));
  await world.advance(30);

  const { state, since, attempt, last, replay, cursor, node } = ticker.status;
  assert.deepEqual({ state, since, attempt, last, replay, cursor, node }, {
    ...{ state: "replaying", since: begun + 70, attempt: 0, last: begun + 70 },
    ...{ replay: { of: 4, done: 1 }, cursor: "1-2", node: "n7" },
  });
});

test("the status says why and until when it waits", async () => {
  const { world, ticker, hear } = await streaming();
  const heard = hear("status");
  world.source.send(refused("overloaded", 7));
  const { state, retryAt, failure } = ticker.status;

  assert.deepEqual([state, retryAt], ["refused", world.clock.now + 7000]);
  assert.deepEqual(failure, { code: "overloaded", message: "the server asks for patience", status: null });
  assert.deepEqual(heard.at(-1), ticker.status);
});

test("a status that was told does not change afterwards", async () => {
  const { world, ticker } = await streaming();
  const before = ticker.status;
  const copy = structuredClone(before);
  world.source.send(quote(3));
  await ticker.set({ symbols: ["A"] });

  assert.deepEqual(before, copy);
});

test("a failure is one that pages can tell from others", () => {
  assert.ok(new Failure("cut", "the network") instanceof Error);
});

/* Recoveries. */

test("a cut is told with what it cost, once everything is back", async () => {
  const { world, hear } = await streaming();
  const heard = hear("recovery");
  world.source.send(heartbeat(2, 1));
  const at = world.clock.now;
  world.source.cut();
  await world.advance(1000);
  world.source.send(hello(2, { newest: "1-4", replay: 2 }), batch(2, 4, [quote(3), quote(4)]));
  assert.deepEqual(heard, []);
  await world.advance(200);
  world.source.send(heartbeat(4, 2));

  assert.deepEqual(heard, [
    {
      ...{ cause: "cut", at, until: at + 1000, transport: "sse", missed: 2, replayed: 2, duplicates: 0 },
      ...{ gaps: 0, lost: 0, isComplete: true },
    },
  ]);
});

test("a refusal between a cut and the return is a part of the same break", async () => {
  const { world, hear } = await streaming();
  const heard = hear("recovery");
  const at = world.clock.now;
  world.source.cut();
  await world.advance(1000);
  world.source.send(refused("cut", 3));
  await world.advance(3000);
  world.source.send(hello(2));

  assert.deepEqual(heard.map((each) => [each.at, each.until, each.isComplete]), [[at, at + 4000, true]]);
});

test("a change of the transport is told as one, with the same count", async () => {
  const { world, ticker, hear } = await streaming();
  const heard = hear("recovery");
  ticker.use("websocket");
  await world.settle();
  world.socket.open();
  world.socket.tell(hello(2, { newest: "1-3", replay: 1 }), batch(2, 3, [quote(3)]), heartbeat(3, 1));

  const [{ cause, transport, missed, replayed, isComplete }, ...others] = heard;
  assert.deepEqual([cause, transport, missed, replayed, isComplete], ["switch", "websocket", 1, 1, true]);
  assert.deepEqual(others, []);
});

test("a change of the transport by who is just told a tick counts right", async () => {
  const { world, ticker, hear } = await streaming();
  const heard = hear("recovery");
  const end = ticker.on("quote", () => {
    end();
    ticker.use("websocket");
  });
  world.source.send(quote(3));
  await world.settle();
  assert.equal(world.socket.query.cursor, "1-3");
  world.socket.open();
  world.socket.tell(hello(3, { newest: "1-4", replay: 1 }), batch(3, 4, [quote(4)]), heartbeat(4, 1));

  assert.deepEqual(heard.map(({ missed, replayed, isComplete }) => [missed, replayed, isComplete]), [[1, 1, true]]);
});

test("to begin is no recovery", async () => {
  const { world, ticker, hear } = begin();
  const heard = hear("recovery");
  ticker.use("sse");
  await world.settle();
  world.source.cut();
  await world.advance(1000);
  world.source.send(hello(1, { follows: "snapshot" }), snapshot(1), heartbeat(1, 0));

  assert.deepEqual(heard, []);
});

/* Transports. */

test("one transport can be chosen, and all of them again", async () => {
  const { world, ticker } = await streaming();
  ticker.use("poll");
  await world.settle();
  const { transport, pinned, state } = ticker.status;
  assert.deepEqual([transport, pinned, state], ["poll", "poll", "reconnecting"]);
  assert.equal(world.request.query.cursor, "1-2");
  for (let time = 0; time < 5; time += 1) {
    world.request.fail();
    await world.advance(30_000);
  }
  assert.equal(ticker.status.transport, "poll");
  ticker.use(null);
  await world.settle();

  assert.deepEqual([ticker.status.transport, ticker.status.pinned], ["sse", null]);
  assert.equal(world.source.query.cursor, "1-2");
});

test("a transport that there is not is refused, and nothing changes", async () => {
  const { world, ticker } = await streaming();
  assert.throws(() => ticker.use(/** @type {any} */ ("carrier pigeon")), TypeError);
  world.source.send(quote(3));

  const { state, transport, pinned, cursor } = ticker.status;
  assert.deepEqual([state, transport, pinned, cursor], ["live", "sse", null, "1-3"]);
});

test("crowded out by other tabs it polls, and streams again when there is room", async () => {
  const { world, ticker, hear } = begin({ cursor: "1-1" });
  const heard = hear("recovery");
  ticker.crowd(true);
  await world.settle();
  assert.deepEqual([ticker.status.isCrowded, ticker.status.transport, ticker.status.pinned], [true, "poll", null]);
  assert.deepEqual([world.asked.length, world.sources.length], [1, 0]);
  world.request.json(page(2));
  await world.settle();
  ticker.crowd(false);
  await world.settle();

  assert.deepEqual([ticker.status.isCrowded, ticker.status.transport], [false, "sse"]);
  assert.equal(world.source.query.cursor, "1-2");
  world.source.send(hello(2));
  assert.equal(heard.at(-1)?.cause, "switch");
});

/* Cuts to see a recovery. */

test("a cut of an event stream goes over a socket beside it", async () => {
  const { world, ticker } = await streaming();
  accept(world);
  await ticker.cut(5);

  assert.deepEqual(sent(world, "cut"), [{ op: "cut", id: 2, seconds: 5 }]);
  assert.deepEqual([world.sockets.length, world.socket.sent[0].op], [1, "attach"]);
});

test("a cut of a WebSocket goes over that socket", async () => {
  const { world, ticker } = await onSocket();
  const cut = ticker.cut(5);
  assert.deepEqual(sent(world, "cut"), [{ op: "cut", id: 2, seconds: 5 }]);
  world.socket.ack();
  await cut;

  assert.equal(world.sockets.length, 1);
});

test("a stream that is not there can't be cut, and that is not tried again", async () => {
  const { world, ticker } = await streaming();
  failing(world, "cut", "not_found", 1);

  await assert.rejects(ticker.cut(5), { code: "not_found" });
  assert.equal(sent(world, "cut").length, 1);
});

for (const transport of /** @type {const} */ (["longpoll", "poll"])) {
  test(`a cut while it uses ${transport} is tried again until a poll is there to be cut`, async () => {
    const { world, ticker } = await polling(transport);
    failing(world, "cut", "not_found", 3);
    await ticker.cut(5);
    assert.equal(sent(world, "cut").length, 4);
    const [, second] = world.asks("GET /v1/poll");
    assert.equal(second.query.wait, "25");
    second.error(503, "cut", { retry_after: 5 });
    await world.settle();

    assert.deepEqual([ticker.status.state, ticker.status.retryAt], ["reconnecting", world.clock.now + 5000]);
  });

  test(`a cut while it uses ${transport} is not tried for ever`, async () => {
    const { world, ticker } = await polling(transport);
    failing(world, "cut", "not_found", Infinity);

    await assert.rejects(ticker.cut(5), { code: "not_found" });
    assert.ok(sent(world, "cut").length > 3 && sent(world, "cut").length <= 40);
  });

  test(`a cut while it uses ${transport} that is refused for another reason is not tried again`, async () => {
    const { world, ticker } = await polling(transport);
    failing(world, "cut", "rate_limited", Infinity);

    await assert.rejects(ticker.cut(5), { code: "rate_limited" });
    assert.equal(sent(world, "cut").length, 1);
  });
}

test("a cut that is healed shows as one", async () => {
  const { world, ticker, hear } = await streaming();
  const heard = hear("recovery");
  accept(world);
  await ticker.cut(5);
  world.source.cut();
  await world.advance(1000);
  world.source.send(refused("cut", 4));
  assert.equal(ticker.status.state, "reconnecting");
  await world.advance(4000);
  const missed = Array.from({ length: 1003 }, (_, number) => quote(number + 3));
  world.source.send(hello(2, { newest: "1-1005", replay: 1003 }), batch(2, 1005, missed), heartbeat(1005, 1003));

  const facts = heard.map(({ missed, replayed, lost, isComplete }) => [missed, replayed, lost, isComplete]);
  assert.deepEqual(facts, [[1003, 1003, 0, true]]);
});

/* Other ops. */

test("paused by itself it says so at once, and plays again", async () => {
  const { world, ticker } = await streaming();
  accept(world);
  const pausing = ticker.pause();
  assert.equal(ticker.status.state, "live");
  await pausing;
  assert.equal(ticker.status.state, "paused");
  await world.advance(25_000);
  assert.equal(ticker.status.state, "paused");
  await ticker.play();
  assert.equal(ticker.status.state, "live");

  assert.deepEqual(world.socket.sent.map(({ op }) => op), ["attach", "pause", "play"]);
});

test("a pause that is refused is none", async () => {
  const { world, ticker } = await streaming();
  failing(world, "pause", "rate_limited", 1);

  await assert.rejects(ticker.pause(), { code: "rate_limited" });
  assert.equal(ticker.status.state, "live");
});

test("a pause that is not ended stays one", async () => {
  const { world, ticker } = await streaming();
  failing(world, "play", "rate_limited", 1);
  await ticker.pause();
  await assert.rejects(ticker.play(), { code: "rate_limited" });
  world.source.send(heartbeat(2, 1, 9));

  assert.equal(ticker.status.state, "paused");
});

test("what was due before a pause does not end it, what comes after it does", async () => {
  const { world, ticker } = await streaming();
  accept(world, ({ id, op }) => op === "pause" && { type: "ack", id, cursor: "1-5" });
  await ticker.pause();
  world.source.send(quote(3), batch(3, 4, [quote(4)]));
  assert.equal(ticker.status.state, "paused");
  for (const newest of [5, 9, 9]) {
    await world.advance(15_000);
    world.source.send(heartbeat(5, 3, newest));
    assert.equal(ticker.status.state, "paused");
  }
  world.source.send(quote(6));

  assert.equal(ticker.status.state, "live");
});

test("a heartbeat at a place after a pause ends it", async () => {
  const { world, ticker } = await streaming();
  accept(world, ({ id, op }) => op === "pause" && { type: "ack", id, cursor: "1-5" });
  await ticker.pause();
  world.source.send(heartbeat(6, 1));

  assert.equal(ticker.status.state, "live");
});

test("a paused poll stays paused while its answers are empty, until it plays", async () => {
  const { world, ticker } = await polling("longpoll");
  accept(world, ({ id, op }) => op === "pause" && { type: "ack", id, cursor: "1-5" });
  await ticker.pause();
  for (const answer of [page(4, [quote(4)]), page(4), page(4)]) {
    world.request.json(answer);
    await world.settle();
    assert.equal(ticker.status.state, "paused");
  }
  await ticker.play();
  assert.equal(ticker.status.state, "live");
  world.request.json(page(9, [quote(9)]));
  await world.settle();

  assert.equal(ticker.status.state, "live");
});

test("a paused poll that moves on is paused no more", async () => {
  const { world, ticker } = await polling("longpoll");
  accept(world, ({ id, op }) => op === "pause" && { type: "ack", id, cursor: "1-5" });
  await ticker.pause();
  world.request.json(page(6));
  await world.settle();

  assert.equal(ticker.status.state, "live");
});

test("ping compares the clocks", async () => {
  const { world, ticker } = await streaming();
  accept(world, ({ op }) => op === "ping" && {});
  const asked = world.clock.now;
  const pinged = ticker.ping();
  await world.advance(80);
  world.socket.ack({ ts: (asked + 40 + 1234) * 1000 });

  assert.deepEqual(await pinged, { offset: 1234, roundTrip: 80 });
});

test("ops that are asked before there is a stream are answered over a socket of their own", async () => {
  const { world, ticker } = begin();
  accept(world, ({ op, id }) => op === "ping" && { type: "ack", id, ts: world.clock.now * 1000 });
  await world.settle();

  assert.deepEqual(await ticker.ping(), { offset: 0, roundTrip: 0 });
});

test("nothing of a token is in any address, on any transport", async () => {
  for (const transport of /** @type {const} */ (["sse", "fetch", "websocket", "longpoll", "poll"])) {
    const { world, ticker } = begin({ transports: [transport], token: async () => "top.secret" });
    world.serve("POST /v1/ticket", (asked) => asked.json({ ticket: "once" }));
    accept(world);
    await world.settle();
    await ticker.do("ping").catch(() => {});
    const urls = [...world.sources, ...world.sockets, ...world.asked].map(({ url }) => url.href);

    assert.ok(urls.length >= 2, transport);
    assert.deepEqual(urls.filter((url) => url.includes("secret")), [], transport);
  }
});

/* The end. */

test("retry connects at once after a refusal for good", async () => {
  const { world, ticker } = await streaming();
  world.source.send(bye("replaced", { reconnect: false }));
  assert.equal(ticker.status.state, "refused");
  ticker.retry();
  await world.settle();
  world.source.send(hello(2));

  assert.deepEqual([ticker.status.state, world.sources.length], ["live", 2]);
});

test("woken, it looks whether its stream lives", async () => {
  const { world, ticker } = await streaming();
  world.clock.jump(3_600_000);
  ticker.wake();
  await world.advance(0);

  assert.equal(ticker.status.state, "reconnecting");
});

test("closed, it lets everything go, leaves no timer and tells nothing more", async () => {
  const { world, ticker, hear } = await streaming();
  accept(world);
  await ticker.ping();
  ticker.close();
  await world.settle();
  const heard = [hear("items"), hear("status"), hear("failure"), hear("recovery")];
  world.source.send(quote(3), bye("shutdown"));
  ticker.retry();
  ticker.use("poll");
  ticker.crowd(false);
  ticker.close();
  await ticker.set({ symbols: ["B"] });
  world.wake();
  await world.advance(100_000);

  assert.deepEqual(heard, [[], [], [], []]);
  assert.deepEqual([world.source.isClosed, world.socket.isClosed], [true, true]);
  assert.deepEqual([world.clock.waits, world.sources.length, world.asked], [[], 1, []]);
});

test("closed, its ops fail and open nothing", async () => {
  const { world, ticker } = await streaming();
  ticker.close();

  await assert.rejects(ticker.ping(), { name: "Failure" });
  assert.deepEqual([world.sockets, world.asked], [[], []]);
});

test("closed by who is just told a tick, it tells no more", async () => {
  const { world, ticker, hear } = await streaming();
  ticker.on("items", () => ticker.close());
  const quotes = hear("quote");
  world.source.send(batch(2, 4, [quote(3), quote(4)]), quote(5));
  await world.advance(10_000);

  assert.deepEqual([ticker.status.state, world.clock.waits], ["closed", []]);
  assert.deepEqual(quotes.filter(({ ts }) => ts === 5), []);
});
