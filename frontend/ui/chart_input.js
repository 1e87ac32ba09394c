/** Input of a chart: keys and the pointer. Plotly itself pans by dragging and zooms by the wheel. */

/**
 * @typedef {object} Actions
 * @property {(step: number) => void} step move the cursor over so many candles
 * @property {(isLast: boolean) => void} jump move it to the first or to the last one
 * @property {(factor: number) => void} zoom
 * @property {() => boolean} leave the cursor; whether there was one
 * @property {(pixels: {x: number, y: number} | null) => void} point at pixels from the host's corner, or nowhere
 * @property {() => void} live
 */

/** How much a key magnifies. */
const ZOOM = 0.75;

/**
 * @param {HTMLElement} host
 * @param {Actions} actions
 * @param {AbortSignal} signal ends listening
 */
export function listen(host, actions, signal) {
  host.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !press(event, actions)) return;
    event.preventDefault();
    event.stopPropagation();
  }, { signal });
  const point = (/** @type {PointerEvent} */ event) => {
    const box = host.getBoundingClientRect();
    actions.point({ x: event.clientX - box.left, y: event.clientY - box.top });
  };
  host.addEventListener("pointermove", point, { signal });
  host.addEventListener("pointerdown", (event) => {
    host.focus({ preventScroll: true });
    point(event);
  }, { signal });
  // A finger that is lifted leaves what it pointed at; the next touch elsewhere takes the focus.
  host.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && actions.point(null), { signal });
  host.addEventListener("blur", () => actions.point(null), { signal });
  host.addEventListener("dblclick", actions.live, { signal });
}

/** @param {KeyboardEvent} event @param {Actions} actions @returns {boolean} whether it meant something */
function press({ key, shiftKey }, actions) {
  const stride = shiftKey ? 10 : 1;
  if (key === "ArrowLeft") actions.step(-stride);
  else if (key === "ArrowRight") actions.step(stride);
  else if (key === "Home" || key === "End") actions.jump(key === "End");
  else if (key === "+" || key === "=") actions.zoom(ZOOM);
  else if (key === "-" || key === "_") actions.zoom(1 / ZOOM);
  else return key === "Escape" && actions.leave();
  return true;
}
