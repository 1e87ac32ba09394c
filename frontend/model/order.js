/** Order: how the rows of a watchlist stand. */

/** @typedef {import("./market.js").Row} Row */
/** @typedef {"own" | "symbol" | "last" | "change" | "age"} Key */
/** @typedef {{key: Key, isDown: boolean}} Order */

/** @type {Order} */
export const OWN = Object.freeze({ key: "own", isDown: false });

/** What a click on a column's head makes of an order: up or down, the other way, one's own again.
 * @param {Order} order @param {Key} key @returns {Order} */
export function nextOrder(order, key) {
  // Names rise first; of numbers the largest is wanted first.
  const first = key !== "symbol";
  if (order.key !== key) return { key, isDown: first };
  return order.isDown === first ? { key, isDown: !first } : OWN;
}

/**
 * @param {string[]} list symbols in their own order
 * @param {(symbol: string) => Row} rowOf
 * @param {Order} order
 * @returns {string[]} the list in order; symbols without a value stand last
 */
export function sorted(list, rowOf, { key, isDown }) {
  if (key === "own") return list;
  const sign = isDown ? -1 : 1;
  /** @type {Map<string, number | string | null>} */
  const values = new Map(list.map((symbol) => [symbol, value(rowOf(symbol), key)]));
  return [...list].sort((a, b) => compare(values.get(a) ?? null, values.get(b) ?? null, sign));
}

/** @param {Row} row @param {Key} key */
function value(row, key) {
  if (key === "symbol") return row.symbol;
  if (key === "last") return row.last;
  if (key === "change") return row.change;
  // The newest event first is the youngest first.
  return row.ts ? -row.ts : null;
}

/** @param {number | string | null} a @param {number | string | null} b @param {number} sign */
function compare(a, b, sign) {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return a < b ? -sign : a > b ? sign : 0;
}
