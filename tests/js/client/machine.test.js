import assert from "node:assert/strict";
import { test } from "node:test";
import { Follower } from "../../../frontend/client/follower.js";
import { Machine } from "../../../frontend/client/machine.js";
import { Request } from "../../../frontend/client/request.js";
import { ORDER } from "../../../frontend/client/transports/index.js";
import { batch, bye, gap, heartbeat, hello, page, quote, refused, snapshot } from "./support/messages.js";
import { HOME, seeded, World } from "./support/world.js";

/** @typedef {import("../../../frontend/client/transports/index.js").TransportName} TransportName */

/** @typedef {string | null} Place */
/** @typedef {{transports?: readonly TransportName[], position?: Place, start?: Place, token?: any}} Given */

/** @param {Given} [options] */
function begin({ transports = ORDER, position = null, start = null, token } = {}) {
  const world = new World();
  const request = new Request(HOME, "s", { symbols: ["A"], types: ["quote"], interval: "1m" }, { token }, world.env);
  const follower = new Follower(position);
  /** @type {string[]} */
  const states = [];
  /** @type {[any, any[], boolean][]} */
  const taken = [];
  const owner = {
    take: (/** @type {any} */ message, /** @type {any[]} */ items, /** @type {boolean} */ isReplay) => {
      taken.push([message, items, isReplay]);
    },
    changed: () => {
      if (states.at(-1) !== machine.state) states.push(machine.state);
    },
  };
  const machine = new Machine(request, follower, transports, start, owner);
  machine.run();
  return { world, machine, follower, owner, states, taken, statistics: follower.statistics };
}

/** One that is live on an event stream and has had a tick. @param {Given} [options] */
async function live(options) {
  const made = begin({ position: "1-1", ...options });
  await made.world.settle();
  made.world.source.send(hello(1), quote(2));
  return made;
}

/** Seconds until the next try. @param {Machine} machine @param {World} world */
function wait(machine, world) {
  return machine.retryAt === null ? null : (machine.retryAt - world.clock.now) / 1000;
}

/* From one state to the next. */

test("it is connecting until something comes, and live then", async () => {
  const { world, machine, states } = begin();
  const begun = world.clock.now;
  assert.deepEqual([machine.state, machine.since, machine.attempt], ["connecting", begun, 1]);
  await world.advance(300);
  world.source.send(hello(1, { follows: "snapshot" }), snapshot(1));

  assert.deepEqual([machine.state, machine.since, machine.attempt], ["live", begun + 300, 0]);
  assert.deepEqual([machine.transport, machine.failure, machine.retryAt], ["sse", null, null]);
  assert.deepEqual(states, ["connecting", "live"]);
});

test("it replays until what was newest has come", async () => {
  const { world, machine, states } = begin({ position: "1-1" });
  await world.settle();
  world.source.send(hello(1, { newest: "1-4", replay: 3, resumed: true }));
  assert.equal(machine.state, "replaying");
  world.source.send(batch(1, 3, [quote(2), quote(3)]));
  assert.equal(machine.state, "replaying");
  world.source.send(batch(3, 4, [quote(4)]));

  assert.deepEqual(states, ["connecting", "replaying", "live"]);
});

test("it begins at the cursor that it was given, else at the word, else nowhere", async () => {
  const all = [begin({ position: "1-7" }), begin({ start: "earliest" }), begin()];
  await all[0].world.settle();

  assert.deepEqual(all.map(({ world }) => world.source.query.cursor), ["1-7", "earliest", undefined]);
});

test("a word to begin with is used until there is a place", async () => {
  const { world } = begin({ start: "earliest" });
  await world.settle();
  world.source.cut();
  await world.advance(1000);
  assert.equal(world.source.query.cursor, "earliest");
  world.source.send(hello(3), quote(4));
  world.source.cut();
  await world.advance(2000);

  assert.equal(world.source.query.cursor, "1-4");
});

test("each message is handed on with what it means, and whether that is old", async () => {
  const { world, taken } = begin({ position: "1-1" });
  await world.settle();
  const messages = [hello(1, { newest: "1-2", replay: 1 }), batch(1, 2, [quote(2)]), batch(2, 3, [quote(3)])];
  world.source.send(...messages);

  assert.deepEqual(taken, [
    [messages[0], [], false],
    [messages[1], [quote(2)], true],
    [messages[2], [quote(3)], false],
  ]);
});

test("what the first answers to polls hold is old, until there is no more", async () => {
  const { world, taken } = begin({ transports: ["poll"], position: "1-1" });
  for (const answer of [page(2, [], { more: true }), page(3, [], { more: true }), page(4), page(5)]) {
    await world.advance(1000);
    world.request.json(answer);
    await world.settle();
  }

  assert.deepEqual(taken.map(([, , isReplay]) => isReplay), [true, true, false, false]);
});

