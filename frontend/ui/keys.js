/** Keys: everything by key. Those of one letter can be switched off (WCAG 2.1.4). */

import { byId, fillPairs } from "./dom.js";
import { keep, recall } from "./store.js";

/**
 * @typedef {object} Actions
 * @property {(letter?: string) => void} search
 * @property {() => void} pause
 * @property {(step: number) => void} step to the next symbol of the watchlist
 * @property {(step: number) => void} move the symbol in the watchlist
 * @property {() => void} remove
 * @property {(index: number) => void} interval
 * @property {() => void} goLive
 * @property {(seconds: number) => void} cut
 */

/** @type {[string, string][]} */
const KEYS = [
  ["/  Ctrl K  any letter", "search a symbol or company"],
  ["Space", "pause and go on"],
  ["↑  ↓", "the symbol above and below"],
  ["Alt ↑  Alt ↓", "move the symbol in the watchlist"],
  ["Delete", "take the symbol off the watchlist"],
  ["1 … 7", "interval of the candles"],
  ["←  →  Home  End", "cursor over the candles, when the chart has the focus"],
  ["+  −", "zoom, when the chart has the focus"],
  ["Alt L", "go live"],
  ["Alt X", "cut the stream for 5 s"],
  ["Escape", "close, leave"],
  ["?", "this help"],
];

const TYPING = "input:not([type=radio]):not([type=checkbox]), select, textarea, [contenteditable]";

/** @param {Actions} actions */
export function listenToKeys(actions) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("help-dialog"));
  const single = /** @type {HTMLInputElement} */ (byId("single-keys"));
  single.checked = recall("ticker.keys") !== false;
  single.addEventListener("change", () => keep("ticker.keys", single.checked));
  fillPairs(byId("help-keys"), KEYS);
  const help = () => dialog.showModal();
  byId("help").addEventListener("click", help);
  document.addEventListener("keydown", (event) => {
    if (dialog.open || event.isComposing || event.defaultPrevented) return;
    const isTaken = event.ctrlKey || event.metaKey || event.altKey ? chord(event, actions) : null;
    const isDone = isTaken ?? (single.checked && letter(event, actions, help));
    if (isDone) event.preventDefault();
  });
}

/** @param {KeyboardEvent} event @param {Actions} actions @returns {boolean} whether it meant something */
function chord(event, actions) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") actions.search();
  else if (!event.altKey || event.ctrlKey || event.metaKey) return false;
  else if (event.key === "ArrowUp") actions.move(-1);
  else if (event.key === "ArrowDown") actions.move(1);
  else if (event.code === "KeyL") actions.goLive();
  else if (event.code === "KeyX") actions.cut(5);
  else return false;
  return true;
}

/** @param {KeyboardEvent} event @param {Actions} actions @param {() => void} help @returns {boolean} */
function letter(event, actions, help) {
  const target = /** @type {Element} */ (event.target);
  if (target.closest(TYPING) || event.ctrlKey || event.metaKey || event.altKey) return false;
  if (event.key === "/") actions.search();
  else if (event.key === "?") help();
  else if (event.key === " ") return !target.closest("button, a, input") && done(actions.pause);
  else if (target.closest("#chart, [type=radio], [tabindex='0']:not(button)")) return typed(event, actions);
  else if (event.key === "ArrowUp") actions.step(-1);
  else if (event.key === "ArrowDown") actions.step(1);
  else if (event.key === "Delete") actions.remove();
  else if (/^[1-7]$/.test(event.key)) actions.interval(Number(event.key) - 1);
  else return typed(event, actions);
  return true;
}

/** A letter opens the search with itself. @param {KeyboardEvent} event @param {Actions} actions */
function typed(event, actions) {
  return /^\p{L}$/u.test(event.key) && done(() => actions.search(event.key.toUpperCase()));
}

/** @param {() => void} action */
function done(action) {
  action();
  return true;
}
