import assert from "node:assert/strict";
import { test } from "node:test";
import { answerFailure, Failure, opFailure, Violation } from "../../../frontend/client/failure.js";

/** @param {number} status @param {any} body @param {Record<string, string>} [headers] */
function answer(status, body, headers = {}) {
  return answerFailure(new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers }));
}

/** @param {string} code @param {object} [more] */
function error(code, more = {}) {
  return { error: { code, message: "why", ...more } };
}

test("what is not known of a failure is null, and it is not final", () => {
  const failure = new Failure("cut", "the network");

  assert.ok(failure instanceof Error);
  assert.equal(failure.message, "the network");
  const { code, retryAfter, isFinal, status, reached, field } = failure;
  assert.deepEqual({ code, retryAfter, isFinal, status, reached, field }, {
    ...{ code: "cut", retryAfter: null, isFinal: false, status: null, reached: null, field: null },
  });
});

test("a violation is a failure that passes", () => {
  const violation = new Violation("a hole");

  assert.ok(violation instanceof Failure);
  assert.deepEqual([violation.code, violation.isFinal, violation.name], ["violation", false, "Violation"]);
});

for (const [status, code] of /** @type {[number, string][]} */ ([
  [400, "bad_cursor"],
  [401, "unauthorized"],
  [403, "forbidden"],
  [404, "not_found"],
  [405, "method_not_allowed"],
  [414, "uri_too_long"],
  [415, "unsupported_media_type"],
  [421, "misdirected"],
])) {
  test(`${status} ${code} of the server is final`, async () => {
    const failure = await answer(status, error(code, { field: "cursor" }));

    assert.deepEqual([failure.code, failure.message, failure.field, failure.status], [code, "why", "cursor", status]);
    assert.equal(failure.isFinal, true);
    assert.equal(failure.retryAfter, null);
  });
}

for (const [status, code] of /** @type {[number, string][]} */ ([
  [408, "timeout"],
  [425, "too_early"],
  [429, "rate_limited"],
  [429, "too_many"],
  [500, "internal"],
  [503, "draining"],
  [503, "cut"],
])) {
  test(`${status} ${code} of the server passes, after a second unless it says when`, async () => {
    const failure = await answer(status, error(code));

    assert.deepEqual([failure.code, failure.isFinal, failure.retryAfter, failure.status], [code, false, 1, status]);
  });
}

test("the time to come back is the error's, else the header's", async () => {
  const both = await answer(503, error("draining", { retry_after: 2.5 }), { "Retry-After": "9" });
  const header = await answer(429, error("rate_limited"), { "Retry-After": "9" });

  assert.equal(both.retryAfter, 2.5);
  assert.equal(header.retryAfter, 9);
});

test("a date to come back at is not understood", async () => {
  const failure = await answer(503, error("draining"), { "Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT" });

  assert.equal(failure.retryAfter, 1);
});

for (const [name, body] of Object.entries({
  "a proxy's page": "<h1>Forbidden</h1>",
  "another program's JSON": { detail: "Forbidden" },
  "an error without a code": { error: "Forbidden" },
  "JSON that is no object": [1],
  "JSON that is null": "null",
  "no body": "",
})) {
  test(`${name} is not final, whatever its status`, async () => {
    for (const status of [401, 403, 404, 407, 502]) {
      const failure = await answer(status, body);
      assert.deepEqual([failure.code, failure.isFinal, failure.status], ["blocked", false, status]);
      assert.equal(failure.retryAfter, null);
    }
  });
}

test("a proxy may say when to come back", async () => {
  assert.equal((await answer(503, "<h1>Busy</h1>", { "Retry-After": "30" })).retryAfter, 30);
});

test("an answer that breaks off is one that no server wrote", async () => {
  const text = () => Promise.reject(new Error("cut"));
  const failure = await answerFailure({ status: 400, headers: new Headers(), text });

  assert.deepEqual([failure.code, failure.isFinal], ["blocked", false]);
});

test("an op's error is final unless its code is one that passes", () => {
  for (const code of ["bad_request", "bad_symbols", "bad_cursor", "unauthorized", "forbidden", "not_found"]) {
    const failure = opFailure({ type: "error", id: 1, code, message: "why", field: "symbols[0]" });
    assert.deepEqual([failure.code, failure.message, failure.field], [code, "why", "symbols[0]"]);
    assert.deepEqual([failure.isFinal, failure.retryAfter], [true, null]);
  }
  for (const code of ["rate_limited", "too_many", "not_ready", "draining", "overloaded", "cut"]) {
    assert.deepEqual([opFailure({ code }).isFinal, opFailure({ code }).retryAfter], [false, 1]);
    assert.equal(opFailure({ code, retry_after: 0.5 }).retryAfter, 0.5);
  }
});
