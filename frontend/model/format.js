/** How values read on the page. Text in, text out; a minus is U+2212, so that it stands as wide as a plus. */

/** @param {number} step the grid of a price @returns {number} decimals that show every place of the grid */
export function decimalsOf(step) {
  for (let decimals = 0; decimals < 10; decimals += 1) {
    const scaled = step * 10 ** decimals;
    if (Math.abs(scaled - Math.round(scaled)) < 1e-9 * scaled) return decimals;
  }
  return 10;
}

/** @param {number} value @param {number} decimals */
export function fixed(value, decimals) {
  return value.toFixed(decimals).replace("-", "−");
}

/** @param {number} value a direction or a difference */
export function arrow(value) {
  return value > 0 ? "▲" : value < 0 ? "▼" : "■";
}

/** @param {number} ratio 0.0041 is +0.41 % */
export function percent(ratio) {
  const text = (Math.abs(ratio) * 100).toFixed(2);
  const sign = text === "0.00" ? "" : ratio < 0 ? "−" : "+";
  return `${sign}${text} %`;
}

/** @param {number} value @returns {string} at most four digits and a letter: 12.4k */
export function short(value) {
  for (const [size, letter] of /** @type {[number, string][]} */ ([[1e9, "G"], [1e6, "M"], [1e3, "k"]])) {
    if (value >= size) return `${trim((value / size).toFixed(value >= 100 * size ? 0 : 1))}${letter}`;
  }
  return trim(value.toFixed(value >= 100 ? 0 : value >= 1 ? 2 : 4));
}

/** @param {string} text */
function trim(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** @param {number} seconds */
export function age(seconds) {
  if (seconds < 9.95) return `${Math.max(0, seconds).toFixed(1)} s`;
  return duration(seconds);
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  if (seconds < 99.5 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

/** @param {number} milliseconds since the Unix epoch @returns {string} 09:31:07.412, in local time */
export function clock(milliseconds) {
  const date = new Date(milliseconds);
  return `${time(milliseconds)}.${pad(date.getMilliseconds(), 3)}`;
}

/** @param {number} milliseconds since the Unix epoch @returns {string} 09:31:07, in local time */
export function time(milliseconds) {
  const date = new Date(milliseconds);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => pad(part, 2)).join(":");
}

/** @param {number} value @param {number} width */
function pad(value, width) {
  return String(value).padStart(width, "0");
}
