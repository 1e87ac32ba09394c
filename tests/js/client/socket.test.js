import assert from "node:assert/strict";
import { test } from "node:test";
import { Violation } from "../../../frontend/client/failure.js";
import { closeFailure, SocketStream } from "../../../frontend/client/transports/socket.js";
import { hello, quote, refused } from "./support/messages.js";
import { make } from "./support/transport.js";

/** @param {object} [options] */
async function open(options) {
  const made = make(SocketStream, options);
  made.world.serve("POST /v1/ticket", (asked) => asked.json({ ticket: "once" }));
  await made.transport.open("1-2");
  return made;
}

test("it asks for what is held, from the cursor on, and to stream as soon as it is open", async () => {
  const { world } = await open();
  assert.deepEqual([world.socket.url.pathname, world.socket.url.protocol], ["/v1/ws", "ws:"]);
  const { symbols, cursor, batch } = world.socket.query;
  assert.deepEqual([symbols, cursor, batch], ["A", "1-2", "1"]);
  assert.deepEqual(world.socket.protocols, ["ticker.v1.json"]);
  assert.deepEqual(world.socket.sent, []);
  world.socket.open();

  assert.deepEqual(world.socket.sent, [{ op: "stream", id: 1 }]);
});

test("with a token it has a ticket, and nothing of the token in its address", async () => {
  const { world } = await open({ token: "top.secret" });

  assert.equal(world.socket.query.ticket, "once");
  assert.deepEqual(world.request.body, {});
  assert.equal(world.socket.url.href.includes("secret"), false);
});

test("messages are handed on, and answers go to who asked", async () => {
  const { world, transport, messages } = await open();
  world.socket.open();
  world.socket.tell(hello(2), { type: "ack", id: 1, op: "stream" });
  const asked = transport.ops.do("ping", {});
  world.socket.tell(quote(3), { type: "ack", id: 2, op: "ping", ts: 5 });

  assert.equal((await asked).ts, 5);
  assert.deepEqual(messages, [hello(2), quote(3)]);
});

for (const text of ["{", "[]", "null"]) {
  test(`a message such as ${text} is a violation, and ends it`, async () => {
    const { world, ends } = await open();
    world.socket.open();
    world.socket.onmessage?.({ data: text });

    assert.ok(ends[0] instanceof Violation);
    assert.equal(world.socket.isClosed, true);
  });
}

test("an error that answers nothing ends it", async () => {
  const { world, ends } = await open();
  world.socket.open();
  world.socket.tell({ type: "error", code: "bad_request", message: "no op" });
  await world.settle();

  const facts = ends.map(({ code, isFinal, message }) => [code, isFinal, message]);
  assert.deepEqual(facts, [["bad_request", true, "no op"]]);
});

test("a stream that is refused ends it", async () => {
  const { world, ends } = await open();
  world.socket.open();
  world.socket.tell({ type: "error", id: 1, code: "not_ready", message: "wait", retry_after: 2 });
  await world.settle();

  assert.deepEqual(ends.map(({ code, isFinal, retryAfter }) => [code, isFinal, retryAfter]), [["not_ready", false, 2]]);
  assert.equal(world.socket.isClosed, true);
});

test("a stream that is not acknowledged ends it", async () => {
  const { world, ends } = await open();
  world.socket.open();
  await world.advance(5000);

  assert.deepEqual(ends.map(({ code }) => code), ["timeout"]);
  assert.deepEqual(world.clock.waits, []);
});

test("a socket that closes ends it once, and what was asked on it fails", async () => {
  const { world, transport, ends } = await open();
  world.socket.open();
  world.socket.ack();
  const failed = assert.rejects(transport.ops.do("ping", {}), { code: "cut" });
  world.socket.drop(1006);
  await failed;

  assert.deepEqual(ends.map(({ code, status, isFinal }) => [code, status, isFinal]), [["cut", 1006, false]]);
  assert.deepEqual(world.clock.waits, []);
});

test("a socket that can't be opened ends it", async () => {
  const { world, ends } = await open();
  world.socket.drop(1006);

  assert.deepEqual(ends.map(({ code, isFinal }) => [code, isFinal]), [["cut", false]]);
});

test("refused in band, the close that follows says nothing more", async () => {
  const { world, transport, messages, ends } = await open();
  world.socket.open();
  world.socket.tell(refused("overloaded"));
  transport.close();
  world.socket.drop(1013, "try_again_later");
  await world.settle();

  assert.deepEqual(messages, [refused("overloaded")]);
  assert.equal(ends.length, 0);
});

test("closed, it tells nothing more and leaves no timer", async () => {
  const { world, transport, messages, ends } = await open();
  world.socket.open();
  transport.close();
  world.socket.tell(quote(3));
  await world.settle();

  assert.equal(world.socket.isClosed, true);
  assert.deepEqual([messages, ends, world.clock.waits], [[], [], []]);
});

test("closed while it waits for its ticket, it opens nothing", async () => {
  const { world, transport } = make(SocketStream, { token: "t" });
  const opening = transport.open(null);
  await world.settle();
  transport.close();
  world.request.json({ ticket: "once" });
  await opening;

  assert.deepEqual(world.sockets, []);
});

test("a browser without WebSockets can't use it", async () => {
  const { world, transport } = make(SocketStream);
  world.env.WebSocket = undefined;

  await assert.rejects(transport.open(null), { code: "blocked", isFinal: false });
});

test("what is asked before it is open fails at once, and leaves no timer", async () => {
  const { world, transport } = make(SocketStream, { token: "t" });
  const opening = transport.open(null);
  await assert.rejects(transport.ops.do("ping", {}), { code: "cut" });
  await world.settle();
  world.request.json({ ticket: "once" });
  await opening;
  await assert.rejects(transport.ops.do("ping", {}), { code: "cut" });

  assert.deepEqual(world.clock.waits, []);
  assert.deepEqual(world.socket.sent, []);
});

for (const [close, code] of /** @type {[number, string][]} */ ([
  [1002, "protocol_error"],
  [1003, "wrong_type"],
  [1007, "invalid_data"],
  [1009, "too_large"],
  [4001, "unauthorized"],
  [4503, "bad_message"],
  [4509, "replaced"],
])) {
  test(`close code ${close} is final`, () => {
    const failure = closeFailure(close, "");

    assert.deepEqual([failure.code, failure.isFinal, failure.status], [code, true, close]);
    assert.match(failure.message, new RegExp(String(close)));
    assert.equal(closeFailure(close, "the reason").message, "the reason");
  });
}

for (const close of [1000, 1001, 1005, 1006, 1011, 1012, 1013, 4008, 4009]) {
  test(`after close code ${close} one may come back`, () => {
    const failure = closeFailure(close, "");

    assert.deepEqual([failure.code, failure.isFinal, failure.status, failure.retryAfter], ["cut", false, close, null]);
    assert.deepEqual([failure.message, closeFailure(close, "why").message], ["the socket was cut", "why"]);
  });
}

test("after too many errors one comes back a minute later", () => {
  const failure = closeFailure(4029, "");

  assert.deepEqual([failure.code, failure.isFinal, failure.retryAfter], ["rate_limited", false, 60]);
});
