import assert from "node:assert/strict";
import { test } from "node:test";
import { Follower } from "../../../frontend/client/follower.js";
import { Recovery } from "../../../frontend/client/recovery.js";
import { batch, gap, heartbeat, hello, page, quote, snapshot, subscription } from "./support/messages.js";

/** A follower with the place 1-10 whose breaks are counted. */
function begin() {
  const follower = new Follower("1-10");
  follower.receive(hello(10));
  const recovery = new Recovery();

  /** Take messages, and return what the last of them made known. @param {number} now @param {any[]} messages */
  function take(now, ...messages) {
    const all = messages.map((message) => {
      follower.receive(message);
      return recovery.take(message, now, follower, "sse");
    });
    assert.ok(all.slice(0, -1).every((recovered) => recovered === null));
    return all.at(-1) ?? null;
  }

  /** @param {number} now @param {"cut" | "switch"} [cause] */
  const lose = (now, cause = "cut") => {
    recovery.begin(now, cause, follower.statistics);
    follower.begin();
  };
  return { follower, take, lose };
}

/** @param {number} seq @param {any[]} ticks @param {object} [more] */
function poll(seq, ticks, more) {
  return { type: "poll", ...page(seq, ticks, more) };
}

/** @param {object} more */
function whole(more) {
  const none = { cause: "cut", transport: "sse", missed: 0, replayed: 0, duplicates: 0, gaps: 0, lost: 0 };
  return { ...none, isComplete: true, ...more };
}

test("without a break there is nothing to recover", () => {
  const { take } = begin();

  assert.equal(take(1, quote(11), heartbeat(11, 1)), null);
});

test("a break that missed nothing is over at hello", () => {
  const { lose, take } = begin();
  lose(1000);

  assert.deepEqual(take(3000, hello(10)), whole({ at: 1000, until: 3000 }));
  assert.equal(take(4000, quote(11), heartbeat(11, 1)), null);
});

test("a replay is over at the heartbeat that proves it", () => {
  const { lose, take } = begin();
  lose(1000);
  const all = [quote(11), quote(13), quote(14)];
  assert.equal(take(3000, hello(10, { newest: "1-14", replay: 3 }), batch(10, 14, all)), null);

  assert.deepEqual(take(3500, heartbeat(14, 3)), whole({ at: 1000, until: 3000, missed: 3, replayed: 3 }));
});

test("live ticks before the proof count neither as missed nor as replayed", () => {
  const { lose, take } = begin();
  lose(1000);
  take(3000, hello(10, { newest: "1-12", replay: 2 }), batch(10, 12, [quote(11), quote(12)]), quote(13), quote(14));

  assert.deepEqual(take(3500, heartbeat(14, 4)), whole({ at: 1000, until: 3000, missed: 2, replayed: 2 }));
});

test("a replay of less than the server had said is not complete", () => {
  const { lose, take } = begin();
  lose(1000);
  const recovered = take(3000, hello(10, { newest: "1-14", replay: 3 }), batch(10, 14, [quote(11)]), heartbeat(14, 1));

  assert.deepEqual(recovered, whole({ at: 1000, until: 3000, missed: 3, replayed: 1, isComplete: false }));
});

test("ticks that come twice are counted", () => {
  const { lose, take } = begin();
  lose(1000);
  const recovered = take(3000, hello(9, { newest: "1-11", replay: 1 }), quote(10), quote(11), heartbeat(11, 2));

  assert.deepEqual(recovered, whole({ at: 1000, until: 3000, missed: 1, replayed: 1, duplicates: 1 }));
});

test("a gap is over with its snapshot, and not complete", () => {
  const { lose, take } = begin();
  lose(1000);
  const recovered = take(3000, hello(19, { follows: "gap" }), gap(11, 19), snapshot(19));

  assert.deepEqual(recovered, whole({ at: 1000, until: 3000, gaps: 1, lost: 9, isComplete: false }));
});

test("of a gap of unknown size nobody knows what it lost", () => {
  const { lose, take } = begin();
  lose(1000);
  const recovered = take(3000, hello("2-5", { follows: "gap" }), gap(0, 0, { from: null, lost: null }), snapshot(19));

  assert.deepEqual(recovered, whole({ at: 1000, until: 3000, gaps: 1, lost: null, isComplete: false }));
});

test("a gap of unknown size is not held against a later break", () => {
  const { lose, take } = begin();
  lose(1000);
  take(3000, hello(19, { follows: "gap" }), gap(11, 19, { lost: null }), snapshot(19));
  lose(5000);

  assert.deepEqual(take(6000, hello(19)), whole({ at: 5000, until: 6000 }));
});

test("a snapshot of names that were added ends no recovery", () => {
  const { lose, take } = begin();
  lose(1000);
  take(3000, hello(10, { newest: "1-14", replay: 1 }));
  assert.equal(take(3000, subscription(12, ["A", "B"]), snapshot(12, { scope: "added" })), null);

  assert.equal(take(3000, quote(13), heartbeat(14, 1))?.isComplete, true);
});

test("a loss while the connection is not back is the same one", () => {
  const { lose, take } = begin();
  lose(1000);
  lose(2000);

  assert.deepEqual(take(3000, hello(10)), whole({ at: 1000, until: 3000 }));
});