test("the first answer to a poll is old, on each connection", async () => {
  const { world, machine, taken } = begin({ transports: ["poll"], position: "1-1" });
  for (const isNew of [false, false, true, false]) {
    if (isNew) machine.retry();
    await world.advance(1000);
    world.request.json(page(2));
    await world.settle();
  }

  assert.deepEqual(taken.map(([, , isReplay]) => isReplay), [true, false, true, false]);
});

test("heartbeats at an old place mean that it is paused, and a tick that it is not", async () => {
  const { world, machine } = await live();
  await world.advance(15_000);
  world.source.send(heartbeat(2, 1, 5));
  await world.advance(15_000);
  world.source.send(heartbeat(2, 1, 9));
  assert.equal(machine.state, "paused");
  await world.advance(20_000);
  assert.equal(machine.state, "paused");
  world.source.send(quote(3));

  assert.equal(machine.state, "live");
});

/* Cuts, and the waits after them. */

test("a stream that is cut comes back by itself, on a new connection, at the newest cursor", async () => {
  const { world, machine, statistics, states } = await live();
  const [first] = world.sources;
  first.cut();
  assert.equal(machine.state, "reconnecting");
  await world.settle();
  assert.equal(wait(machine, world), 1);
  assert.deepEqual([machine.failure?.code, first.isClosed], ["cut", true]);
  await world.advance(999);
  assert.equal(world.sources.length, 1);
  await world.advance(1);
  assert.equal(world.sources.length, 2);
  assert.deepEqual([world.source.query.cursor, machine.retryAt, machine.attempt], ["1-2", null, 1]);
  world.source.send(hello(2, { newest: "1-4", replay: 2, resumed: true }));
  world.source.send(batch(2, 4, [quote(3), quote(4)]), heartbeat(4, 2));

  assert.deepEqual(states, ["connecting", "live", "reconnecting", "replaying", "live"]);
  const { received, replayed, duplicates, reconnects, lost } = statistics;
  assert.deepEqual({ received, replayed, duplicates, reconnects, lost }, {
    ...{ received: 3, replayed: 2, duplicates: 0, reconnects: 1, lost: 0 },
  });
});

test("waits grow by half up to 30 seconds", async () => {
  const { world, machine } = await live();
  world.isAway = true;
  world.source.cut();
  await world.settle();
  const waits = [wait(machine, world)];
  for (let time = 1; time <= 11; time += 1) {
    await world.advance(1000 * Number(waits.at(-1)));
    assert.equal(machine.attempt, time);
    world.source.cut();
    await world.settle();
    waits.push(wait(machine, world));
  }

  const rounded = waits.map((seconds) => Number(seconds?.toFixed(2)));
  assert.deepEqual(rounded, [1, 1.5, 2.25, 3.38, 5.06, 7.59, 11.39, 17.09, 25.63, 30, 30, 30]);
});

test("each wait is drawn from its whole range", async () => {
  const seed = 42;
  const random = seeded(seed);
  const waits = [];
  for (let time = 0; time < 100; time += 1) {
    const { world, machine } = await live();
    world.random = random;
    world.source.cut();
    await world.settle();
    waits.push(Number(wait(machine, world)));
  }

  assert.ok(Math.min(...waits) < 0.1 && Math.max(...waits) > 0.9 && Math.max(...waits) <= 1, `seed ${seed}: ${waits}`);
});

test("a connection that lasted for a minute makes waits small again, a shorter one doesn't", async () => {
  const { world, machine } = await live();
  for (const [seconds, expected] of [[1, 1], [59, 1.5], [60, 1], [5, 1.5]]) {
    for (let passed = 0; passed < seconds; passed += 1) {
      world.source.send(heartbeat(2, 1));
      await world.advance(1000);
    }
    world.source.cut();
    await world.settle();
    assert.equal(wait(machine, world), expected, `after ${seconds} s`);
    await world.advance(expected * 1000);
    world.source.send(hello(2), quote(2));
  }
});

test("retry connects at once instead of waiting, and only once", async () => {
  const { world, machine } = await live();
  world.source.cut();
  await world.settle();
  machine.retry();
  assert.equal(machine.state, "reconnecting");
  await world.settle();
  assert.equal(world.sources.length, 2);
  world.source.send(hello(2));
  await world.advance(5000);

  assert.equal(world.sources.length, 2);
  assert.equal(machine.state, "live");
});

test("retry lets go of a connection that is there", async () => {
  const { world, machine } = await live();
  machine.retry();
  await world.settle();

  assert.deepEqual(world.sources.map(({ isClosed }) => isClosed), [true, false]);
  assert.equal(machine.state, "reconnecting");
  assert.equal(world.source.query.cursor, "1-2");
});

/* From one transport to the next. */

test("a transport that does not open in four seconds gives way to the next, and the cursor goes along", async () => {
  const { world, machine } = begin({ position: "1-7" });
  await world.advance(3999);
  assert.deepEqual([machine.transport, machine.state], ["sse", "connecting"]);
  await world.advance(1);
  assert.deepEqual([machine.transport, machine.state, machine.failure?.code], ["websocket", "reconnecting", "timeout"]);
  assert.equal(world.source.isClosed, true);
  await world.advance(1000);

  assert.equal(world.socket.query.cursor, "1-7");
});

