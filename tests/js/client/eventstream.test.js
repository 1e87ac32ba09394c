import assert from "node:assert/strict";
import { test } from "node:test";
import { EVENT_LIMIT, EventStreamParser } from "../../../frontend/client/eventstream.js";
import { cases } from "./support/cases.js";
import { seeded } from "./support/world.js";

/** @param {any} given @returns {Uint8Array} */
function bytesOf({ hex, text }) {
  return new Uint8Array(hex === undefined ? Buffer.from(text, "utf8") : Buffer.from(hex, "hex"));
}

/** @param {Uint8Array[]} chunks */
function parse(chunks) {
  const parser = new EventStreamParser();
  const events = chunks.flatMap((chunk) => parser.feed(chunk));
  const { lastEventId, retry } = parser;
  return { events: events.map(({ name, data, id }) => [name, data, id]), lastEventId, retry };
}

for (const given of cases("eventstream")) {
  const bytes = bytesOf(given);
  const { name, events, retry = null, last_event_id: id } = given;

  /** @param {Uint8Array[]} chunks */
  const check = (chunks) => {
    const parsed = parse(chunks);
    assert.deepEqual(parsed.events, events);
    assert.equal(parsed.retry, retry);
    if (id !== undefined) assert.equal(parsed.lastEventId, id);
  };

  test(`event stream, whole: ${name}`, () => check([bytes]));

  test(`event stream, byte by byte: ${name}`, () => {
    check(Array.from(bytes, (_, place) => bytes.subarray(place, place + 1)));
  });

  test(`event stream, cut at each byte: ${name}`, () => {
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      check([bytes.subarray(0, cut), new Uint8Array(), bytes.subarray(cut)]);
    }
  });
}

test("there are cases", () => {
  assert.ok(cases("eventstream").length >= 26);
});

test("a time to come back is a whole number that a double can hold", () => {
  for (const [text, retry] of [["7", 7], ["9007199254740991", 9007199254740991], ["90071992547409910", null]]) {
    assert.equal(parse([new Uint8Array(Buffer.from(`retry: ${text}\n\n`))]).retry, retry);
  }
});

test("gives the same events wherever the bytes are cut", () => {
  const ends = ["\r", "\n", "\r\n", "\n\n", "\r\r"];
  const texts = ["data: ", "data", ": ", ":", "id", "event", "retry", "x", "12", "\0", "é", ...ends];
  const pieces = texts.map((text) => Buffer.from(text));
  pieces.push(Buffer.from("efbbbf", "hex"), Buffer.from("e282", "hex"));
  const random = seeded(7);
  let found = 0;
  for (let round = 0; round < 2000; round += 1) {
    const chosen = Array.from({ length: 40 }, () => pieces[Math.floor(random() * pieces.length)]);
    const bytes = new Uint8Array(Buffer.concat(chosen));
    const [a, b] = [random(), random()].sort().map((part) => Math.floor(part * bytes.length));
    const whole = parse([bytes]);
    found += whole.events.length;

    assert.deepEqual(parse([bytes.subarray(0, a), bytes.subarray(a, b), bytes.subarray(b)]), whole, `round ${round}`);
  }
  assert.ok(found > 100);
});

test("refuses a line without an end", () => {
  const parser = new EventStreamParser();
  const chunk = new Uint8Array(EVENT_LIMIT / 4 + 1).fill(120);
  for (let part = 0; part < 3; part += 1) assert.deepEqual(parser.feed(chunk), []);

  assert.throws(() => parser.feed(chunk), RangeError);
});

test("refuses an event of many lines without an end", () => {
  const parser = new EventStreamParser();
  const chunk = new Uint8Array(Buffer.from("data: 01234567890123456789\n".repeat(100_000)));

  assert.throws(() => {
    for (let part = 0; part < 10; part += 1) parser.feed(chunk);
  }, RangeError);
});

test("refuses an event of many empty lines of data without an end", () => {
  const parser = new EventStreamParser();
  const chunk = new Uint8Array(Buffer.from("data\n".repeat(500_000)));

  assert.throws(() => {
    for (let part = 0; part < 10; part += 1) parser.feed(chunk);
  }, RangeError);
});

test("the limit is for one event, not for the stream", () => {
  const parser = new EventStreamParser();
  const event = new Uint8Array(Buffer.from(`data: ${"x".repeat(2 ** 20)}\n\n`));
  let count = 0;
  for (let part = 0; part < 10; part += 1) count += parser.feed(event).length;

  assert.ok(10 * event.length > EVENT_LIMIT);
  assert.equal(count, 10);
});

test("takes an event of four mebibytes", () => {
  const size = 4 * 2 ** 20;
  const stream = new Uint8Array(Buffer.from(`event: snapshot\ndata: ${"x".repeat(size)}\nid: 1-2\n\n`));
  const parser = new EventStreamParser();
  const events = [];
  for (let place = 0; place < stream.length; place += 2 ** 16) {
    events.push(...parser.feed(stream.subarray(place, place + 2 ** 16)));
  }

  assert.deepEqual(events.map(({ name, data, id }) => [name, data.length, id]), [["snapshot", size, "1-2"]]);
});
