import assert from "node:assert/strict";
import { test } from "node:test";
import { Request } from "../../../frontend/client/request.js";
import { HOME, World } from "./support/world.js";

const SECRET = "top.secret.token";

/** @param {object} [options] */
function begin(options = {}) {
  const world = new World();
  const subscription = { symbols: ["A", "BTC*"], types: ["quote", "trade"], interval: "1m" };
  const request = new Request(HOME, "the-session", subscription, options, world.env);
  return { world, request };
}

test("a query says what the server holds, and where to go on", () => {
  const { request } = begin();
  const common = { symbols: "A,BTC*", types: "quote,trade", interval: "1m", session: "the-session", batch: "1" };

  assert.deepEqual(request.query("1-2"), { ...common, cursor: "1-2" });
  assert.deepEqual(request.query(null), common);
  request.effective = { ...request.effective, symbols: ["A"], types: ["bar"], interval: "5s" };
  assert.deepEqual(request.query(null), { ...common, symbols: "A", types: "bar", interval: "5s" });
});

test("a query says how ticks are conflated, if they are", () => {
  assert.equal(begin({ conflate: 250 }).request.query(null).conflate, "250");
  assert.equal("conflate" in begin({ conflate: 0 }).request.query(null), false);
});

test("no names is an empty list, which is none, and not all", () => {
  const { request } = begin();
  request.effective = { ...request.effective, symbols: [] };

  assert.equal(request.query(null).symbols, "");
  assert.match(request.address("/v1/stream", request.query(null)), /[?&]symbols=&/);
});

test("a list that is too long for a URL becomes all, and any other stays whole", () => {
  const { request } = begin();
  let names = 1;
  for (; names < 5000; names += 1) {
    request.effective = { ...request.effective, symbols: Array.from({ length: names }, (_, n) => `SYM/${n}`) };
    const { symbols } = request.query("9007199254740991-9007199254740991");
    if (symbols === "*") break;
    assert.equal(symbols.split(",").length, names);
  }
  assert.ok(names > 400 && names < 1000, `${names} names`);
  request.effective = { ...request.effective, symbols: request.effective.symbols.slice(1) };
  const query = { ...request.query("9007199254740991-9007199254740991"), wait: "25", ticket: "t".repeat(500) };

  assert.ok(request.address("/v1/stream", query).length < 8192);
});

test("addresses are encoded, and lead to where the server is", () => {
  const world = new World();
  const empty = { symbols: [], types: [], interval: "1m" };
  const request = new Request("https://ticker.test/market//", "s", empty, {}, world.env);

  assert.equal(request.address("/v1/poll"), "https://ticker.test/market/v1/poll");
  const encoded = "https://ticker.test/market/v1/poll?symbols=EUR%2FUSD%2CB*";
  assert.equal(request.address("/v1/poll", { symbols: "EUR/USD,B*" }), encoded);
  assert.equal(request.socketAddress({ a: "b" }), "wss://ticker.test/market/v1/ws?a=b");
  assert.equal(begin().request.socketAddress({}), "ws://ticker.test/v1/ws");
});

test("a token goes into a header, whether it is a text or is asked for each time", async () => {
  let count = 0;
  const renewing = begin({ token: async () => `${SECRET}-${(count += 1)}` }).request;

  assert.deepEqual(await begin({ token: SECRET }).request.headers(), { Authorization: `Bearer ${SECRET}` });
  assert.deepEqual(await renewing.headers(), { Authorization: `Bearer ${SECRET}-1` });
  assert.deepEqual(await renewing.headers(), { Authorization: `Bearer ${SECRET}-2` });
});

test("without a token there is no header", async () => {
  assert.deepEqual(await begin().request.headers(), {});
  assert.deepEqual(await begin({ token: "" }).request.headers(), {});
  assert.deepEqual(await begin({ token: () => "" }).request.headers(), {});
});

test("a ticket for a stream names its session; one for a socket doesn't", async () => {
  const { world, request } = begin({ token: SECRET });
  world.serve("POST /v1/ticket", (asked) => asked.json({ ticket: `t${world.asked.length}`, expires: 1 }));
  assert.deepEqual(await request.ticket(true), { ticket: "t1" });
  assert.deepEqual(await request.ticket(false), { ticket: "t2" });

  assert.deepEqual(world.asked.map(({ body }) => body), [{ session: "the-session" }, {}]);
  for (const asked of world.asked) {
    assert.equal(asked.headers.get("Authorization"), `Bearer ${SECRET}`);
    assert.equal(asked.headers.get("Content-Type"), "application/json");
    assert.equal(asked.url.href, `${HOME}/v1/ticket`);
  }
});

test("without a token nobody asks for a ticket", async () => {
  const { world, request } = begin();

  assert.deepEqual(await request.ticket(true), {});
  assert.deepEqual(world.asked, []);
});

test("a server that knows no tickets wants none", async () => {
  const { world, request } = begin({ token: SECRET });
  world.serve("POST /v1/ticket", (asked) => asked.error(404, "not_found"));

  assert.deepEqual(await request.ticket(true), {});
});

test("a ticket that is refused is a failure", async () => {
  const { world, request } = begin({ token: SECRET });
  world.serve("POST /v1/ticket", (asked) => asked.error(401, "unauthorized"));

  await assert.rejects(request.ticket(true), { name: "Failure", code: "unauthorized", isFinal: true, status: 401 });
});

test("JSON is asked for with the credential, and never from a cache", async () => {
  const { world, request } = begin({ token: SECRET });
  world.serve("PATCH /v1/sessions/s", (asked) => asked.json({ symbols: ["A"] }));
  const answer = await request.json("PATCH", "/v1/sessions/s", { body: '{"op":"set"}', query: { a: "b" } });

  assert.deepEqual(answer, { symbols: ["A"] });
  const { headers, body, query, rest } = world.request;
  assert.equal(headers.get("Authorization"), `Bearer ${SECRET}`);
  assert.equal(headers.get("Content-Type"), "application/json");
  assert.deepEqual([body, query], [{ op: "set" }, { a: "b" }]);
  assert.equal(rest.cache, "no-store");
});

test("a request without a body names no type", async () => {
  const { world, request } = begin();
  world.serve("GET /v1/symbols", (asked) => asked.json({}));
  await request.json("GET", "/v1/symbols");

  assert.equal(world.request.headers.has("Content-Type"), false);
});

test("an answer that is an error is a failure, and so is none", async () => {
  const { world, request } = begin();
  world.serve("GET /v1/symbols", (asked) => asked.error(503, "draining", { retry_after: 4 }));
  await assert.rejects(request.json("GET", "/v1/symbols"), { code: "draining", retryAfter: 4, isFinal: false });
  world.isAway = true;

  await assert.rejects(request.json("GET", "/v1/symbols"), { name: "Failure", code: "cut", isFinal: false });
});

test("an answer that is no JSON is a failure that passes", async () => {
  const { world, request } = begin();
  world.serve("GET /v1/symbols", (asked) => asked.page(200));

  await assert.rejects(request.json("GET", "/v1/symbols"), { name: "Failure", code: "blocked", isFinal: false });
});
