import assert from "node:assert/strict";
import { test } from "node:test";
import { Violation } from "../../../frontend/client/failure.js";
import { Follower } from "../../../frontend/client/follower.js";
import { cases, spellOut } from "./support/cases.js";
import { batch, gap, heartbeat, hello, page, quote, snapshot, trade } from "./support/messages.js";

/** Every quote and trade inside messages. @param {any} value @returns {any[]} */
function ticksOf(value) {
  if (value === null || typeof value !== "object") return [];
  if (value.type === "quote" || value.type === "trade") return [value];
  return Object.values(value).flatMap(ticksOf);
}

/** Give a tick that a case yields without its cursor the one with which it came.
 * @param {any} item @param {any[]} came */
function withPlace(item, came) {
  if ((item.type !== "quote" && item.type !== "trade") || item.cursor) return item;
  const { cursor } = came.find(({ cursor, ...rest }) => JSON.stringify(rest) === JSON.stringify(item));
  return { ...item, cursor };
}

/** @param {any} message @param {Follower} follower @param {boolean} isLoss */
function receive(message, follower, isLoss) {
  if (!isLoss) return follower.receive(message);
  assert.throws(() => follower.receive(message), Violation);
  return [];
}

for (const given of cases("follower")) {
  test(`follower: ${given.name}`, () => {
    const messages = spellOut(given.messages);
    const expected = spellOut(given.yields).map((/** @type {any} */ item) => withPlace(item, ticksOf(messages)));
    const follower = new Follower(given.cursor);
    const last = messages.length - 1;
    const items = messages.flatMap((/** @type {any} */ message, /** @type {number} */ place) =>
      receive(message, follower, Boolean(given.violation) && place === last),
    );
    const unsized = expected.filter((/** @type {any} */ item) => item.type === "gap" && item.lost === null).length;
    const counts = unsized ? { ...given.counts, unsized } : given.counts;

    assert.deepEqual(items, expected);
    assert.equal(follower.position, given.after);
    assert.deepEqual(Object.fromEntries(Object.entries(follower.statistics).filter(([, count]) => count)), counts);
    assert.equal(follower.phase, given.state ?? "live");
  });
}

test("there are cases, with gaps of unknown size and violations among them", () => {
  const all = cases("follower");

  assert.ok(all.length >= 34);
  assert.ok(all.some(({ violation }) => violation));
  assert.ok(all.some(({ yields }) => yields.some((/** @type {any} */ item) => item.lost === null)));
});

test("what a replay has brought is counted against what hello promised", () => {
  const follower = new Follower("1-1");
  follower.receive(hello(1, { newest: "1-5", replay: 3 }));
  assert.deepEqual(follower.replay, { of: 3, done: 0 });
  follower.receive(batch(1, 4, [quote(2), trade(4)]));
  assert.deepEqual(follower.replay, { of: 3, done: 2 });
  follower.receive(batch(4, 6, [quote(5), trade(6)]));

  assert.deepEqual(follower.replay, { of: 3, done: 3 });
  assert.equal(follower.phase, "live");
});

test("a connection that begins forgets what belonged to the last one, but not the place", () => {
  const follower = new Follower();
  assert.deepEqual(follower.replay, { of: 0, done: 0 });
  follower.receive(hello(1, { newest: "1-5", replay: 3 }));
  follower.receive(quote(2));
  follower.receive(heartbeat(2, 1));
  follower.receive(gap(3, 5));
  follower.begin();

  assert.deepEqual(follower.replay, { of: 0, done: 0 });
  assert.equal(follower.position, "1-2");
  assert.throws(() => follower.receive(snapshot(5)), Violation);
  assert.deepEqual(follower.receive(heartbeat(2, 0, 9)), []);
  assert.notEqual(follower.phase, "paused");
  follower.receive({ type: "poll", ...page(3, [quote(3)]) });
  assert.equal(follower.statistics.replayed, 1);
});

test("one that has no place begins at hello, unless something follows it", () => {
  const follower = new Follower();
  follower.receive(hello(4, { follows: "snapshot" }));
  assert.equal(follower.position, null);
  follower.receive(hello(4));

  assert.equal(follower.position, "1-4");
});

test("a stream that leaves out one place only is a violation too", () => {
  assert.throws(() => new Follower("1-5").receive(hello(6)), Violation);
  assert.throws(() => new Follower("1-5").receive(batch(6, 7, [quote(7)])), Violation);
  assert.throws(() => new Follower("1-5").receive(batch(3, 4, [quote(4)])), Violation);
});

