import assert from "node:assert/strict";
import { test } from "node:test";
import { find } from "../../../frontend/model/search.js";

/** @type {any[]} */
const instruments = [
  { symbol: "EUR/USD", name: "Euro / US dollar" },
  { symbol: "NVX", name: "Novex Systems plc" },
  { symbol: "NV", name: "Nevis" },
  { symbol: "ANVX", name: "Another" },
  { symbol: "SYS", name: "Oxnvxo" },
];

/** @param {string} text */
function symbols(text) {
  return find(text, instruments).map(({ symbol }) => symbol);
}

test("the best match comes first", () => {
  assert.deepEqual(symbols("nvx"), ["NVX", "ANVX", "SYS"]);
  assert.deepEqual(symbols("nv").slice(0, 3), ["NV", "NVX", "ANVX"]);
});

test("finds a word of a company's name", () => {
  assert.deepEqual(symbols("sys").slice(0, 2), ["SYS", "NVX"]);
  assert.equal(symbols("dollar")[0], "EUR/USD");
  assert.equal(symbols("euro / us")[0], "EUR/USD");
});

test("offers a symbol that nobody knows yet", () => {
  assert.deepEqual(find("zzz", instruments), [{ symbol: "ZZZ", name: "", isKnown: false }]);
});

test("offers nothing for what can be no symbol", () => {
  assert.deepEqual(symbols("<img src=x>"), []);
});

test("an empty text shows the first of all", () => {
  const many = Array.from({ length: 50 }, (_, index) => ({ symbol: `S${index}`, name: "" }));

  assert.equal(find("", /** @type {any} */ (many)).length, 12);
});
