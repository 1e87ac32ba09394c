import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../../frontend/client/failure.js";
import { Ops } from "../../../frontend/client/ops.js";
import { World } from "./support/world.js";

function begin() {
  const world = new World();
  /** @type {any[]} */
  const sent = [];
  const ops = new Ops(world.env, (text) => sent.push(JSON.parse(text)));
  return { world, sent, ops };
}

test("an op is sent with an id of its own, and its fields", () => {
  const { sent, ops } = begin();
  ops.do("set", { symbols: ["A"] });
  ops.do("ping", {});

  assert.deepEqual(sent, [{ op: "set", id: 1, symbols: ["A"] }, { op: "ping", id: 2 }]);
});

test("answers are matched by their id, in any order", async () => {
  const { ops } = begin();
  const first = ops.do("ping", {});
  const second = ops.do("ping", {});
  assert.equal(ops.take({ type: "ack", id: 2, ts: 20 }), true);
  assert.equal(ops.take({ type: "ack", id: 1, ts: 10 }), true);

  assert.deepEqual([(await first).ts, (await second).ts], [10, 20]);
});

test("an error rejects with what the server said", async () => {
  const { ops } = begin();
  const asked = ops.do("set", { symbols: ["a"] });
  ops.take({ type: "error", id: 1, code: "bad_symbols", message: "no name", field: "symbols[0]" });

  const expected = { name: "Failure", code: "bad_symbols", message: "no name", field: "symbols[0]", isFinal: true };
  await assert.rejects(asked, expected);
});

test("other messages are no answers", () => {
  const { ops } = begin();

  assert.equal(ops.take({ type: "quote", id: 1 }), false);
  assert.equal(ops.take({}), false);
});

test("an answer that nobody waits for is nothing", () => {
  const { ops } = begin();

  assert.equal(ops.take({ type: "ack", id: 7 }), true);
  assert.equal(ops.take({ type: "error", id: 7, code: "bad_request" }), true);
});

test("no answer within five seconds is a failure that passes, and one that comes later is nothing", async () => {
  const { world, ops } = begin();
  const asked = ops.do("ping", {}).catch((failure) => failure);
  await world.advance(4999);
  assert.deepEqual(world.clock.waits, [1]);
  await world.advance(1);

  const failure = await asked;
  assert.ok(failure instanceof Failure);
  assert.deepEqual([failure.code, failure.isFinal], ["timeout", false]);
  assert.match(failure.message, /ping/);
  assert.equal(ops.take({ type: "ack", id: 1 }), true);
});

test("an answer leaves no timer", async () => {
  const { world, ops } = begin();
  const asked = ops.do("ping", {});
  ops.take({ type: "ack", id: 1 });
  await asked;

  assert.deepEqual(world.clock.waits, []);
});

test("what was not answered fails with the socket, and leaves no timer", async () => {
  const { world, ops } = begin();
  const all = [ops.do("ping", {}), ops.do("list", {})];
  ops.close();

  for (const asked of all) await assert.rejects(asked, { name: "Failure", code: "cut", isFinal: false });
  assert.deepEqual(world.clock.waits, []);
});

test("a socket that can't be written to is a failure, and leaves no timer", async () => {
  const world = new World();
  const ops = new Ops(world.env, () => {
    throw new DOMException("still connecting", "InvalidStateError");
  });

  await assert.rejects(ops.do("ping", {}), { name: "Failure", code: "cut" });
  assert.deepEqual(world.clock.waits, []);
});
