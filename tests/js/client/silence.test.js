import assert from "node:assert/strict";
import { test } from "node:test";
import { Silence } from "../../../frontend/client/silence.js";

const NOW = 1_763_900_000_000;

/** A connection on which something came every so many milliseconds. @param {number} pause @param {number} times */
function pace(pause, times) {
  const silence = new Silence(NOW);
  for (let time = 1; time <= times; time += 1) silence.end(NOW + time * pause);
  return silence;
}

test("a new connection may say nothing for a heartbeat and its grace", () => {
  const silence = new Silence(NOW);

  assert.equal(silence.isLong(NOW + 17_000), false);
  assert.equal(silence.isLong(NOW + 17_001), true);
});

test("a lively stream is too long silent after three seconds", () => {
  const silence = pace(50, 200);

  assert.equal(silence.isLong(silence.last + 3000), false);
  assert.equal(silence.isLong(silence.last + 3001), true);
});

test("a slower stream is too long silent after ten of its pauses", () => {
  const silence = pace(800, 500);

  assert.equal(silence.isLong(silence.last + 7990), false);
  assert.equal(silence.isLong(silence.last + 8010), true);
});

test("a heartbeat that is missing is too long, however slow the stream", () => {
  const silence = pace(10_000, 500);
  silence.heartbeat = 5;

  assert.equal(silence.isLong(silence.last + 7000), false);
  assert.equal(silence.isLong(silence.last + 7001), true);
});

test("two heartbeats that are missing are the end", () => {
  const silence = pace(50, 200);

  assert.equal(silence.isDead(silence.last + 30_000), false);
  assert.equal(silence.isDead(silence.last + 30_001), true);
  silence.heartbeat = 1;
  assert.equal(silence.isDead(silence.last + 2001), true);
});

test("a new connection forgets the pace of the last one", () => {
  const silence = pace(50, 200);
  silence.begin(silence.last + 60_000);

  assert.equal(silence.length(silence.last), 0);
  assert.equal(silence.isLong(silence.last + 10_000), false);
});

test("the length is what has passed since something came", () => {
  assert.equal(pace(50, 2).length(NOW + 350), 250);
});
