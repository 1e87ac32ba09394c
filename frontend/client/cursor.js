/**
 * Cursors: places in the market's one order, written `<epoch>-<seq>` (PROTOCOL.md section 2).
 *
 * A client compares cursors and hands them back; it never computes one.
 */

const FORM = /^(0|[1-9]\d{0,15})-(0|[1-9]\d{0,15})$/;

/** Words that are places too: before the oldest kept tick, and now. */
export const RESERVED = Object.freeze(["earliest", "latest"]);

/** @param {unknown} text @returns {text is string} Whether a text is a cursor. */
export function isCursor(text) {
  if (typeof text !== "string" || !FORM.test(text)) return false;
  const [epoch, seq] = parts(text);
  return epoch <= Number.MAX_SAFE_INTEGER && seq <= Number.MAX_SAFE_INTEGER;
}

/**
 * Compare two cursors by epoch, then seq.
 *
 * @param {string} a
 * @param {string} b
 * @returns {number} below 0 if `a` comes first, 0 if both are one place, above 0 if `b` comes first
 */
export function compareCursors(a, b) {
  if (a === b) return 0;
  const [epochA, seqA] = parts(a);
  const [epochB, seqB] = parts(b);
  return epochA - epochB || seqA - seqB;
}

/** @param {string} text @returns {[number, number]} */
function parts(text) {
  const dash = text.indexOf("-");
  return [Number(text.slice(0, dash)), Number(text.slice(dash + 1))];
}
