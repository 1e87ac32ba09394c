/** Store: what this browser remembers of the page, as JSON. Where it may remember nothing, nothing is kept. */

/** @param {string} key @returns {unknown} null where nothing is kept */
export function recall(key) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

/** @param {string} key @param {unknown} value */
export function keep(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Private windows and full disks: the page works without.
  }
}