test("a replay that is cut goes on, and is complete in the end", () => {
  const { lose, take } = begin();
  lose(1000);
  take(2000, hello(10, { newest: "1-20", replay: 10 }), batch(10, 14, [11, 12, 13, 14].map((seq) => quote(seq))));
  lose(3000);
  take(4000, hello(14, { newest: "1-22", replay: 8 }));
  const rest = [15, 16, 17, 18, 19, 20, 21, 22].map((seq) => quote(seq));
  const recovered = take(4000, batch(14, 22, rest), heartbeat(22, 8));

  assert.deepEqual(recovered, whole({ at: 1000, until: 4000, missed: 12, replayed: 12 }));
});

test("a replay that is cut and then short is not complete", () => {
  const { lose, take } = begin();
  lose(1000);
  take(2000, hello(10, { newest: "1-20", replay: 10 }), batch(10, 14, [11, 12, 13, 14].map((seq) => quote(seq))));
  lose(3000);
  const recovered = take(4000, hello(14, { newest: "1-22", replay: 8 }), batch(14, 22, [quote(22)]), heartbeat(22, 1));

  assert.deepEqual(recovered, whole({ at: 1000, until: 4000, missed: 12, replayed: 5, isComplete: false }));
});

test("a message of the old connection that comes after the loss does not hide the next hello", () => {
  const { lose, take } = begin();
  lose(1000, "switch");
  take(1000, quote(11));
  take(3000, hello(11, { newest: "1-13", replay: 2 }), batch(11, 13, [quote(12), quote(13)]));

  const recovered = take(3500, heartbeat(13, 2));
  assert.deepEqual(recovered, whole({ cause: "switch", at: 1000, until: 3000, missed: 2, replayed: 2 }));
});

test("a heartbeat in the middle of a replay does not end it", () => {
  const { lose, take } = begin();
  lose(1000);
  take(3000, hello(10, { newest: "1-12", replay: 2 }), quote(11), heartbeat(11, 1, 12));
  const recovered = take(9000, quote(12), heartbeat(12, 2));

  assert.deepEqual(recovered, whole({ at: 1000, until: 3000, missed: 2, replayed: 2 }));
});

test("what a pause holds back is awaited", () => {
  const { follower, lose, take } = begin();
  lose(1000);
  take(2000, hello(10, { newest: "1-12", replay: 2 }), heartbeat(10, 0, 13), heartbeat(10, 0, 14));
  assert.equal(follower.phase, "paused");

  const recovered = take(60_000, batch(10, 13, [quote(11), quote(12), quote(13)]), heartbeat(13, 3));
  assert.deepEqual(recovered, whole({ at: 1000, until: 2000, missed: 2, replayed: 2 }));
});

test("polls count what they bring until there is no more", () => {
  const { lose, take } = begin();
  lose(1000);
  assert.equal(take(3000, poll(12, [quote(11), quote(12)], { more: true })), null);

  assert.deepEqual(take(3100, poll(13, [quote(13)])), whole({ at: 1000, until: 3000, missed: 3, replayed: 3 }));
});

test("polls that are cut before the end begin again, and count what both brought", () => {
  const { lose, take } = begin();
  lose(1000);
  take(2000, poll(12, [quote(11), quote(12)], { more: true }));
  lose(3000);

  assert.deepEqual(take(4000, poll(13, [quote(13)])), whole({ at: 1000, until: 4000, missed: 3, replayed: 3 }));
});

test("a later break counts nothing of an earlier one", () => {
  const { lose, take } = begin();
  lose(1000);
  take(2000, poll(20, [quote(15), quote(15), quote(20)], { gap: gap(11, 14), snapshot: snapshot(14) }));
  lose(3000);
  assert.deepEqual(take(4000, poll(21, [quote(21)])), whole({ at: 3000, until: 4000, missed: 1, replayed: 1 }));
  lose(5000);
  take(6000, hello(21, { newest: "1-22", replay: 1 }), quote(22));
  assert.equal(take(6000, heartbeat(22, 1))?.replayed, 1);
  lose(7000);
  const recovered = take(8000, hello(22, { newest: "1-23", replay: 1 }), quote(23), heartbeat(23, 1));

  assert.deepEqual(recovered, whole({ at: 7000, until: 8000, missed: 1, replayed: 1 }));
});

test("a poll that brings a gap is not complete", () => {
  const { lose, take } = begin();
  lose(1000);
  const recovered = take(3000, poll(20, [quote(20)], { gap: gap(11, 19), snapshot: snapshot(19) }));

  const counts = { missed: 1, replayed: 1, gaps: 1, lost: 9, isComplete: false };
  assert.deepEqual(recovered, whole({ at: 1000, until: 3000, ...counts }));
});

test("a stream that comes back after a poll was cut counts its own replay", () => {
  const { lose, take } = begin();
  lose(1000);
  take(2000, poll(12, [quote(11), quote(12)], { more: true }));
  lose(3000);
  const recovered = take(4000, hello(12, { newest: "1-13", replay: 1 }), quote(13), heartbeat(13, 1));

  assert.equal(recovered?.isComplete, true);
  assert.equal(recovered?.missed, recovered?.replayed);
});

test("the cause is that of the first loss", () => {
  const { lose, take } = begin();
  lose(1000, "switch");
  lose(1100, "cut");
  assert.equal(take(3000, hello(10))?.cause, "switch");
  lose(5000);

  assert.equal(take(6000, hello(10))?.cause, "cut");
});
