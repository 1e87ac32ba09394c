import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { takeSlot, waitForSlot } from "../../../frontend/client/slots.js";
import { FakeLocks, giveLocks } from "./support/locks.js";
import { settle } from "./support/clock.js";

afterEach(() => giveLocks(undefined));

test("without locks there is always a slot", async () => {
  giveLocks(undefined);

  assert.equal(await takeSlot(), true);
});

test("there are four slots for all tabs", async () => {
  const locks = giveLocks(new FakeLocks());
  const taken = [];
  for (let tab = 0; tab < 6; tab += 1) taken.push(await takeSlot());

  assert.deepEqual(taken, [true, true, true, true, false, false]);
  assert.equal(locks.held.size, 4);
});

test("who waits gets the first slot that becomes free, holds it and waits for no other", async () => {
  const locks = giveLocks(new FakeLocks());
  for (let tab = 0; tab < 4; tab += 1) await takeSlot();
  let isHere = false;
  const waiting = waitForSlot().then(() => (isHere = true));
  await settle();
  assert.equal(isHere, false);
  locks.release("ticker stream 3");
  await waiting;
  locks.release("ticker stream 1");
  await settle();

  assert.equal(locks.held.has("ticker stream 3"), true);
  assert.equal(locks.held.has("ticker stream 1"), false);
  assert.equal(locks.waiting, 0);
});

test("who waits while several slots are free holds one only", async () => {
  const locks = giveLocks(new FakeLocks());
  await waitForSlot();
  await settle();

  assert.equal(locks.held.size, 1);
  assert.equal(locks.waiting, 0);
});

test("of several who wait, one is served at a time", async () => {
  const locks = giveLocks(new FakeLocks());
  for (let tab = 0; tab < 4; tab += 1) await takeSlot();
  let served = 0;
  for (let tab = 0; tab < 2; tab += 1) waitForSlot().then(() => (served += 1));
  await settle();
  locks.release("ticker stream 2");
  await settle();
  assert.equal(served, 1);
  locks.release("ticker stream 4");
  await settle();

  assert.equal(served, 2);
  assert.equal(locks.held.size, 3 + 1);
});
