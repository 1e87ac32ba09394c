import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Emitter } from "../../../frontend/client/emitter.js";

/** @type {any} */
const scope = globalThis;

afterEach(() => {
  delete scope.reportError;
});

test("tells each listener of a name every value, in the order in which they came", () => {
  const emitter = new Emitter();
  /** @type {any[]} */
  const heard = [];
  emitter.on("items", (...values) => heard.push(["first", ...values]));
  emitter.on("items", (...values) => heard.push(["second", ...values]));
  emitter.on("other", () => heard.push("other"));
  emitter.emit("items", 1, true);

  assert.deepEqual(heard, [["first", 1, true], ["second", 1, true]]);
});

test("nobody need listen", () => {
  assert.doesNotThrow(() => new Emitter().emit("items", 1));
});

test("what on returns ends that listener only, also twice", () => {
  const emitter = new Emitter();
  /** @type {string[]} */
  const heard = [];
  const end = emitter.on("a", () => heard.push("first"));
  emitter.on("a", () => heard.push("second"));
  end();
  end();
  emitter.emit("a");

  assert.deepEqual(heard, ["second"]);
});

test("a listener may end itself while it is told", () => {
  const emitter = new Emitter();
  let count = 0;
  const end = emitter.on("a", () => {
    count += 1;
    end();
  });
  emitter.on("a", () => (count += 10));
  emitter.emit("a");
  emitter.emit("a");

  assert.equal(count, 21);
});

test("a listener that throws stops neither the others nor who emits, and is reported", () => {
  /** @type {unknown[]} */
  const reported = [];
  scope.reportError = (/** @type {unknown} */ error) => reported.push(error);
  const emitter = new Emitter();
  const error = new Error("a mistake in a page");
  let heard = 0;
  emitter.on("a", () => {
    throw error;
  });
  emitter.on("a", () => (heard += 1));
  emitter.emit("a");

  assert.equal(heard, 1);
  assert.deepEqual(reported, [error]);
});

test("without reportError, an error is thrown where nobody but the platform catches it", (context) => {
  /** @type {(() => void)[]} */
  const jobs = [];
  context.mock.method(globalThis, "queueMicrotask", (/** @type {() => void} */ job) => jobs.push(job));
  const emitter = new Emitter();
  emitter.on("a", () => {
    throw new Error("a mistake in a page");
  });
  emitter.emit("a");

  assert.equal(jobs.length, 1);
  assert.throws(jobs[0], /a mistake in a page/);
});
