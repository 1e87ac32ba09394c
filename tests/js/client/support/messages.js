/** Messages of the wire contract, around symbol A and epoch 1. */

/** @param {number | string} place @param {object} [more] */
export function hello(place, more = {}) {
  const cursor = at(place);
  const common = { session: "s", resumed: false, replay: 0, follows: null, heartbeat: 15, node: "n1", version: "1" };
  const held = { symbols: ["A"], types: ["quote", "trade"] };
  return { type: "hello", cursor, oldest: "1-0", newest: cursor, ...common, ...held, ...more };
}

/** @param {number} seq @param {string} [symbol] */
export function quote(seq, symbol = "A") {
  return { type: "quote", symbol, bid: 1, bid_size: 1, ask: 1.5, ask_size: 2, ts: seq, cursor: at(seq) };
}

/** @param {number} seq @param {string} [symbol] */
export function trade(seq, symbol = "A") {
  return { type: "trade", symbol, price: 1.25, size: 1, side: "buy", ts: seq, cursor: at(seq) };
}

/** @param {number} from @param {number} to @param {any[]} ticks */
export function batch(from, to, ticks) {
  return { type: "ticks", from: at(from), to: at(to), ticks };
}

/** @param {number} seq @param {number} sent @param {number} [newest] */
export function heartbeat(seq, sent, newest = seq) {
  return { type: "heartbeat", cursor: at(seq), newest: at(newest), sent, ts: seq };
}

/** @param {number} seq @param {object} [more] */
export function snapshot(seq, more = {}) {
  return { type: "snapshot", cursor: at(seq), scope: "all", quotes: [], trades: [], ...more };
}

/** @param {number} from @param {number} to @param {object} [more] */
export function gap(from, to, more = {}) {
  return { type: "gap", from: at(from), to: at(to), lost: to - from + 1, reason: "evicted", ...more };
}

/** An answer to a poll. @param {number} seq @param {any[]} [ticks] @param {object} [more] */
export function page(seq, ticks = [], more = {}) {
  return { session: "s", cursor: at(seq), gap: null, snapshot: null, ticks, more: false, ...more };
}

/** @param {number} seq @param {string[]} symbols @param {object} [more] */
export function subscription(seq, symbols, more = {}) {
  return { type: "subscription", cursor: at(seq), symbols, types: ["quote", "trade"], unknown: [], ...more };
}

/** @param {string} code @param {number} [seconds] */
export function refused(code, seconds = 3) {
  return { type: "refused", code, retry_after: seconds };
}

/** @param {string} reason @param {object} [more] */
export function bye(reason, more = {}) {
  return { type: "bye", reason, reconnect: true, retry: 1500, ...more };
}

/** @param {number | string} place */
function at(place) {
  return typeof place === "number" ? `1-${place}` : place;
}