test("a transport that opens late is not used any more", async () => {
  const { world, machine } = begin();
  await world.advance(4000);
  world.source.send(hello(9), quote(10));

  assert.deepEqual([machine.state, machine.follower.position], ["reconnecting", null]);
});

test("a network that swallows everything says nothing about the transport", async () => {
  const { world, machine } = begin({ position: "1-7" });
  world.serve("GET /healthz", () => {});
  await world.advance(600_000);
  assert.deepEqual([machine.transport, machine.failure?.code], ["sse", "timeout"]);
  world.serve("GET /healthz", (asked) => asked.json({ status: "ok" }));
  machine.retry();
  await world.settle();
  world.source.send(hello(7), quote(8));

  assert.deepEqual([machine.state, machine.transport], ["live", "sse"]);
});

test("one that opened in time has no such limit", async () => {
  const { world, machine } = await live();
  await world.advance(10_000);

  assert.deepEqual([machine.state, world.sources.length], ["live", 1]);
});

test("a transport that fails twice in a row gives way to the next, all around", async () => {
  const { world, machine } = begin({ position: "1-7" });
  /** @type {string[]} */
  const tried = [];
  /** @type {(string | undefined)[]} */
  const cursors = [];
  for (let time = 0; time < 9; time += 1) {
    await world.settle();
    tried.push(machine.transport);
    if (machine.transport === "sse") {
      cursors.push(world.source.query.cursor);
      world.source.cut();
    } else if (machine.transport === "websocket") {
      cursors.push(world.socket.query.cursor);
      world.socket.drop(1006);
    } else {
      cursors.push(world.request.query.cursor);
      world.request.page(502);
    }
    await world.settle();
    await world.advance(1000 * Number(wait(machine, world)));
  }

  assert.deepEqual(tried, [...ORDER.flatMap((name) => [name, name]), "sse"]);
  assert.deepEqual(cursors, Array(9).fill("1-7"));
});

test("two that only greeted and were cut failed", async () => {
  const { world, machine } = begin({ position: "1-1" });
  for (let time = 0; time < 2; time += 1) {
    await world.settle();
    world.source.send(hello(1));
    world.source.cut();
    await world.advance(2000);
  }

  assert.equal(machine.transport, "websocket");
});

test("one that has delivered did not fail, however often it is cut", async () => {
  const { world, machine } = await live();
  for (let seq = 3; seq < 9; seq += 1) {
    world.source.cut();
    await world.settle();
    await world.advance(1000 * Number(wait(machine, world)));
    world.source.send(hello(seq - 1), quote(seq));
  }

  assert.equal(machine.transport, "sse");
  assert.equal(world.sources.length, 7);
});

test("a failure before one that has delivered is forgotten", async () => {
  const { world, machine } = await live();
  for (const isFailing of [true, false, true, false, true]) {
    world.source.cut();
    await world.settle();
    await world.advance(1000 * Number(wait(machine, world)));
    if (!isFailing) world.source.send(hello(2), heartbeat(2, 0));
  }

  assert.deepEqual([machine.transport, world.sources.length], ["sse", 6]);
});

test("a server that is not there says nothing about the transport", async () => {
  const { world, machine } = begin();
  world.isAway = true;
  for (let time = 0; time < 6; time += 1) {
    await world.settle();
    world.source.cut();
    await world.settle();
    await world.advance(1000 * Number(wait(machine, world)));
  }

  assert.equal(machine.transport, "sse");
  assert.equal(world.asks("GET /healthz").length, 6);
});

test("whether it is there shows without a credential, across origins and past caches", async () => {
  const { world } = begin({ token: "top.secret" });
  world.serve("POST /v1/ticket", (asked) => asked.json({ ticket: "once" }));
  await world.settle();
  world.source.cut();
  await world.settle();

  const [asked] = world.asks("GET /healthz");
  assert.deepEqual([asked.rest.mode, asked.rest.cache], ["no-cors", "no-store"]);
  assert.equal(asked.headers.has("Authorization"), false);
});

test("any answer shows that somebody is there, and leaves no timer", async () => {
  const { world, machine } = begin();
  world.serve("GET /healthz", (asked) => asked.page(502));
  for (let time = 0; time < 2; time += 1) {
    await world.settle();
    world.source.cut();
    await world.settle();
    assert.equal(machine.failure?.reached, true);
    // The next look, and the next try.
    assert.equal(world.clock.waits.length, 2);
    await world.advance(1500);
  }

  assert.equal(machine.transport, "websocket");
});

test("a server that does not answer in two seconds is not there", async () => {
  const { world, machine } = begin();
  world.serve("GET /healthz", () => {});
  await world.settle();
  world.source.cut();
  await world.advance(1999);
  assert.deepEqual([machine.state, machine.retryAt], ["reconnecting", null]);
  await world.advance(1);

  assert.equal(wait(machine, world), 1);
  assert.equal(machine.failure?.reached, false);
  assert.equal(world.request.isAborted, true);
});

