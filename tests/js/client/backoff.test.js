import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../../../frontend/client/backoff.js";
import { cases } from "./support/cases.js";
import { seeded } from "./support/world.js";

/** Seconds of a connection that lasted, as the cases have it. */
const STABLE = 60;

for (const { name, random, connected, waits } of cases("backoff")) {
  test(`waits: ${name}`, () => {
    const draws = [...random];
    const backoff = new Backoff(() => draws.shift());
    const waited = connected.map((/** @type {number} */ seconds) => {
      if (seconds >= STABLE) backoff.reset();
      return backoff.next();
    });

    assert.deepEqual(waited, waits);
    assert.equal(draws.length, 0);
  });
}

test("there are cases", () => {
  assert.ok(cases("backoff").length >= 4);
});

test("waits fill the whole range, so that clients don't come back together", () => {
  const random = seeded(1);
  const firsts = Array.from({ length: 1000 }, () => new Backoff(random).next());

  assert.ok(Math.min(...firsts) < 0.02 && Math.max(...firsts) > 0.98);
  assert.ok(Math.max(...firsts) <= 1);
});

test("its settings can be others", () => {
  const backoff = new Backoff(() => 1, { base: 2, factor: 10, limit: 50 });

  assert.deepEqual([backoff.next(), backoff.next(), backoff.next()], [2, 20, 50]);
});
