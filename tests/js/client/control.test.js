import assert from "node:assert/strict";
import { test } from "node:test";
import { Control } from "../../../frontend/client/control.js";
import { Request } from "../../../frontend/client/request.js";
import { HOME, World, accept, block } from "./support/world.js";

const PATCH = "PATCH /v1/sessions/the-session";

/** @param {object} [options] */
function begin(options = {}) {
  const world = new World();
  const subscription = { symbols: ["A"], types: ["quote"], interval: "1m" };
  const request = new Request(HOME, "the-session", subscription, options, world.env);
  const opened = { count: 0 };
  const control = new Control(request, () => (opened.count += 1));
  world.serve(PATCH, (asked) => asked.json({ symbols: ["A"], paused: false }));
  return { world, control, opened };
}

/** The ops that were sent on a socket. @param {{sent: any[]}} socket */
function ops({ sent }) {
  return sent.map(({ op }) => op);
}

test("the first op opens a socket, attaches it to the session, and goes over it", async () => {
  const { world, control, opened } = begin();
  accept(world, ({ op, id }) => ({ type: "ack", id, op, symbols: ["A", "B"] }));
  assert.equal(control.way, null);
  const answer = await control.do("set", { symbols: ["A", "B"] });

  assert.deepEqual(answer.symbols, ["A", "B"]);
  assert.deepEqual(world.socket.sent, [
    { op: "attach", id: 1, session: "the-session" },
    { op: "set", id: 2, symbols: ["A", "B"] },
  ]);
  assert.deepEqual(world.socket.protocols, ["ticker.v1.json"]);
  assert.equal(world.socket.url.href, "ws://ticker.test/v1/ws");
  assert.deepEqual([control.way, opened.count], ["websocket", 1]);
  assert.deepEqual(world.asked, []);
});

test("later ops go over the same socket, also while it is being opened", async () => {
  const { world, control, opened } = begin();
  const all = [control.do("ping"), control.do("list")];
  await world.settle();
  accept(world);
  world.onSocket(world.socket);
  await Promise.all(all);
  await control.do("ping");

  assert.equal(world.sockets.length, 1);
  assert.deepEqual(ops(world.socket), ["attach", "ping", "list", "ping"]);
  assert.equal(opened.count, 1);
});

test("a socket that is lost is opened anew by the next op, and says so", async () => {
  const { world, control, opened } = begin();
  accept(world);
  await control.do("ping");
  world.socket.drop(1006);
  assert.equal(world.sockets.length, 1);
  await control.do("ping");

  assert.equal(world.sockets.length, 2);
  assert.deepEqual(ops(world.socket), ["attach", "ping"]);
  assert.equal(opened.count, 2);
});

test("where no socket can be had, ops go by PATCH, and none is tried for a minute", async () => {
  const { world, control, opened } = begin();
  block(world);
  assert.deepEqual(await control.do("set", { symbols: ["A"] }), { symbols: ["A"], paused: false });
  await control.do("pause");
  await world.advance(59_999);
  await control.do("play");

  assert.deepEqual([world.sockets.length, world.clock.waits], [1, []]);
  const patches = [{ op: "set", symbols: ["A"] }, { op: "pause" }, { op: "play" }];
  assert.deepEqual(world.asks(PATCH).map(({ body }) => body), patches);
  assert.deepEqual([control.way, opened.count], ["patch", 0]);
  accept(world);
  await world.advance(1);
  await control.do("pause");
  assert.equal(world.sockets.length, 2);
  assert.deepEqual(ops(world.socket), ["attach", "pause"]);
  assert.deepEqual([control.way, opened.count], ["websocket", 1]);
});

test("a browser without WebSockets goes by PATCH", async () => {
  const { world, control } = begin();
  world.env.WebSocket = undefined;
  await control.do("pause");

  assert.deepEqual(world.asks(PATCH).map(({ body }) => body), [{ op: "pause" }]);
});

test("a socket that may not be made goes by PATCH, and is tried again after a minute", async () => {
  const { world, control } = begin();
  const { WebSocket } = world.env;
  world.env.WebSocket = class {
    constructor() {
      throw new DOMException("insecure", "SecurityError");
    }
  };
  await control.do("pause");
  assert.equal(world.asks(PATCH).length, 1);
  world.env.WebSocket = WebSocket;
  accept(world);
  await world.advance(60_000);
  await control.do("play");

  assert.deepEqual(ops(world.socket), ["attach", "play"]);
  assert.equal(world.asks(PATCH).length, 1);
});