test("a question that was overtaken changes nothing", async () => {
  const { world, machine } = begin();
  world.serve("GET /healthz", () => {});
  await world.settle();
  world.source.cut();
  await world.settle();
  const [probe] = world.asks("GET /healthz");
  machine.retry();
  await world.settle();
  world.source.send(hello(1, { follows: "snapshot" }));
  probe.json({});
  await world.advance(5000);

  assert.deepEqual([machine.state, machine.retryAt, world.sources.length], ["live", null, 2]);
});

test("a browser without EventSource takes the WebSocket", async () => {
  const { world, machine } = begin();
  world.env.EventSource = undefined;
  await world.advance(3000);

  assert.equal(machine.transport, "websocket");
  assert.equal(world.sockets.length, 1);
});

test("a browser without WebSockets polls after that", async () => {
  const { world, machine } = begin({ transports: ["websocket", "longpoll"] });
  world.env.WebSocket = undefined;
  await world.settle();
  assert.deepEqual([machine.state, machine.failure?.code], ["reconnecting", "blocked"]);
  await world.advance(3000);

  assert.equal(machine.transport, "longpoll");
});

test("use takes other transports, from the first on, with the cursor", async () => {
  const { world, machine } = await live();
  machine.use(["websocket", "poll"]);
  await world.settle();

  assert.equal(world.source.isClosed, true);
  assert.deepEqual([machine.transport, machine.state, world.socket.query.cursor], ["websocket", "reconnecting", "1-2"]);
  world.socket.open();
  world.socket.tell(hello(2));
  assert.equal(machine.state, "live");
  assert.equal(machine.follower.statistics.reconnects, 1);
});

test("use begins with the first of them, wherever it was, and forgets what failed", async () => {
  const { world, machine } = begin();
  await world.advance(5000);
  assert.equal(machine.transport, "websocket");
  world.socket.drop(1006);
  await world.settle();
  machine.use(["sse", "poll"]);
  await world.settle();
  assert.equal(machine.transport, "sse");
  world.source.cut();
  await world.settle();
  assert.equal(machine.transport, "sse");
});

test("one that has delivered and then fails twice gives way", async () => {
  const { world, machine } = await live();
  for (let time = 0; time < 3; time += 1) {
    world.source.cut();
    await world.settle();
    assert.equal(machine.transport, time < 2 ? "sse" : "websocket");
    await world.advance(1000 * Number(wait(machine, world)));
  }
});

test("a new try promises no replay yet", async () => {
  const { world, machine, follower } = begin({ position: "1-1" });
  await world.settle();
  world.source.send(hello(1, { newest: "1-9", replay: 8 }), quote(2));
  assert.deepEqual(follower.replay, { of: 8, done: 1 });
  machine.use(["poll"]);
  assert.deepEqual(follower.replay, { of: 0, done: 0 });
  await world.settle();
  world.request.json(page(3, [quote(3)]));
  await world.settle();

  assert.deepEqual([machine.state, follower.statistics.replayed], ["live", 1]);
});

/* What the server says. */

test("a stream that it cut is reconnecting, for as long as it says", async () => {
  const { world, machine, states } = await live();
  world.source.cut();
  await world.advance(1000);
  world.source.send(refused("cut", 4.5));
  assert.deepEqual([machine.state, wait(machine, world), machine.transport], ["reconnecting", 4.5, "sse"]);
  assert.equal(world.source.isClosed, true);
  await world.advance(4500);
  world.source.send(hello(2));

  assert.deepEqual(states, ["connecting", "live", "reconnecting", "live"]);
  assert.deepEqual(world.asks("GET /healthz"), []);
});

for (const code of ["rate_limited", "too_many", "draining", "not_ready", "overloaded"]) {
  test(`${code} is a refusal, for as long as it says, on the same transport`, async () => {
    const { world, machine } = begin();
    for (let time = 0; time < 3; time += 1) {
      await world.settle();
      world.source.send(refused(code, 7));
      assert.deepEqual([machine.state, wait(machine, world)], ["refused", 7]);
      assert.deepEqual([machine.failure?.code, machine.failure?.isFinal], [code, false]);
      await world.advance(7000);
      assert.equal(machine.state, "reconnecting");
    }

    assert.deepEqual([machine.transport, world.sources.length], ["sse", 4]);
    assert.deepEqual(world.asks("GET /healthz"), []);
  });
}

test("a refusal that does not say how long lasts a second", async () => {
  const { world, machine } = begin();
  await world.settle();
  world.source.send({ type: "refused", code: "overloaded" });

  assert.equal(wait(machine, world), 1);
});