test("a gap is told once: another snapshot of all needs another one", () => {
  const follower = new Follower("1-2");
  follower.receive(hello(9, { follows: "gap" }));
  follower.receive(gap(3, 9));
  follower.receive(snapshot(9));

  assert.throws(() => follower.receive(snapshot(12)), Violation);
  assert.equal(follower.statistics.gaps, 1);
});

test("a snapshot of names that were added moves the position", () => {
  const follower = new Follower("1-2");
  follower.receive(snapshot(5, { scope: "added" }));

  assert.equal(follower.position, "1-5");
});

test("a heartbeat before and after a tick means no pause, two without one do", () => {
  const follower = new Follower("1-1");
  follower.receive(hello(1));
  follower.receive(heartbeat(1, 0, 2));
  follower.receive(quote(2));
  follower.receive(heartbeat(2, 1, 3));
  assert.equal(follower.phase, "live");
  follower.receive(heartbeat(2, 1, 3));

  assert.equal(follower.phase, "paused");
});

test("an answer to a poll is live, also if nothing has come", () => {
  const follower = new Follower("1-2");
  follower.receive({ type: "poll", ...page(2) });

  assert.equal(follower.phase, "live");
});

test("a bar that comes again is dropped while the position stands still, also after a heartbeat", () => {
  const follower = new Follower("1-1");
  const bar = { type: "bar", symbol: "A", interval: "1s", ts: 0 };
  assert.deepEqual(follower.receive(bar), [bar]);
  follower.receive(hello(1));
  follower.receive(heartbeat(1, 0));

  assert.deepEqual(follower.receive(bar), []);
});

test("a hello of another kind of replay is live at once", () => {
  const follower = new Follower("1-1");
  follower.receive({ ...hello(1), replay: undefined });

  assert.equal(follower.phase, "live");
  assert.deepEqual(follower.replay, { of: 0, done: 0 });
});

test("messages that it does not know mean nothing", () => {
  const follower = new Follower("1-1");

  assert.deepEqual(follower.receive({ type: "news", cursor: "1-9" }), []);
  assert.equal(follower.position, "1-1");
});

for (const [name, message] of Object.entries({
  "a hello without a cursor": { ...hello(1), cursor: undefined },
  "a hello that does not name the newest": { ...hello(1), newest: undefined },
  "a tick without a cursor": { ...quote(1), cursor: undefined },
  "a snapshot without a cursor": { ...snapshot(1), cursor: null },
  "a batch without a beginning": { ...batch(1, 2, [quote(2)]), from: undefined },
  "a batch without an end": { ...batch(1, 2, [quote(2)]), to: "soon" },
  "a batch without ticks": { type: "ticks", from: "1-0", to: "1-2" },
  "a batch of words": { type: "ticks", from: "1-0", to: "1-2", ticks: ["q1"] },
  "a heartbeat without a cursor": { ...heartbeat(1, 0), cursor: 7 },
  "a page without a cursor": { type: "poll", ...page(1), cursor: undefined },
})) {
  test(`${name} is a violation, whether or not there is a place already`, () => {
    for (const position of [null, "1-0"]) {
      const follower = new Follower(position);

      assert.throws(() => follower.receive(message), Violation);
      assert.equal(follower.position, position);
    }
  });
}

test("ticks that came with one that is wrong don't count: they will come again", () => {
  const wrong = [quote(1), { ...quote(2), cursor: "soon" }];
  const answer = page(3, wrong, { gap: gap(1, 2), snapshot: snapshot(2) });
  for (const message of [batch(0, 3, wrong), { type: "poll", ...answer }]) {
    const follower = new Follower("1-0");

    assert.throws(() => follower.receive(message), Violation);
    assert.equal(follower.position, "1-0");
    assert.deepEqual([follower.statistics.received, follower.statistics.gaps], [0, 0]);
  }
});

test("a page without a gap may leave it out", () => {
  const follower = new Follower();
  const { gap: _, ...rest } = page(4, [], { snapshot: snapshot(4) });

  assert.deepEqual(follower.receive({ type: "poll", ...rest }), [snapshot(4)]);
  assert.equal(follower.statistics.gaps, 0);
});

test("it remembers a bounded number of bars", () => {
  const follower = new Follower();
  const bar = (/** @type {number} */ ts) => ({ type: "bar", symbol: "A", interval: "1s", ts });
  for (let ts = 0; ts <= 100_000; ts += 1) assert.equal(follower.receive(bar(ts)).length, 1);

  assert.deepEqual(follower.receive(bar(100_000)), []);
  assert.deepEqual(follower.receive(bar(1)), []);
  assert.deepEqual(follower.receive(bar(0)), [bar(0)]);
});
