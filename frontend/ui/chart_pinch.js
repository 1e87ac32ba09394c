/** Pinch: two fingers zoom a chart. Plotly knows one finger only, with which it pans. */

import { valueAt, zoomed } from "./chart_range.js";

/** Pixels between two fingers below which their distance says nothing. */
const LEAST = 16;

/**
 * @param {HTMLElement} host
 * @param {import("./chart_input.js").Actions} actions
 * @param {AbortSignal} signal ends listening
 */
export function listenToPinch(host, actions, signal) {
  let before = 0;
  /** @param {TouchEvent} event @returns {boolean} whether two fingers are on the chart; then nobody else is told */
  const isPinch = (event) => {
    const isOurs = event.touches.length > 1 && host.contains(/** @type {Node} */ (event.touches[0].target));
    // Plotly would go on to pan with the first finger, and take the second one for a double click.
    if (isOurs) event.stopImmediatePropagation();
    return isOurs;
  };
  /** @param {TouchEvent} event */
  const change = (event) => {
    before = 0;
    isPinch(event);
  };
  /** @param {TouchEvent} event */
  const move = (event) => {
    if (!isPinch(event)) return;
    event.preventDefault();
    const [one, other] = event.touches;
    const now = Math.max(LEAST, Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY));
    if (before) zoom(host, actions, before / now, (one.clientX + other.clientX) / 2);
    before = now;
  };
  const options = { signal, capture: true, passive: false };
  window.addEventListener("touchmove", move, options);
  window.addEventListener("touchstart", change, options);
  window.addEventListener("touchend", change, options);
  window.addEventListener("touchcancel", change, options);
}

/** @param {HTMLElement} host @param {import("./chart_input.js").Actions} actions @param {number} factor @param {number} x */
function zoom(host, actions, factor, x) {
  actions.release();
  actions.move((scene) => {
    const { left, width } = scene.frame;
    const anchor = valueAt(x - host.getBoundingClientRect().left, scene.x, left, width);
    scene.show(zoomed(scene.x, factor, anchor));
  });
}
