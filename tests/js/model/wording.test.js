import assert from "node:assert/strict";
import { test } from "node:test";
import { gapText, lostText, pillOf, recoveryText } from "../../../frontend/model/wording.js";

const NOW = 1_763_900_000_000;

/** @param {object} more @returns {any} */
function status(more) {
  return { state: "live", since: NOW - 1000, last: NOW, attempt: 0, retryAt: null, failure: null, replay: { of: 0, done: 0 }, ...more };
}

/** @param {object} more @param {object} [facts] */
function words(more, facts = {}) {
  const { icon, word, text, action } = pillOf(status(more), { now: NOW, waiting: null, lastTick: NOW, ...facts });
  return [`${icon} ${word} ${text}`.trim(), action];
}

test("every state has its words", () => {
  assert.deepEqual(words({}), ["● LIVE", null]);
  assert.deepEqual(words({ state: "connecting", attempt: 1 }), ["◌ CONNECTING", null]);
  assert.deepEqual(words({ state: "replaying", replay: { of: 1003, done: 412 } }), ["⟳ REPLAYING 412/1003", null]);
  assert.deepEqual(words({ state: "stale", last: NOW - 8000 }), ["◔ STALE 8 s", "now"]);
  const waiting = { state: "reconnecting", attempt: 2, retryAt: NOW + 2500 };
  assert.deepEqual(words(waiting), ["✕ RECONNECTING in 3 s (try 2)", "now"]);
  assert.deepEqual(words({ state: "reconnecting", attempt: 1 }), ["✕ RECONNECTING", null]);
  const refused = { state: "refused", failure: { code: "rate_limited", message: "", status: 429 } };
  assert.deepEqual(words(refused), ["⛔ REFUSED 429", "retry"]);
  assert.deepEqual(words({ state: "refused", failure: { code: "replaced", status: null } }), ["⛔ REFUSED replaced", "retry"]);
  assert.deepEqual(words({ state: "paused" }), ["⏸ PAUSED at the server", null]);
  assert.deepEqual(words({ state: "closed" }), ["✕ CLOSED", "retry"]);
});

test("before the first status it is connecting", () => {
  assert.equal(pillOf(null, { now: NOW, waiting: null, lastTick: 0 }).word, "CONNECTING");
});

test("a quiet market is no cut", () => {
  assert.deepEqual(words({ since: NOW - 60_000 }, { lastTick: NOW - 40_000 }), ["● LIVE quiet 40 s", null]);
});

test("a paused page says how many wait", () => {
  assert.deepEqual(words({}, { waiting: 1204 }), ["⏸ PAUSED (1204 waiting)", null]);
});

test("a paused page hides no cut", () => {
  const cut = words({ state: "reconnecting", attempt: 1, retryAt: NOW + 1000 }, { waiting: 5 });

  assert.deepEqual(cut, ["⏸ PAUSED (5 waiting) · ✕ RECONNECTING in 1 s", "now"]);
});

test("what was lost is said, also if nobody knows how much", () => {
  /** @param {number} lost @param {number} unsized */
  const text = (lost, unsized) => lostText(/** @type {any} */ ({ lost, unsized }));

  assert.deepEqual([text(0, 0), text(7, 0), text(0, 1), text(7, 1)], ["lost 0", "lost 7", "lost ?", "lost 7 and more"]);
});

test("a recovery is a sum", () => {
  /** @type {any} */
  const whole = { cause: "cut", at: NOW, until: NOW + 5000, transport: "sse", missed: 1003, replayed: 1003, duplicates: 0, gaps: 0, lost: 0, isComplete: true };

  assert.equal(recoveryText(whole), "cut 5.0 s: missed 1003, replayed 1003, duplicate 0, lost 0 ✓");
  assert.match(recoveryText({ ...whole, cause: "switch" }), /^switch 5.0 s/);
  const broken = { ...whole, missed: 0, replayed: 0, lost: null, isComplete: false };
  assert.equal(recoveryText(broken), "cut 5.0 s: missed 0, replayed 0, duplicate 0, lost unknown ✕");
});

test("a gap says how much and why", () => {
  assert.match(gapText({ reason: "evicted", lost: 1203 }), /^1203 ticks of the market are lost: you were away longer/);
  assert.match(gapText({ reason: "restarted", lost: null }), /^An unknown number of ticks is lost: the server was started/);
});
