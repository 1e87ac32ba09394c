import assert from "node:assert/strict";
import { test } from "node:test";
import { LIST_LIMIT, readView, writeView } from "../../../frontend/model/address.js";

test("nothing chosen gives the defaults", () => {
  const view = { symbol: null, interval: "1m", list: null, theme: "auto", palette: "standard" };

  assert.deepEqual(readView("", {}), view);
  assert.deepEqual(readView("", null), view);
});

test("a view survives its URL", () => {
  /** @type {import("../../../frontend/model/address.js").View} */
  const view = { symbol: "EUR/USD", interval: "5m", list: ["EUR/USD", "BTC-USD"], theme: "dark", palette: "green" };
  const query = writeView(view, "share=0");

  assert.equal(query, "share=0&symbol=EUR/USD&interval=5m&list=EUR/USD,BTC-USD&theme=dark&palette=green");
  assert.deepEqual(readView(query, {}), view);
});

test("the URL wins over what was kept", () => {
  const stored = { symbol: "A", interval: "1h", list: ["A"], theme: "light", palette: "red" };
  const view = readView("symbol=B&interval=1s", stored);

  assert.deepEqual(view, { ...stored, symbol: "B", interval: "1s" });
});

test("an empty list is a choice", () => {
  assert.deepEqual(readView("list=", { list: ["A"] }).list, []);
});

test("what is no symbol, interval or theme is left out", () => {
  const view = readView("symbol=<b>&interval=2m&list=A,,a,<i>,B,A&theme=pink", { interval: "5m", theme: "dark" });

  assert.deepEqual(view, { symbol: null, interval: "1m", list: ["A", "B"], theme: "auto", palette: "standard" });
});

test("a list is as long as a subscription may be", () => {
  const names = Array.from({ length: 2000 }, (_, index) => `S${index}`);

  assert.equal(readView(`list=${names.join(",")}`, {}).list?.length, LIST_LIMIT);
});

test("defaults don't stand in the URL", () => {
  assert.equal(writeView({ symbol: null, interval: "1m", list: null, theme: "auto", palette: "standard" }, "theme=dark"), "interval=1m");
});
