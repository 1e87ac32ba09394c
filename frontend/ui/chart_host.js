/** Host: the element that a chart fills, as those see it who use keys or hear the page. */

import { make } from "./dom.js";

const HINT =
  "Left and right move over the candles, Home and End to the oldest and the newest, plus and minus zoom, Escape leaves.";

/**
 * Make an element ready to be a chart.
 *
 * @param {HTMLElement} host
 * @returns {import("./plotly.js").PlotlyElement} what Plotly draws into, which fills the host and can't stretch it
 */
export function dressed(host) {
  const plot = make("div", { ariaHidden: "true" });
  Object.assign(plot.style, { position: "absolute", inset: "0", fontFeatureSettings: '"tnum"' });
  const hint = make("p", { className: "hidden", id: `${host.id || "chart"}-hint` }, HINT);
  // A screen reader hands keys to an application, and reads nothing of what is inside by itself.
  Object.assign(host, { role: "application", tabIndex: 0, ariaRoleDescription: "chart", ariaLabel: "chart" });
  host.setAttribute("aria-describedby", hint.id);
  Object.assign(host.style, { position: "relative", overflow: "hidden" });
  host.append(plot, hint);
  return /** @type {import("./plotly.js").PlotlyElement} */ (/** @type {unknown} */ (plot));
}

/** Draw candles on whole pixels, as far as those layers go: hatches need their slants smooth. @param {HTMLElement} plot */
export function sharpen(plot) {
  const layers = /** @type {NodeListOf<SVGElement>} */ (plot.querySelectorAll(LAYERS));
  for (const layer of layers) layer.style.shapeRendering = "crispEdges";
}

const LAYERS = ".boxlayer, .barlayer, .layer-above .shapelayer";
