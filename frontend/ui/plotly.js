/** Plotly's script, which comes after everything else: it is larger than the page. */

/**
 * @typedef {object} Plotly the part of it that is used
 * @property {(element: HTMLElement, traces: object[], layout: object, config: object) => Promise<unknown>} newPlot
 * @property {(element: HTMLElement, traces: object[], layout: object, config: object) => Promise<unknown>} react
 * @property {(element: HTMLElement) => void} purge
 * @property {(figure: object, options: object) => Promise<string>} toImage a data URL
 */

/** @typedef {HTMLElement & {on: (event: string, listener: (detail: any) => void) => void}} PlotlyElement */

/** Load the script that the page names. @returns {Promise<Plotly>} rejects if it can't be had; then try again */
export function loadPlotly() {
  const page = /** @type {{Plotly?: Plotly}} */ (/** @type {unknown} */ (window));
  if (page.Plotly) return Promise.resolve(page.Plotly);
  const source = document.querySelector('meta[name="plotly"]')?.getAttribute("content") ?? "/plotly.min.js";
  return new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: source, async: true });
    const fail = () => {
      script.remove();
      reject(new Error(`${source} could not be loaded`));
    };
    script.addEventListener("error", fail);
    script.addEventListener("load", () => (page.Plotly ? resolve(page.Plotly) : fail()));
    document.head.append(script);
  });
}
