/** Input of a chart: keys and the pointer. Plotly itself pans by dragging and zooms by the wheel. */

import { listenToPinch } from "./chart_pinch.js";

/** @typedef {import("./chart_aim.js").Aim} Aim */
/** @typedef {import("./chart_scene.js").Scene} Scene */

/**
 * @typedef {object} Actions
 * @property {(change: (scene: Scene, aim: Aim) => void) => void} move change what is looked at or aimed at
 * @property {() => void} press
 * @property {() => void} release
 * @property {(pixels: {x: number, y: number} | null) => void} point at pixels from the host's corner, or nowhere
 */

/** How much a key magnifies. */
const ZOOM = 0.75;

/**
 * @param {HTMLElement} host
 * @param {Actions} actions
 * @param {AbortSignal} signal ends listening
 */
export function listen(host, actions, signal) {
  /** @param {PointerEvent} event */
  const point = ({ clientX, clientY }) => {
    const { left, top } = host.getBoundingClientRect();
    actions.point({ x: clientX - left, y: clientY - top });
  };
  /** @param {PointerEvent} event */
  const press = (event) => {
    // Keys work after a click, but a ring would only stand in the way of who uses a mouse.
    host.focus(/** @type {FocusOptions} */ ({ preventScroll: true, focusVisible: false }));
    point(event);
    actions.press();
  };
  // A finger that is lifted leaves what it pointed at, until the focus goes elsewhere.
  /** @param {PointerEvent} event */
  const leave = ({ pointerType }) => pointerType === "touch" || actions.point(null);
  // Plotly hears of a release after the pointer's own event, and over the whole page.
  const release = () => setTimeout(actions.release);
  host.addEventListener("keydown", (event) => type(event, actions), { signal });
  host.addEventListener("pointermove", point, { signal });
  host.addEventListener("pointerdown", press, { signal });
  host.addEventListener("pointerleave", leave, { signal });
  for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, release, { signal, capture: true });
  host.addEventListener("blur", () => actions.point(null), { signal });
  listenToPinch(host, actions, signal);
}

/** @param {KeyboardEvent} event @param {Actions} actions */
function type(event, { move }) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const stride = event.shiftKey ? 10 : 1;
  const change = KEYS[event.key];
  if (!change) return;
  move((scene, aim) => change(scene, aim, stride));
  event.preventDefault();
}

/** @type {Record<string, (scene: Scene, aim: Aim, stride: number) => void>} */
const KEYS = {
  ArrowLeft: (scene, aim, stride) => aim.step(scene, -stride),
  ArrowRight: (scene, aim, stride) => aim.step(scene, stride),
  Home: (scene, aim) => aim.jump(scene, false),
  End: (scene, aim) => {
    scene.goLive();
    aim.jump(scene, true);
  },
  "+": (scene) => scene.zoom(ZOOM),
  "=": (scene) => scene.zoom(ZOOM),
  "-": (scene) => scene.zoom(1 / ZOOM),
  _: (scene) => scene.zoom(1 / ZOOM),
  Escape: (_, aim) => aim.leave(),
};