for (const reason of ["shutdown", "expired", "lifetime"]) {
  test(`after bye ${reason} it comes back when it was told to`, async () => {
    const { world, machine } = await live();
    world.source.send(bye(reason, { retry: 1700, cursor: "1-2" }));
    assert.deepEqual([machine.state, wait(machine, world)], ["reconnecting", 1.7]);
    await world.advance(1700);

    assert.deepEqual([world.sources.length, world.source.query.cursor, machine.transport], [2, "1-2", "sse"]);
  });
}

test("a bye that does not say when is waited for as after a cut", async () => {
  const { world, machine } = await live();
  world.source.send(bye("shutdown", { retry: undefined }));
  await world.settle();

  assert.deepEqual([machine.state, wait(machine, world)], ["reconnecting", 1]);
});

test("replaced soon after it has let go of a connection, it takes that for its own late request and comes back", async () => {
  const { world, machine } = await live();
  machine.retry();
  await world.settle();
  world.source.send(hello(2));
  const lives = async (/** @type {number} */ seconds) => {
    for (; seconds > 0; seconds -= 10) {
      await world.advance(10_000);
      world.source.send(heartbeat(2, 0));
    }
  };
  await lives(50);
  world.source.send(bye("replaced", { reconnect: false, retry: 86_400_000 }));
  await world.settle();
  assert.deepEqual([machine.state, wait(machine, world)], ["reconnecting", 1]);
  await world.advance(1000);
  world.source.send(hello(2));
  await lives(10);
  assert.equal(machine.state, "live");
  world.source.send(bye("replaced", { reconnect: false, retry: 86_400_000 }));

  assert.deepEqual([machine.state, world.sources.length], ["refused", 3]);
});

test("one that was replaced does not come back, except by retry", async () => {
  const { world, machine } = await live();
  world.source.send(bye("replaced", { reconnect: false, retry: 86_400_000 }));
  assert.deepEqual([machine.state, machine.retryAt, machine.failure?.code], ["refused", null, "replaced"]);
  await world.advance(1_000_000);
  assert.equal(world.sources.length, 1);
  machine.retry();
  assert.equal(machine.state, "reconnecting");
  await world.settle();
  world.source.send(hello(2));

  assert.deepEqual([machine.state, machine.failure], ["live", null]);
});

test("an EventSource that gave up is refused for good with the status, where the server says so", async () => {
  const { world, machine } = begin();
  world.serve("HEAD /v1/stream", (asked) => asked.json(null, 403));
  world.serve("GET /v1/stream", (asked) => asked.error(403, "forbidden"));
  await world.settle();
  world.source.giveUp();
  await world.advance(100_000);

  const { code, status, message } = machine.failure ?? {};
  assert.deepEqual([machine.state, machine.retryAt, code, status, message], [
    ...["refused", null, "forbidden", 403, "it is forbidden"],
  ]);
  assert.equal(world.sources.length, 1);
});

test("an EventSource that gave up at a proxy's page tries again, and then another way", async () => {
  const { world, machine } = begin();
  world.serve("HEAD /v1/stream", (asked) => asked.page(403));
  await world.settle();
  world.source.giveUp();
  await world.settle();
  assert.deepEqual([machine.state, machine.failure?.status], ["reconnecting", 403]);
  await world.advance(1000);
  world.source.giveUp();
  await world.settle();

  assert.equal(machine.transport, "websocket");
});

test("Retry-After is obeyed, an hour long or none at all", async () => {
  for (const [seconds, expected] of [[20, 20], [3600, 3600], [0, 0.1]]) {
    const { world, machine } = begin({ transports: ["poll"] });
    await world.settle();
    world.request.page(503, { "Retry-After": String(seconds) });
    await world.settle();
    assert.equal(wait(machine, world), expected);
    await world.advance(expected * 1000 - 1);
    assert.equal(world.asks("GET /v1/poll").length, 1);
    await world.advance(1);
    assert.equal(world.asks("GET /v1/poll").length, 2);
  }
});

test("a time that no timer can hold is not taken for none", async () => {
  const { world, machine } = begin({ transports: ["poll"] });
  await world.settle();
  world.request.page(503, { "Retry-After": "99999999" });
  await world.advance(1_000_000);

  assert.equal(machine.state, "refused");
  assert.equal(world.asks("GET /v1/poll").length, 1);
});

test("a WebSocket that is closed for good is refused, any other comes back", async () => {
  for (const [close, state, seconds] of /** @type {[number, string, number | null][]} */ ([
    [4509, "refused", null],
    [1009, "refused", null],
    [4001, "refused", null],
    [4029, "refused", 60],
    [1001, "reconnecting", 1],
    [4009, "reconnecting", 1],
  ])) {
    const { world, machine } = begin({ transports: ["websocket"], position: "1-1" });
    await world.settle();
    world.socket.open();
    world.socket.tell(hello(1), quote(2));
    world.socket.drop(close);
    await world.settle();
    assert.deepEqual([machine.state, wait(machine, world)], [state, seconds], `close code ${close}`);
    assert.equal(machine.failure?.status, close);
  }
});

