import assert from "node:assert/strict";
import { test } from "node:test";
import { Meter } from "../../../frontend/model/meter.js";

const NOW = 1_763_900_000_000;

test("the rate is that of the last whole seconds", () => {
  const meter = new Meter();
  for (let second = 0; second < 8; second += 1) meter.count(100 + second, NOW + second * 1000);

  assert.equal(meter.rate(NOW + 8000), 105);
});

test("a market that falls silent has no rate", () => {
  const meter = new Meter();
  meter.count(100, NOW);

  assert.equal(meter.rate(NOW + 60_000), 0);
  assert.equal(new Meter().rate(NOW), 0);
});

test("latencies are quantiles of what came last", () => {
  const meter = new Meter();
  assert.equal(meter.latency(0.5), null);
  for (let age = 1; age <= 100; age += 1) meter.time((NOW - age) * 1000, NOW);

  assert.deepEqual([meter.latency(0.5), meter.latency(0.95), meter.latency(1)], [51, 96, 100]);
});

test("a clock that differs from the server's is set right", () => {
  const meter = new Meter();
  meter.offset = 500;
  meter.time(NOW * 1000, NOW - 490);

  assert.equal(meter.latency(0.5), 10);
});

test("what is kept is bounded, and forgotten with its connection", () => {
  const meter = new Meter();
  for (let age = 0; age < 5000; age += 1) meter.time((NOW - 7) * 1000, NOW);
  meter.time((NOW - 9) * 1000, NOW);
  assert.equal(meter.latency(1), 9);
  meter.forget();

  assert.equal(meter.latency(1), null);
});
