import assert from "node:assert/strict";
import { test } from "node:test";
import { Violation } from "../../../frontend/client/failure.js";
import { EVENTS, EventSourceStream, parse } from "../../../frontend/client/transports/eventsource.js";
import { bye, heartbeat, hello, quote } from "./support/messages.js";
import { make } from "./support/transport.js";

const STREAM = "/v1/stream";

/** @param {object} [options] */
async function open(options) {
  const made = make(EventSourceStream, options);
  made.world.serve("POST /v1/ticket", (asked) => asked.json({ ticket: "once" }));
  await made.transport.open("1-2");
  return made;
}

test("it asks for what is held, from the cursor on", async () => {
  const { world } = await open();

  assert.equal(world.source.url.pathname, STREAM);
  const common = { symbols: "A", types: "quote", interval: "1m" };
  assert.deepEqual(world.source.query, { ...common, cursor: "1-2", session: "s", batch: "1" });
  assert.deepEqual(world.asked, []);
});

test("with a token it has a ticket for its session, and nothing of the token in its address", async () => {
  const { world } = await open({ token: async () => "top.secret" });

  assert.equal(world.source.query.ticket, "once");
  assert.deepEqual(world.request.body, { session: "s" });
  assert.equal(world.source.url.href.includes("secret"), false);
});

test("a ticket that is refused opens nothing", async () => {
  const { world, transport } = make(EventSourceStream, { token: "old" });
  world.serve("POST /v1/ticket", (asked) => asked.error(401, "unauthorized"));

  await assert.rejects(transport.open(null), { code: "unauthorized", isFinal: true });
  assert.deepEqual(world.sources, []);
});

test("each event is a message with its name as type, and no event is left out", async () => {
  const { world, messages } = await open();
  const all = EVENTS.map((type) => ({ type, cursor: "1-3" }));
  world.source.send(...all);

  assert.deepEqual(messages, all);
  const names = "hello refused gap snapshot quote trade ticks bar subscription heartbeat bye".split(" ");
  assert.deepEqual([...EVENTS], names);
});

test("the name of an event counts, whatever its data says", async () => {
  const { world, messages } = await open();
  world.source.sendText("quote", JSON.stringify({ type: "bye", symbol: "A" }));

  assert.deepEqual(messages, [{ type: "quote", symbol: "A" }]);
});

for (const data of ["{", "[]", "null", "1", ""]) {
  test(`data such as ${JSON.stringify(data)} is a violation, and ends it`, async () => {
    const { world, messages, ends } = await open();
    world.source.sendText("quote", data);
    world.source.send(quote(3));

    assert.ok(ends[0] instanceof Violation);
    assert.equal(ends.length, 1);
    assert.deepEqual(messages, []);
    assert.equal(world.source.isClosed, true);
  });
}

test("a stream that is cut is closed: the browser would come back with an old cursor", async () => {
  const { world, ends } = await open();
  world.source.send(hello(2));
  world.source.cut();

  assert.equal(world.source.isClosed, true);
  assert.deepEqual(ends.map(({ code, isFinal, reached }) => [code, isFinal, reached]), [["cut", false, null]]);
  assert.deepEqual(world.asked, []);
});

test("closed, it tells nothing more", async () => {
  const { world, transport, messages, ends } = await open();
  world.source.send(hello(2));
  transport.close();
  world.source.send(heartbeat(2, 0), bye("shutdown"));

  assert.deepEqual([messages.length, ends.length], [1, 0]);
  assert.equal(world.source.isClosed, true);
});

test("closed while it waits for its ticket, it opens nothing", async () => {
  const { world, transport } = make(EventSourceStream, { token: "t" });
  const opening = transport.open(null);
  await world.settle();
  transport.close();
  world.request.json({ ticket: "once" });
  await opening;

  assert.deepEqual(world.sources, []);
});

test("a browser without EventSource can't use it", async () => {
  const { world, transport, ends } = make(EventSourceStream);
  world.env.EventSource = undefined;
  await transport.open(null);

  assert.deepEqual(ends.map(({ code, isFinal }) => [code, isFinal]), [["blocked", false]]);
});

test("one that gave up asks why, with the credential and the same address", async () => {
  const { world, ends } = await open({ token: "top.secret" });
  world.source.giveUp();
  await world.settle();
  const head = world.request;
  assert.equal(ends.length, 0);
  assert.equal(head.route, `HEAD ${STREAM}`);
  assert.equal(head.url.href, world.source.url.href);
  assert.equal(head.headers.get("Authorization"), "Bearer top.secret");
  head.json(null, 400);
  await world.settle();
  const get = world.request;
  assert.equal(get.route, `GET ${STREAM}`);
  assert.equal(get.url.href, world.source.url.href);
  assert.equal(get.headers.get("Authorization"), "Bearer top.secret");
  get.error(400, "bad_symbols", { field: "symbols[0]" });
  await world.settle();

  assert.equal(ends.length, 1);
  const [failure] = ends;
  assert.deepEqual([failure.code, failure.status, failure.isFinal], ["bad_symbols", 400, true]);
  assert.deepEqual([failure.field, failure.message], ["symbols[0]", "it is bad_symbols"]);
});

test("a proxy's page is not final, and its text is not asked for", async () => {
  const { world, ends } = await open();
  world.serve(`HEAD ${STREAM}`, (asked) => asked.page(403));
  world.source.giveUp();
  await world.settle();

  assert.deepEqual(ends.map(({ code, status, isFinal }) => [code, status, isFinal]), [["blocked", 403, false]]);
  assert.deepEqual(world.asks(`GET ${STREAM}`), []);
});

test("a stream that would be served by now was cut", async () => {
  const { world, ends } = await open();
  world.serve(`HEAD ${STREAM}`, (asked) => asked.reply(null, 200, { "Content-Type": "text/event-stream" }));
  world.source.giveUp();
  await world.settle();

  assert.deepEqual(ends.map(({ code, isFinal }) => [code, isFinal]), [["cut", false]]);
  assert.deepEqual(world.asks(`GET ${STREAM}`), []);
});

test("a stream that is served just when it is asked for why was cut, and is not read", async () => {
  const { world, ends } = await open();
  let isCancelled = false;
  world.serve(`HEAD ${STREAM}`, (asked) => asked.json(null, 503));
  const endless = () => new ReadableStream({ cancel: () => void (isCancelled = true) });
  world.serve(`GET ${STREAM}`, (asked) => asked.reply(endless(), 200, { "Content-Type": "text/event-stream" }));
  world.source.giveUp();
  await world.settle();

  assert.deepEqual(ends.map(({ code, isFinal }) => [code, isFinal]), [["cut", false]]);
  assert.equal(isCancelled, true);
});

test("a server that is away when it is asked why is one that is cut off", async () => {
  const { world, ends } = await open();
  world.isAway = true;
  world.source.giveUp();
  await world.settle();

  assert.deepEqual(ends.map(({ code, isFinal }) => [code, isFinal]), [["cut", false]]);
});

test("a token that can't be had when it is asked why is no reason to wait for ever", async () => {
  let count = 0;
  const token = () => {
    if ((count += 1) > 1) throw new Error("logged out");
    return "t";
  };
  const { world, ends } = await open({ token });
  world.source.giveUp();
  await world.settle();

  assert.deepEqual(ends.map(({ code, isFinal }) => [code, isFinal]), [["cut", false]]);
});

test("only objects are messages", () => {
  assert.deepEqual(parse('{"a":1}'), { a: 1 });
  for (const text of ["", "x", "[]", "null", "true", '"a"', "1"]) assert.equal(parse(text), null, text);
});
