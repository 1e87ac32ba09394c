import assert from "node:assert/strict";
import { test } from "node:test";
import { EVENT_LIMIT } from "../../../frontend/client/eventstream.js";
import { Failure, Violation } from "../../../frontend/client/failure.js";
import { FetchedStream } from "../../../frontend/client/transports/fetched.js";
import { make } from "./support/transport.js";

const TYPE = { "Content-Type": "text/event-stream" };

/** @param {{token?: any}} [options] */
async function open(options) {
  const made = make(FetchedStream, options);
  /** @type {ReadableStreamDefaultController<Uint8Array>} */
  let body = /** @type {any} */ (null);
  const opening = made.transport.open("1-2");
  await made.world.settle();
  const { request: asked } = made.world;
  const stream = new ReadableStream({ start: (controller) => void (body = controller) });
  asked.signal?.addEventListener("abort", () => body.error(new DOMException("aborted", "AbortError")));
  asked.reply(stream, 200, TYPE);
  await opening;
  const write = async (/** @type {string} */ text) => {
    body.enqueue(new TextEncoder().encode(text));
    await made.world.settle();
  };
  return { ...made, asked, body, write };
}

test("it asks with the header, from the cursor on, and nothing of the token is in its address", async () => {
  const { asked } = await open({ token: "top.secret" });

  assert.equal(asked.route, "GET /v1/stream");
  assert.equal(asked.headers.get("Authorization"), "Bearer top.secret");
  assert.equal(asked.headers.get("Accept"), "text/event-stream");
  assert.equal(asked.query.cursor, "1-2");
  assert.equal(asked.url.href.includes("secret"), false);
});

test("events are messages as soon as they are whole", async () => {
  const { messages, write } = await open();
  await write('retry: 1500\n\nevent: hello\ndata: {"cursor":"1-2"}\n');
  assert.deepEqual(messages, []);
  await write('id: 1-2\n\nevent: news\ndata: {}\n\nevent: quote\ndata: {"cursor":"1-3"}\n\n');

  assert.deepEqual(messages, [{ type: "hello", cursor: "1-2" }, { type: "quote", cursor: "1-3" }]);
});

test("a stream that ends was cut", async () => {
  const { world, body, ends } = await open();
  body.close();
  await world.settle();

  assert.deepEqual(ends.map(({ code, isFinal }) => [code, isFinal]), [["cut", false]]);
});

test("a stream that breaks was cut", async () => {
  const { world, body, ends } = await open();
  body.error(new TypeError("network error"));
  await world.settle();

  assert.equal(ends.length, 1);
  assert.ok(ends[0] instanceof Failure);
  assert.equal(ends[0].code, "cut");
});

test("data that is no object is a violation, and ends it", async () => {
  const { asked, messages, ends, write } = await open();
  await write('event: quote\ndata: {"cursor":"1-3"}\n\nevent: quote\ndata: [1]\n\nevent: quote\ndata: {}\n\n');

  assert.deepEqual(messages.length, 1);
  assert.equal(ends.length, 1);
  assert.ok(ends[0] instanceof Violation);
  assert.equal(asked.isAborted, true);
});

test("an event without an end is a violation", async () => {
  const { ends, write } = await open();
  await write(`data: ${"x".repeat(EVENT_LIMIT)}`);

  assert.equal(ends.length, 1);
  assert.ok(ends[0] instanceof Violation);
});

test("closed, it lets the request go and tells nothing more", async () => {
  const { asked, transport, messages, ends, write, world } = await open();
  await write('event: quote\ndata: {"cursor":"1-3"}\n\n');
  transport.close();
  await world.settle();

  assert.equal(asked.isAborted, true);
  assert.deepEqual([messages.length, ends.length], [1, 0]);
});

test("closed by what it tells, it tells nothing of what came with that", async () => {
  const { listener, messages, ends, transport, write } = await open();
  listener.receive = (message) => {
    messages.push(message);
    transport.close();
  };
  await write('event: quote\ndata: {"a":1}\n\nevent: quote\ndata: {"a":2}\n\n');

  assert.deepEqual([messages.length, ends.length], [1, 0]);
});

test("an answer that is an error refuses it", async () => {
  const { world, transport } = make(FetchedStream);
  world.serve("GET /v1/stream", (asked) => asked.error(403, "forbidden"));

  await assert.rejects(transport.open(null), { code: "forbidden", isFinal: true, status: 403 });
});

test("another page in its place is not final", async () => {
  const { world, transport } = make(FetchedStream);
  world.serve("GET /v1/stream", (asked) => asked.page(200));

  await assert.rejects(transport.open(null), { code: "blocked", isFinal: false });
});

test("no answer is a cut", async () => {
  const { world, transport } = make(FetchedStream);
  world.isAway = true;

  await assert.rejects(transport.open(null), { code: "cut", isFinal: false });
});
