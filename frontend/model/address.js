/** Address: what of the page stands in its URL, so that a link shows another what one sees. */

import { INTERVALS } from "./series.js";

/** @typedef {"auto" | "dark" | "light"} Theme */
/** @typedef {"standard" | "green" | "red"} Palette green and red are the colour of up */

/**
 * @typedef {object} View
 * @property {string | null} symbol
 * @property {string} interval
 * @property {string[] | null} list the watchlist; null if it was never chosen
 * @property {Theme} theme
 * @property {Palette} palette
 */

/** PROTOCOL.md section 3. */
const SYMBOL = /^[A-Z0-9][A-Z0-9._/-]{0,31}$/;

/** PROTOCOL.md section 10: 1000 names in one subscription, of which 100 are left for alerts and one for the chart. */
export const LIST_LIMIT = 899;

/** @param {string} text */
export function isSymbol(text) {
  return SYMBOL.test(text);
}

/**
 * @param {string} query the URL's, which wins
 * @param {any} stored a view that was kept
 * @returns {View}
 */
export function readView(query, stored) {
  const given = new URLSearchParams(query);
  const list = given.has("list") ? symbolsIn(given.get("list") ?? "") : storedList(stored?.list);
  /** @param {string} name @param {readonly string[]} known */
  const choice = (name, known) => known.find((each) => each === given.get(name) || (!given.has(name) && each === stored?.[name]));
  const symbol = given.get("symbol") ?? stored?.symbol;
  return {
    symbol: typeof symbol === "string" && isSymbol(symbol) ? symbol : null,
    interval: choice("interval", Object.keys(INTERVALS)) ?? "1m",
    list,
    theme: /** @type {Theme} */ (choice("theme", ["auto", "dark", "light"]) ?? "auto"),
    palette: /** @type {Palette} */ (choice("palette", ["standard", "green", "red"]) ?? "standard"),
  };
}

/** @param {View} view @param {string} query the URL's, of which other parameters stay @returns {string} */
export function writeView({ symbol, interval, list, theme, palette }, query) {
  const given = new URLSearchParams(query);
  /** @type {[string, string | null][]} */
  const facts = [
    ["symbol", symbol],
    ["interval", interval],
    ["list", list && list.join(",")],
    ["theme", theme === "auto" ? null : theme],
    ["palette", palette === "standard" ? null : palette],
  ];
  for (const [name, value] of facts) {
    if (value === null) given.delete(name);
    else given.set(name, value);
  }
  // Commas and slashes may stand in a query as they are, and read better so.
  return given.toString().replaceAll("%2C", ",").replaceAll("%2F", "/");
}

/** @param {string} text */
function symbolsIn(text) {
  return [...new Set(text.split(",").filter(isSymbol))].slice(0, LIST_LIMIT);
}

/** @param {unknown} list */
function storedList(list) {
  return Array.isArray(list) ? symbolsIn(list.join(",")) : null;
}
