import assert from "node:assert/strict";
import { test } from "node:test";
import { Alerts } from "../../../frontend/model/alerts.js";

test("an alert above the price waits for a rise, one below for a fall", () => {
  const alerts = new Alerts();
  alerts.add("up", "A", 10, 9);
  alerts.add("down", "A", 8, 9);

  assert.deepEqual(alerts.look("A", 9.9, 1), []);
  assert.deepEqual(alerts.look("A", 10, 5_000_000).map(({ id, crossed }) => [id, crossed]), [["up", 5000]]);
  assert.deepEqual(alerts.look("A", 7, 6_000_000).map(({ id }) => id), ["down"]);
});

test("an alert is crossed once", () => {
  const alerts = new Alerts();
  alerts.add("x", "A", 10, 9);
  alerts.look("A", 11, 1);

  assert.deepEqual(alerts.look("A", 12, 2), []);
  assert.deepEqual(alerts.symbols, []);
});

test("a price jumps over an alert", () => {
  const alerts = new Alerts();
  alerts.add("x", "A", 10, 9);

  assert.equal(alerts.look("A", 500, 1).length, 1);
});

test("another symbol's price is none of its business", () => {
  const alerts = new Alerts();
  alerts.add("x", "A", 10, 9);

  assert.deepEqual(alerts.look("B", 11, 1), []);
  assert.deepEqual(alerts.symbols, ["A"]);
});

test("one that was removed is silent", () => {
  const alerts = new Alerts();
  alerts.add("x", "A", 10, 9);
  alerts.remove("x");

  assert.deepEqual(alerts.look("A", 11, 1), []);
});

test("what was kept comes back, and what is no alert does not", () => {
  const good = { id: "x", symbol: "A", price: 10, direction: "up", crossed: null };
  const alerts = new Alerts([good, null, 5, { ...good, price: "10" }, { ...good, direction: "left" }, { ...good, symbol: "<b>" }, { id: 1 }]);

  assert.deepEqual(alerts.list, [good]);
  assert.deepEqual(new Alerts("no").list, []);
});

test("there are at most a hundred", () => {
  const alerts = new Alerts();
  for (let index = 0; index < 100; index += 1) assert.ok(alerts.add(`${index}`, "A", 10 + index, 9));

  assert.equal(alerts.add("more", "A", 10, 9), null);
  assert.equal(alerts.list.length, 100);
});
