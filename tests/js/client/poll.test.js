import assert from "node:assert/strict";
import { test } from "node:test";
import { Violation } from "../../../frontend/client/failure.js";
import { LongPolling, ShortPolling } from "../../../frontend/client/transports/poll.js";
import { page, quote } from "./support/messages.js";
import { make } from "./support/transport.js";

/** @param {typeof LongPolling | typeof ShortPolling} kind @param {object} [options] */
async function open(kind, options) {
  const made = make(/** @type {typeof LongPolling} */ (kind), options);
  await made.transport.open("1-2");
  await made.world.settle();
  return made;
}

for (const kind of [LongPolling, ShortPolling]) {
  test(`${kind.name} asks first for what is there, from the cursor on`, async () => {
    const { world } = await open(kind, { token: "top.secret" });

    assert.equal(world.asked.length, 1);
    assert.equal(world.request.route, "GET /v1/poll");
    const { cursor, wait, session, symbols } = world.request.query;
    assert.deepEqual([cursor, wait, session, symbols], ["1-2", "0", "s", "A"]);
    assert.equal(world.request.headers.get("Authorization"), "Bearer top.secret");
    assert.equal(world.request.url.href.includes("secret"), false);
  });

  test(`${kind.name} hands each answer on, and asks at once for more where there is more`, async () => {
    const { world, messages } = await open(kind);
    world.request.json(page(5, [quote(5)], { more: true }));
    await world.settle();

    assert.deepEqual(messages, [{ type: "poll", ...page(5, [quote(5)], { more: true }) }]);
    assert.equal(world.asked.length, 2);
    assert.equal(world.request.query.cursor, "1-5");
  });

  test(`${kind.name} asks for what is held by now`, async () => {
    const { world, request } = await open(kind);
    request.effective = { ...request.effective, symbols: ["A", "B"] };
    world.request.json(page(5, [], { more: true }));
    await world.settle();

    assert.equal(world.request.query.symbols, "A,B");
  });

  for (const [name, answer] of Object.entries({
    "text that is no JSON": "<h1>Login</h1>",
    "no object": "[]",
    "an answer without a cursor": JSON.stringify({ ...page(5), cursor: "soon" }),
    "an answer without ticks": JSON.stringify({ ...page(5), ticks: null }),
  })) {
    test(`${kind.name}: ${name} is a violation, and ends it`, async () => {
      const { world, messages, ends } = await open(kind);
      world.request.reply(answer);
      await world.advance(100_000);

      assert.equal(ends.length, 1);
      assert.ok(ends[0] instanceof Violation);
      assert.deepEqual(messages, []);
      assert.equal(world.asked.length, 1);
    });
  }

  test(`${kind.name}: an error ends it, final or not`, async () => {
    const first = await open(kind);
    first.world.request.error(503, "cut", { retry_after: 3 });
    const second = await open(kind);
    second.world.request.error(400, "bad_symbols");
    await first.world.settle();

    const facts = first.ends.map(({ code, retryAfter, isFinal }) => [code, retryAfter, isFinal]);
    assert.deepEqual(facts, [["cut", 3, false]]);
    assert.deepEqual(second.ends.map(({ code, isFinal }) => [code, isFinal]), [["bad_symbols", true]]);
    assert.deepEqual(first.world.clock.waits, []);
  });

  test(`${kind.name}: no answer ends it`, async () => {
    const { world, ends } = await open(kind);
    world.request.fail();
    await world.settle();

    assert.deepEqual(ends.map(({ code, isFinal }) => [code, isFinal]), [["cut", false]]);
    assert.deepEqual(world.clock.waits, []);
  });

  test(`${kind.name}: an answer that is five seconds late ends it`, async () => {
    const { world, ends } = await open(kind);
    await world.advance(4999);
    assert.equal(ends.length, 0);
    await world.advance(1);

    assert.deepEqual(ends.map(({ code, isFinal }) => [code, isFinal]), [["silent", false]]);
    assert.equal(world.request.isAborted, true);
    assert.deepEqual(world.clock.waits, []);
  });

  test(`${kind.name}: closed, it lets its request go, tells nothing more and leaves no timer`, async () => {
    const { world, transport, messages, ends } = await open(kind);
    transport.close();
    await world.settle();

    assert.equal(world.request.isAborted, true);
    assert.deepEqual([messages, ends, world.clock.waits], [[], [], []]);
    assert.equal(world.asked.length, 1);
  });

  test(`${kind.name}: closed while an answer is being read, it tells nothing of it`, async () => {
    const { world, transport, messages, ends } = await open(kind);
    world.request.json(page(5, [quote(5)]));
    transport.close();
    await world.settle();

    assert.deepEqual([messages.length, ends.length, world.asked.length], [0, 0, 1]);
  });

  test(`${kind.name}: closed by what it tells, it asks no more`, async () => {
    const { world, transport, listener } = await open(kind);
    listener.receive = () => void transport.close();
    world.request.json(page(5, [], { more: true }));
    await world.advance(100_000);

    assert.equal(world.asked.length, 1);
    assert.deepEqual(world.clock.waits, []);
  });

  test(`${kind.name} counts as silent after 26 seconds at the earliest`, () => {
    assert.equal(kind.heartbeat, 26);
  });
}

test("a long poll lets the server wait for 25 seconds, and 5 more for the network", async () => {
  const { world, ends } = await open(LongPolling);
  world.request.json(page(5));
  await world.settle();
  assert.equal(world.asked.length, 2);
  assert.deepEqual([world.request.query.wait, world.request.query.cursor], ["25", "1-5"]);
  await world.advance(29_999);
  assert.equal(ends.length, 0);
  await world.advance(1);

  assert.equal(ends[0].code, "silent");
});

test("short polls rest for a second between two, and never wait", async () => {
  const { world } = await open(ShortPolling);
  world.request.json(page(5));
  await world.advance(999);
  assert.equal(world.asked.length, 1);
  await world.advance(1);

  assert.equal(world.asked.length, 2);
  assert.deepEqual([world.request.query.wait, world.request.query.cursor], ["0", "1-5"]);
});

test("a short poll that rests is closed without a timer", async () => {
  const { world, transport } = await open(ShortPolling);
  world.request.json(page(5));
  await world.settle();
  assert.deepEqual(world.clock.waits, [1000]);
  transport.close();
  assert.deepEqual(world.clock.waits, []);
  await world.advance(10_000);

  assert.equal(world.asked.length, 1);
});

test("in a hurry a short poll asks at once, and always has a long one under way", async () => {
  const { world, transport } = await open(ShortPolling);
  world.request.json(page(5));
  await world.settle();
  transport.hurry();
  await world.settle();
  assert.equal(world.asked.length, 2);
  assert.equal(world.request.query.wait, "25");
  world.request.json(page(6));
  await world.settle();

  assert.equal(world.asked.length, 3);
  assert.equal(world.request.query.cursor, "1-6");
});