test("a socket that does not open in four seconds is given up for PATCH", async () => {
  const { world, control } = begin();
  const done = control.do("pause");
  await world.advance(3999);
  assert.equal(world.socket.isClosed, false);
  await world.advance(1);
  await done;

  assert.equal(world.socket.isClosed, true);
  assert.equal(world.asks(PATCH).length, 1);
  assert.deepEqual(world.clock.waits, []);
});

test("an op that is not answered goes by PATCH", async () => {
  const { world, control } = begin();
  accept(world, ({ op }) => op === "set" && {});
  const done = control.do("set", { symbols: ["A"] });
  await world.advance(5000);
  await done;

  assert.deepEqual(world.asks(PATCH).map(({ body }) => body), [{ op: "set", symbols: ["A"] }]);
});

test("an op whose socket is lost before it is answered goes by PATCH", async () => {
  const { world, control } = begin();
  accept(world, ({ op }) => op === "set" && {});
  const done = control.do("set", { symbols: ["A"] });
  await world.settle();
  world.socket.drop(1006);
  await done;

  assert.equal(world.asks(PATCH).length, 1);
});

test("an op that the server refuses is refused, and not tried another way", async () => {
  const { world, control } = begin();
  accept(world, ({ op, id }) => op === "set" && { type: "error", id, code: "bad_symbols", message: "no name" });

  await assert.rejects(control.do("set", { symbols: ["a"] }), { code: "bad_symbols", isFinal: true });
  assert.deepEqual(world.asks(PATCH), []);
});

test("a socket that may not be attached is closed, and the next op goes by PATCH", async () => {
  const { world, control, opened } = begin();
  accept(world, ({ op, id }) => op === "attach" && { type: "error", id, code: "too_many", message: "a fifth" });
  await assert.rejects(control.do("pause"), { code: "too_many", isFinal: false });
  await control.do("pause");

  assert.equal(world.sockets.length, 1);
  assert.equal(world.socket.isClosed, true);
  assert.equal(world.asks(PATCH).length, 1);
  assert.equal(opened.count, 0);
});

test("an attach that is not answered closes the socket", async () => {
  const { world, control } = begin();
  accept(world, () => ({}));
  const done = control.do("pause");
  await world.advance(5000);
  await done;

  assert.equal(world.socket.isClosed, true);
  assert.equal(world.asks(PATCH).length, 1);
});

test("with a token the socket has a ticket, and PATCH the header", async () => {
  const { world, control } = begin({ token: "top.secret" });
  world.serve("POST /v1/ticket", (asked) => asked.json({ ticket: "once" }));
  block(world);
  await control.do("pause");

  assert.deepEqual(world.socket.query, { ticket: "once" });
  assert.equal(world.asks(PATCH)[0].headers.get("Authorization"), "Bearer top.secret");
  assert.deepEqual(world.asks("POST /v1/ticket")[0].body, {});
});

test("a ticket that is refused for good refuses the op", async () => {
  const { world, control } = begin({ token: "old" });
  world.serve("POST /v1/ticket", (asked) => asked.error(401, "unauthorized"));

  await assert.rejects(control.do("pause"), { code: "unauthorized", isFinal: true });
  assert.deepEqual(world.sockets, []);
});

test("closing closes the socket, fails what is under way, and asks nothing more", async () => {
  const { world, control } = begin();
  accept(world, ({ op }) => op === "set" && {});
  const done = control.do("set", { symbols: ["A"] });
  const failed = assert.rejects(done, { name: "Failure" });
  await world.settle();
  control.close();
  await failed;
  await world.settle();

  assert.equal(world.socket.isClosed, true);
  assert.deepEqual(world.asked, []);
  assert.deepEqual(world.clock.waits, []);
});

test("closing while a socket is being opened leaves none", async () => {
  const { world, control } = begin({ token: "top.secret" });
  const failed = assert.rejects(control.do("pause"), { name: "Failure" });
  await world.settle();
  control.close();
  world.request.json({ ticket: "once" });
  await failed;

  assert.deepEqual(world.sockets, []);
  assert.deepEqual(world.asks(PATCH), []);
  assert.deepEqual(world.clock.waits, []);
});
