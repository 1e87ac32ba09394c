/** Image: the chart as a PNG, with the words that stand around it on the page. */

import { fixed } from "../model/format.js";
import { CONFIG } from "./chart_figure.js";
import { wallText } from "./chart_range.js";
import { make } from "./dom.js";

/** @typedef {import("./chart_scene.js").Scene} Scene */
/** @typedef {import("./chart_figure.js").Palette} Palette */

/** Pixels of the image for each of the page, and of the line above the chart. */
const SCALE = 2;
const HEAD = 30;

/**
 * @param {import("./plotly.js").Plotly} plotly
 * @param {Scene} scene
 * @param {Palette} palette
 * @param {import("./chart_scene.js").Marks} marks
 */
export async function saveImage(plotly, scene, palette, marks) {
  const { traces, layout } = scene.figure(palette, marks);
  const figure = { data: traces, layout: headed(layout, scene, palette), config: CONFIG };
  const { width, height } = scene.size;
  const options = { format: "png", width, height: height + HEAD, scale: SCALE };
  const name = `${scene.series.symbol.replaceAll("/", "-")}-${scene.series.interval}.png`;
  make("a", { download: name, href: await plotly.toImage(figure, options) }).click();
}

/** Write above a chart what it shows. @param {any} layout @param {Scene} scene @param {Palette} palette @returns {object} */
export function headed(layout, scene, palette) {
  const place = { xref: "paper", yref: "paper", x: 0, y: 1, xanchor: "left", yanchor: "bottom", xshift: 8, yshift: 4 };
  const text = { text: escaped(title(scene)), showarrow: false, font: { size: 13, color: palette.text } };
  return {
    ...layout,
    height: layout.height + HEAD,
    margin: { ...layout.margin, t: layout.margin.t + HEAD },
    paper_bgcolor: palette.panel,
    annotations: [...layout.annotations, { ...place, ...text }],
  };
}

/** @param {Scene} scene */
function title({ series, candles, decimals, isSynthetic, offset }) {
  const last = candles.at(-1);
  const price = last ? fixed(last.close, decimals) : "";
  const time = wallText(Date.now() + offset).slice(0, 19);
  return [series.symbol, series.interval, price, time, isSynthetic ? "SYNTHETIC" : ""].filter(Boolean).join("   ");
}

/** Plotly reads tags and entities in texts. @param {string} text from outside @returns {string} that is shown as it was */
export function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
