import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { browser, randomId } from "../../../frontend/client/env.js";

/** @type {any} */
const scope = globalThis;

afterEach(() => {
  for (const name of ["document", "addEventListener", "removeEventListener"]) delete scope[name];
});

test("a session's id is 22 characters that nobody can guess", () => {
  const ids = Array.from({ length: 100 }, () => randomId(browser));

  for (const id of ids) assert.match(id, /^[A-Za-z0-9_-]{22}$/);
  assert.equal(new Set(ids).size, 100);
});

test("each of the 64 characters comes from its own bits", () => {
  let next = 0;
  const counting = /** @type {any} */ ({
    getRandomValues: (/** @type {Uint8Array} */ bytes) => bytes.forEach((_, place) => void (bytes[place] = next++)),
  });
  const letters = [...Array.from({ length: 12 }, () => randomId(counting)).join("")].slice(0, 256);

  assert.equal(new Set(letters.slice(0, 64)).size, 64);
  assert.deepEqual(letters.slice(64, 128), letters.slice(0, 64));
});

test("time goes by the wall clock, and timers can be ended", async () => {
  assert.ok(Math.abs(browser.now() - Date.now()) < 1000);
  let count = 0;
  browser.clearTimeout(browser.setTimeout(() => (count += 1), 0));
  await new Promise((resolve) => browser.setTimeout(() => resolve(undefined), 0));

  assert.equal(count, 0);
});

test("what wakes a page is watched, until that is ended", () => {
  const page = new EventTarget();
  scope.document = new EventTarget();
  scope.addEventListener = page.addEventListener.bind(page);
  scope.removeEventListener = page.removeEventListener.bind(page);
  let count = 0;
  const end = browser.watchWake(() => (count += 1));
  for (const name of ["online", "pageshow"]) page.dispatchEvent(new Event(name));
  for (const name of ["resume", "visibilitychange"]) scope.document.dispatchEvent(new Event(name));
  assert.equal(count, 4);
  end();
  for (const name of ["online", "pageshow"]) page.dispatchEvent(new Event(name));
  for (const name of ["resume", "visibilitychange"]) scope.document.dispatchEvent(new Event(name));

  assert.equal(count, 4);
});

test("where there is no page, as in a worker of another kind, nothing is watched", () => {
  assert.doesNotThrow(() => browser.watchWake(() => {})());
});
