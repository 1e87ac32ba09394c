/** The cases that the clients in Python and JavaScript obey alike. */

import { readFileSync } from "node:fs";
import { quote, trade } from "./messages.js";

/** @param {string} name @returns {any[]} */
export function cases(name) {
  const file = new URL(`../../../conformance/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")).cases;
}

/** Put records in the place of their words. @param {any} value @returns {any} */
export function spellOut(value) {
  if (Array.isArray(value)) return value.map(spellOut);
  if (value !== null && typeof value === "object") {
    const parts = Object.entries(value).map(([name, part]) => [name, name === "symbols" ? part : spellOut(part)]);
    return Object.fromEntries(parts);
  }
  const word = typeof value === "string" && /^([qt])(\d+)$/.exec(value);
  if (!word) return value;
  return word[1] === "q" ? quote(Number(word[2])) : trade(Number(word[2]));
}