test("refused on a WebSocket, the close code that follows changes nothing", async () => {
  const { world, machine } = begin({ transports: ["websocket"] });
  await world.settle();
  world.socket.open();
  world.socket.tell(refused("overloaded", 7));
  world.socket.drop(1013, "try_again_later");
  await world.settle();

  assert.deepEqual([machine.state, machine.failure?.code, wait(machine, world)], ["refused", "overloaded", 7]);
});

test("a token that the server does not take is refused for good", async () => {
  const { world, machine } = begin({ token: "old" });
  world.serve("POST /v1/ticket", (asked) => asked.error(401, "unauthorized"));
  await world.advance(10_000);

  assert.deepEqual([machine.state, machine.retryAt, machine.failure?.status], ["refused", null, 401]);
  assert.deepEqual([world.asked.length, world.sources.length], [1, 0]);
});

test("a token that can't be had is asked for again", async () => {
  let count = 0;
  const token = async () => {
    if ((count += 1) === 1) throw new Error("the session's page is away");
    return "t";
  };
  const { world, machine } = begin({ token });
  world.serve("POST /v1/ticket", (asked) => asked.json({ ticket: "once" }));
  await world.settle();
  assert.equal(machine.state, "reconnecting");
  await world.advance(1000);

  assert.equal(world.source.query.ticket, "once");
});

test("a ticket that is refused to a connection that was let go is nothing", async () => {
  const { world, machine } = begin({ token: "t" });
  await world.settle();
  machine.retry();
  await world.settle();
  const [first, second] = world.asks("POST /v1/ticket");
  first.error(401, "unauthorized");
  await world.settle();
  assert.equal(machine.state, "connecting");
  second.json({ ticket: "once" });
  await world.settle();

  assert.equal(world.source.query.ticket, "once");
});

test("a token that has expired on an open socket is renewed, where it can be", async () => {
  let count = 0;
  const token = () => `token ${(count += 1)}`;
  const { world, machine } = begin({ transports: ["websocket"], position: "1-1", token });
  world.serve("POST /v1/ticket", (asked) => asked.json({ ticket: `for ${asked.headers.get("Authorization")}` }));
  await world.settle();
  world.socket.open();
  world.socket.tell(hello(1), quote(2));
  world.socket.drop(4001, "unauthorized");
  await world.settle();
  assert.deepEqual([machine.state, wait(machine, world)], ["reconnecting", 1]);
  await world.advance(1000);
  assert.equal(world.socket.query.ticket, "for Bearer token 2");
  world.socket.drop(4001, "unauthorized");

  assert.deepEqual([machine.state, machine.retryAt], ["refused", null]);
});

/* Silence. */

test("a lively stream that falls silent is stale, then dead after two heartbeats, and comes back", async () => {
  const { world, machine, states } = await live();
  for (let seq = 3; seq < 303; seq += 1) {
    world.source.send(quote(seq));
    await world.advance(50);
  }
  assert.equal(machine.state, "live");
  await world.advance(4500);
  assert.equal(machine.state, "stale");
  await world.advance(25_000);
  assert.equal(machine.state, "stale");
  await world.advance(1000);
  assert.deepEqual([machine.state, machine.failure?.code, world.source.isClosed], ["reconnecting", "silent", true]);
  await world.advance(1000);
  assert.equal(world.source.query.cursor, "1-302");

  assert.deepEqual(states, ["connecting", "live", "stale", "reconnecting"]);
});

test("a stale stream is live again with the next message", async () => {
  const { world, machine } = await live();
  await world.advance(18_500);
  assert.equal(machine.state, "stale");
  world.source.send(heartbeat(2, 1));

  assert.equal(machine.state, "live");
});

test("a quiet market with heartbeats is never stale", async () => {
  const { world, states } = await live();
  for (let beat = 0; beat < 20; beat += 1) {
    await world.advance(15_000);
    world.source.send(heartbeat(2, 1));
  }

  assert.deepEqual(states, ["connecting", "live"]);
  assert.equal(world.sources.length, 1);
});

test("the server's own heartbeat counts", async () => {
  const { world, machine } = begin({ position: "1-1" });
  await world.settle();
  world.source.send(hello(1, { heartbeat: 3 }));
  await world.advance(6000);
  assert.equal(machine.state, "stale");
  await world.advance(1000);

  assert.equal(machine.state, "reconnecting");
});

test("a server that does not name its heartbeat has one of 15 seconds", async () => {
  const { world, machine } = begin({ position: "1-1" });
  await world.settle();
  world.source.send(hello(1, { heartbeat: undefined }));
  await world.advance(17_000);
  assert.equal(machine.state, "live");
  await world.advance(1000);

  assert.equal(machine.state, "stale");
});

test("a poll has 26 seconds for its heartbeat", async () => {
  const { world, machine } = begin({ transports: ["longpoll"] });
  await world.settle();
  world.request.json(page(1));
  await world.advance(25_000);
  world.request.json(page(1));
  await world.advance(25_000);

  assert.equal(machine.state, "live");
  assert.equal(world.asks("GET /v1/poll").length, 3);
});

