/**
 * What the tests of the dashboard write down in its page, and what they do to it.
 * Loaded before the page's own scripts.
 */

const TOLD = ["hello", "gap", "snapshot", "subscription", "heartbeat", "refused", "bye"];

const seen = {
  /** States of the pill, each as it came. @type {string[]} */
  states: [],
  /** Its words: `REPLAYING 3/5`. @type {string[]} */
  pills: [],
  /** What event streams of the page's own were told, ticks left out. @type {any[]} */
  events: [],
  /** Texts that were painted. */
  paints: 0,
};

/** @template T @param {T[]} list @param {T} value */
function note(list, value) {
  if (list[list.length - 1] !== value) list.push(value);
}

/** @param {HTMLElement} pill */
function look(pill) {
  note(seen.states, pill.dataset.state ?? "");
  const words = ["pill-word", "pill-text"].map((id) => document.getElementById(id)?.textContent);
  note(seen.pills, words.join(" ").trim());
}

// The page's modules run later than this.
document.addEventListener("readystatechange", () => {
  const pill = document.getElementById("pill");
  if (document.readyState !== "interactive" || !pill) return;
  const all = { subtree: true, childList: true, characterData: true };
  new MutationObserver(() => look(pill)).observe(pill, { ...all, attributeFilter: ["data-state"] });
  new MutationObserver((changes) => (seen.paints += changes.length)).observe(document.body, all);
});

globalThis.EventSource = class extends EventSource {
  /** @param {string | URL} url @param {EventSourceInit} [init] */
  constructor(url, init) {
    super(url, init);
    for (const name of TOLD) {
      this.addEventListener(name, (event) => seen.events.push({ name, ...JSON.parse(event.data) }));
    }
  }
};

let isShown = true;
/** Jobs for frames that a hidden page does not get. @type {FrameRequestCallback[]} */
let frames = [];
const request = requestAnimationFrame.bind(globalThis);

globalThis.requestAnimationFrame = (job) => (isShown ? request(job) : frames.push(job));
Object.defineProperty(document, "hidden", { get: () => !isShown });
Object.defineProperty(document, "visibilityState", { get: () => (isShown ? "visible" : "hidden") });

/** Put the page into the background, or bring it back. @param {boolean} isNow */
function setShown(isNow) {
  isShown = isNow;
  const waiting = isShown ? frames : [];
  frames = isShown ? [] : frames;
  for (const job of waiting) request(job);
  document.dispatchEvent(new Event("visibilitychange"));
}

/** Wait until the next frame is painted. @returns {Promise<void>} */
function painted() {
  return new Promise((resolve) => request(() => request(() => resolve())));
}

Object.assign(globalThis, { seen, setShown, painted });
