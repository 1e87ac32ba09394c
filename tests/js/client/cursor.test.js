import assert from "node:assert/strict";
import { test } from "node:test";
import { compareCursors, isCursor, RESERVED } from "../../../frontend/client/cursor.js";

test("a cursor is two numbers in their shortest form", () => {
  for (const text of ["0-0", "1-0", "1763899999000-42", "9007199254740991-9007199254740991"]) {
    assert.equal(isCursor(text), true, text);
  }
});

test("what a server would not have written is no cursor", () => {
  const wrong = ["", "-", "1", "1-", "-1", "01-1", "1-01", "1-1 ", " 1-1", "1-1\n", "1.5-1", "+1-1", "1-2-3", "1e3-1"];
  for (const text of [...wrong, "١-١"]) assert.equal(isCursor(text), false, JSON.stringify(text));
  for (const value of [null, undefined, 1, {}, ["1-1"]]) assert.equal(isCursor(value), false);
});

test("a number that doubles can't hold is no part of a cursor", () => {
  assert.equal(isCursor("9007199254740992-0"), false);
  assert.equal(isCursor("0-9007199254740992"), false);
});

test("reserved words are no cursors", () => {
  assert.deepEqual([...RESERVED], ["earliest", "latest"]);
  assert.deepEqual(RESERVED.filter(isCursor), []);
});

test("cursors are ordered by epoch, then seq, and not as text", () => {
  const ordered = ["1-0", "1-9", "1-10", "2-1", "9-99", "10-0", "10-9007199254740990", "10-9007199254740991"];
  for (const [i, a] of ordered.entries()) {
    for (const [j, b] of ordered.entries()) {
      assert.equal(Math.sign(compareCursors(a, b)), Math.sign(i - j), `${a} and ${b}`);
    }
  }
});