test("after a sleep the wall clock shows that a stream is dead, one macrotask after it woke", async () => {
  const { world, machine } = await live();
  world.clock.jump(3_600_000);
  world.wake();
  assert.equal(machine.state, "live");
  await world.advance(0);

  assert.deepEqual([machine.state, machine.failure?.code], ["reconnecting", "silent"]);
});

test("what had come while it slept counts: a stream that lives stays", async () => {
  const { world, machine } = await live();
  world.clock.jump(3_600_000);
  world.wake();
  world.source.send(heartbeat(2, 1));
  await world.advance(5000);

  assert.deepEqual([machine.state, world.sources.length], ["live", 1]);
});

test("what had come while it slept counts too if nothing says that it woke", async () => {
  const { world, machine } = await live();
  const { setTimeout } = world.env;
  // The look is overdue, and what has come is queued behind it.
  world.clock.jump(3_600_000);
  world.env.setTimeout = (/** @type {() => void} */ job, /** @type {number} */ wait) => {
    if (wait === 0) world.source.send(heartbeat(2, 1));
    return setTimeout(job, wait);
  };
  await world.advance(1000);

  assert.deepEqual([machine.state, world.sources.length], ["live", 1]);
});

test("without a word that it woke, the next look finds a dead stream", async () => {
  const { world, machine } = await live();
  world.clock.jump(3_600_000);
  await world.advance(1000);

  assert.deepEqual([machine.state, machine.failure?.code], ["reconnecting", "silent"]);
});

test("a network that is back ends the wait after a cut", async () => {
  const { world, machine } = await live();
  world.isAway = true;
  for (let time = 0; time < 8; time += 1) {
    world.source.cut();
    await world.settle();
    await world.advance(1000 * Number(wait(machine, world)));
  }
  world.source.cut();
  await world.settle();
  assert.ok(Number(wait(machine, world)) > 20);
  const before = world.sources.length;
  world.isAway = false;
  world.wake();
  await world.advance(0);

  assert.equal(world.sources.length, before + 1);
  assert.equal(machine.retryAt, null);
});

test("a network that is back does not end a wait that the server asked for", async () => {
  const { world, machine } = await live();
  world.source.send(bye("shutdown", { retry: 5000 }));
  world.wake();
  await world.advance(0);

  assert.deepEqual([world.sources.length, wait(machine, world)], [1, 5]);
});

test("a network that is back does not disturb a connection that is being made", async () => {
  const { world } = await live();
  world.source.cut();
  await world.advance(1000);
  world.wake();
  await world.advance(0);

  assert.equal(world.sources.length, 2);
  assert.equal(world.source.isClosed, false);
});

/* What must not be. */

test("a violation is counted, and it comes back at the good position", async () => {
  const { world, machine, statistics, taken } = await live();
  const before = taken.length;
  world.source.send(batch(5, 6, [quote(6)]));
  assert.deepEqual([machine.state, machine.failure?.code, statistics.violations], ["reconnecting", "violation", 1]);
  assert.deepEqual([world.source.isClosed, taken.length], [true, before]);
  await world.advance(1000);
  assert.equal(world.source.query.cursor, "1-2");
  world.source.send(hello(2, { newest: "1-6", replay: 4 }), batch(2, 6, [3, 4, 5, 6].map((seq) => quote(seq))));

  assert.deepEqual([machine.state, statistics.received, statistics.lost], ["live", 5, 0]);
});

test("a heartbeat that counts more than has come is a violation", async () => {
  const { world, machine, statistics } = await live();
  world.source.send(heartbeat(9, 2));

  assert.deepEqual([machine.state, statistics.violations, machine.follower.position], ["reconnecting", 1, "1-2"]);
});

test("text that is no message is a violation, and counted", async () => {
  const { world, machine, statistics } = await live();
  world.source.sendText("quote", "{");
  await world.settle();

  assert.deepEqual([machine.state, machine.failure?.code, statistics.violations], ["reconnecting", "violation", 1]);
});

test("a message that is not as it should be is a violation, and nothing is thrown", async () => {
  const { world, machine, statistics } = await live();
  assert.doesNotThrow(() => world.source.send({ type: "ticks", from: "1-2", to: "1-3" }));

  assert.deepEqual([machine.state, statistics.violations], ["reconnecting", 1]);
});

test("what comes late on a connection that was let go is nothing", async () => {
  const { world, machine, taken, statistics } = await live();
  const [first] = world.sources;
  machine.retry();
  await world.settle();
  const before = taken.length;
  first.send(quote(3), batch(7, 8, [quote(8)]), bye("replaced", { reconnect: false }), refused("draining"));
  first.sendText("quote", "{");
  first.cut();
  await world.settle();

  assert.deepEqual([machine.state, machine.follower.position, taken.length], ["reconnecting", "1-2", before]);
  assert.deepEqual([statistics.violations, world.sources.length], [0, 2]);
  world.source.send(hello(2));
  assert.equal(machine.state, "live");
});

