/** Search: which symbols a text may mean. */

import { isSymbol } from "./address.js";

/** @typedef {import("./market.js").Instrument} Instrument */
/** @typedef {{symbol: string, name: string, isKnown: boolean}} Found */

/** Matches that are offered. */
const LIMIT = 12;

/**
 * @param {string} text
 * @param {Iterable<Instrument>} instruments
 * @returns {Found[]} the best first: a symbol that is the text, that begins with it, a word of the company's name that
 *   begins with it, either that holds it; and a symbol that nobody knows yet
 */
export function find(text, instruments) {
  const wanted = text.trim().toLowerCase();
  /** @type {{found: Found, rank: number}[]} */
  const ranked = [];
  for (const { symbol, name } of instruments) {
    const rank = wanted ? rankOf(symbol.toLowerCase(), name.toLowerCase(), wanted) : 3;
    if (rank < 5) ranked.push({ found: { symbol, name, isKnown: true }, rank });
  }
  ranked.sort((a, b) => a.rank - b.rank || (a.found.symbol < b.found.symbol ? -1 : 1));
  const found = ranked.slice(0, LIMIT).map((each) => each.found);
  const symbol = wanted.toUpperCase();
  if (isSymbol(symbol) && ranked[0]?.rank !== 0) found.push({ symbol, name: "", isKnown: false });
  return found;
}

/** @param {string} symbol @param {string} name @param {string} wanted */
function rankOf(symbol, name, wanted) {
  if (symbol === wanted) return 0;
  if (symbol.startsWith(wanted)) return 1;
  if (name.split(/[^\p{L}\p{N}]+/u).some((word) => word.startsWith(wanted)) || name.startsWith(wanted)) return 2;
  if (symbol.includes(wanted)) return 3;
  return name.includes(wanted) ? 4 : 5;
}