test("a late answer to a poll is nothing", async () => {
  const { world, machine } = begin({ transports: ["longpoll", "poll"], position: "1-1" });
  await world.settle();
  const late = world.request;
  machine.use(["poll"]);
  await world.settle();
  late.json(page(9, [quote(9)]));
  await world.settle();

  assert.equal(machine.follower.position, "1-1");
  assert.equal(machine.state, "connecting");
});

test("a gap whose snapshot was cut comes again and counts once", async () => {
  const { world, statistics } = await live();
  world.source.send(gap(3, 9));
  world.source.cut();
  await world.advance(1000);
  assert.equal(world.source.query.cursor, "1-2");
  world.source.send(hello(12, { follows: "gap" }), gap(3, 12), snapshot(12));

  assert.deepEqual([statistics.gaps, statistics.lost], [1, 10]);
});

/* The end. */

test("closed, it lets everything go and leaves no timer", async () => {
  const { world, machine, states } = await live();
  machine.close();
  world.wake();
  await world.advance(100_000);

  assert.deepEqual([machine.state, world.source.isClosed], ["closed", true]);
  assert.deepEqual([world.clock.waits, world.looks.size], [[], 0]);
  assert.equal(world.sources.length, 1);
  assert.equal(states.at(-1), "closed");
});

test("closed while it connects, waits or asks whether anybody is there, it leaves no timer", async () => {
  const connecting = begin();
  connecting.machine.close();
  const waiting = await live();
  waiting.world.source.cut();
  await waiting.world.settle();
  waiting.machine.close();
  const asking = begin();
  asking.world.serve("GET /healthz", () => {});
  await asking.world.settle();
  asking.world.source.cut();
  await asking.world.settle();
  asking.machine.close();
  for (const { world, machine } of [connecting, waiting, asking]) {
    const before = world.sources.length;
    await world.advance(100_000);

    assert.deepEqual([machine.state, world.clock.waits, world.sources.length], ["closed", [], before]);
    assert.equal(machine.retryAt, null);
  }
});

test("closed, it can't be woken, retried or sent another way", async () => {
  const { world, machine } = await live();
  machine.close();
  machine.retry();
  machine.use(["websocket"]);
  machine.wake();
  await world.advance(10_000);

  assert.deepEqual([machine.state, world.sources.length, world.sockets.length], ["closed", 1, 0]);
});

for (const state of ["live", "reconnecting", "refused", "stale"]) {
  test(`closed by who is told that it is ${state}, it stays closed`, async () => {
    const { world, machine, owner } = begin({ position: "1-1" });
    let isEnough = false;
    owner.changed = () => {
      if (machine.state === state && !isEnough) {
        isEnough = true;
        machine.close();
      }
    };
    await world.settle();
    world.source.send(hello(1), quote(2));
    await world.advance(18_500);
    if (!isEnough) world.source.send(heartbeat(2, 1));
    if (!isEnough) world.source.cut();
    await world.advance(1000);
    if (!isEnough) world.source.send(refused("overloaded"));
    const before = world.sources.length;
    await world.advance(100_000);

    assert.equal(isEnough, true);
    assert.deepEqual([machine.state, world.clock.waits, world.sources.length], ["closed", [], before]);
    assert.ok(world.sources.every(({ isClosed }) => isClosed));
  });
}

test("closed by who is told that the first try failed, it asks nobody", async () => {
  const { world, machine, owner } = begin();
  await world.settle();
  owner.changed = () => {
    if (machine.state === "reconnecting") machine.close();
  };
  world.source.cut();
  await world.advance(100_000);

  assert.deepEqual([machine.state, world.clock.waits, world.asked], ["closed", [], []]);
});

test("closed by who is told that it connects again, it opens nothing", async () => {
  const { world, machine, owner } = await live();
  owner.changed = () => {
    if (machine.state === "reconnecting") machine.close();
  };
  machine.retry();
  await world.advance(100_000);

  assert.deepEqual([machine.state, world.clock.waits, world.sources.length], ["closed", [], 1]);
});

test("closed by who takes a message, it stays closed", async () => {
  const { world, machine, owner } = begin({ position: "1-1" });
  owner.take = () => machine.close();
  await world.settle();
  world.source.send(hello(1), quote(2));
  await world.advance(100_000);

  assert.deepEqual([machine.state, world.clock.waits, machine.follower.position], ["closed", [], "1-1"]);
});

test("closed by who is told of a new try, it opens nothing", async () => {
  const { world, machine, owner } = await live();
  world.source.cut();
  await world.settle();
  owner.changed = () => {
    if (machine.retryAt === null && machine.state === "reconnecting") machine.close();
  };
  await world.advance(100_000);

  assert.deepEqual([machine.state, world.clock.waits], ["closed", []]);
  assert.ok(world.sources.every(({ isClosed }) => isClosed));
});
