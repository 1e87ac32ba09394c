/** The library's page: the example that runs on it, and the buttons that copy the code of the others. */

import { Ticker } from "./ticker.js";

/** @typedef {import("./follower.js").Quote} Quote */
/** @typedef {import("./follower.js").Trade} Trade */
/** @typedef {import("./recovery.js").Recovered} Recovered */
/** @typedef {import("./machine.js").State} State */
/** @typedef {{symbol: string, name: string, sector: string, tick_size: number}} Instrument */

/** Symbols that the table shows. */
const ROWS = 5;

/** Seconds of a cut. */
const CUT = 3;

/** Milliseconds between two looks at the counts, which no event tells. */
const LOOK_INTERVAL = 200;

/** @type {Record<State, string>} */
const ICONS = {
  connecting: "◌",
  live: "●",
  replaying: "⟳",
  stale: "◔",
  reconnecting: "✕",
  paused: "⏸",
  refused: "⛔",
  closed: "○",
};

const COUNTS = /** @type {const} */ (["received", "replayed", "duplicates", "gaps", "lost"]);

/** @template {HTMLElement} [T=HTMLElement] @param {string} id @returns {T} */
const element = (id) => /** @type {T} */ (document.getElementById(id));

/** Write only what has changed. @param {Element} target @param {unknown} value */
function write(target, value) {
  const text = String(value);
  if (target.textContent !== text) target.textContent = text;
}

/** @param {string} name @param {string} [text] @param {string} [className] */
function make(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

/** One symbol's row: what is known of it, painted once per frame. */
class Row {
  /** @type {Quote | null} */
  quote = null;
  /** @type {Trade | null} */
  trade = null;
  /** Where the last price went: up is above 0. */
  #move = 0;

  /** @param {string} symbol @param {Instrument | undefined} instrument */
  constructor(symbol, instrument) {
    this.decimals = instrument && decimals(instrument.tick_size);
    const head = make("th", symbol);
    head.setAttribute("scope", "row");
    if (instrument) head.append(make("span", instrument.name, "company"));
    this.cells = [make("td", "–"), make("td", "–"), make("td", "–")];
    this.element = make("tr");
    this.element.append(head, ...this.cells);
  }

  /** @param {Trade} trade */
  take(trade) {
    if (this.trade) this.#move = trade.price - this.trade.price || this.#move;
    this.trade = trade;
  }

  paint() {
    const [bid, ask, last] = this.cells;
    if (this.quote) write(bid, this.#price(this.quote.bid));
    if (this.quote) write(ask, this.#price(this.quote.ask));
    if (this.trade) write(last, `${arrow(this.#move)}${this.#price(this.trade.price)}`);
    last.className = this.#move > 0 ? "up" : this.#move < 0 ? "down" : "";
  }

  /** @param {number} price */
  #price(price) {
    return this.decimals === undefined ? String(price) : price.toFixed(this.decimals);
  }
}

/** @param {number} move */
function arrow(move) {
  return move > 0 ? "▲ " : move < 0 ? "▼ " : "";
}

/** @param {number} tickSize 0.005 has 3 decimals */
function decimals(tickSize) {
  const [digits, exponent = "0"] = String(tickSize).split("e-");
  return (digits.split(".")[1] ?? "").length + Number(exponent);
}

/** Ask the server what there is. @returns {Promise<Instrument[]>} */
async function instruments() {
  const answer = await fetch("/v1/symbols");
  return answer.ok ? (await answer.json()).instruments : [];
}

/** Choose a few, of as many sectors as there are. @param {Instrument[]} all */
function choose(all) {
  const firsts = all.filter(({ sector }, place) => all.findIndex((each) => each.sector === sector) === place);
  return [...new Set([...firsts, ...all])].slice(0, ROWS);
}

/** Show a ticker's prices. @param {Ticker} ticker @param {Instrument[]} chosen */
function showPrices(ticker, chosen) {
  /** @type {Map<string, Row>} */
  const rows = new Map();
  let isDue = false;

  /** @param {string} symbol */
  function row(symbol) {
    const found = rows.get(symbol);
    if (found || rows.size === ROWS) return found;
    const made = new Row(symbol, chosen.find((each) => each.symbol === symbol));
    rows.set(symbol, made);
    element("rows").append(made.element);
    return made;
  }

  function paint() {
    isDue = false;
    for (const each of rows.values()) each.paint();
  }

  /** @param {Quote} quote */
  function takeQuote(quote) {
    const found = row(quote.symbol);
    if (found) found.quote = quote;
  }

  /** @param {Trade} trade */
  const takeTrade = (trade) => row(trade.symbol)?.take(trade);

  for (const { symbol } of chosen) row(symbol);
  ticker.on("quote", takeQuote);
  ticker.on("trade", takeTrade);
  ticker.on("snapshot", ({ quotes, trades }) => {
    quotes.forEach(takeQuote);
    trades.forEach(takeTrade);
  });
  ticker.on("items", () => {
    if (!isDue) requestAnimationFrame(paint);
    isDue = true;
  });
}

/** Show a ticker's state and counts. @param {Ticker} ticker */
function showStatus(ticker) {
  function paint() {
    const { status } = ticker;
    element("example").dataset.state = status.state;
    write(element("state-icon"), ICONS[status.state]);
    write(element("state"), status.state);
    write(element("state-more"), more(status));
    write(element("transport"), status.transport);
    write(element("cursor"), status.cursor ?? "–");
    for (const name of COUNTS) write(element(name), status.statistics[name]);
    element("retry").hidden = status.state !== "refused";
  }

  /** @param {import("./ticker.js").Status} status */
  function choice({ transport }) {
    for (const input of inputs()) input.checked = input.value === transport;
  }

  ticker.on("status", paint);
  ticker.on("status", choice);
  setInterval(paint, LOOK_INTERVAL);
}

/** What there is to say about a state. @param {import("./ticker.js").Status} status */
function more({ state, replay, retryAt, failure }) {
  if (state === "replaying") return `${replay.done} of ${replay.of}`;
  if (state !== "reconnecting" && state !== "refused") return "";
  const wait = retryAt === null ? "" : `again in ${Math.max(0, (retryAt - Date.now()) / 1000).toFixed(1)} s`;
  return [failure?.message, wait].filter(Boolean).join(", ");
}

function inputs() {
  return /** @type {NodeListOf<HTMLInputElement>} */ (element("choice").querySelectorAll("input"));
}

/** Let the reader break the stream, and say what that cost. @param {Ticker} ticker */
function offerBreaks(ticker) {
  const proof = element("proof");

  /** @param {string} text @param {"" | "good" | "bad"} [verdict] */
  function say(text, verdict = "") {
    write(proof, text);
    proof.className = `proof ${verdict}`;
  }

  ticker.on("recovery", (recovered) => say(sentence(recovered), recovered.isComplete ? "good" : "bad"));
  element("retry").addEventListener("click", () => ticker.retry());
  element("cut").addEventListener("click", () => {
    say(`Cut for ${CUT} s: the server refuses this stream, and the market goes on …`);
    ticker.cut(CUT).catch((failure) => say(`Not cut: ${failure.message}.`, "bad"));
  });
  for (const input of inputs()) {
    input.addEventListener("change", () => {
      say(`Changing to ${input.value}, from the same cursor on …`);
      ticker.use(/** @type {import("./ticker.js").TransportName} */ (input.value));
    });
  }
}

/** @param {Recovered} recovered */
function sentence({ at, until, transport, missed, replayed, gaps, lost, isComplete }) {
  const away = until - at < 1000 ? `${until - at} ms` : `${((until - at) / 1000).toFixed(1)} s`;
  const inGaps = gaps ? ` in ${gaps} ${gaps === 1 ? "gap" : "gaps"}` : "";
  const counts = `missed ${missed}, replayed ${replayed}, lost ${lost ?? "an unknown number"}${inGaps}`;
  return `${isComplete ? "✓" : "✕"} Away for ${away}, back on ${transport}: ${counts}.`;
}

/** Give each piece of code a button that copies it. */
function offerCopies() {
  for (const figure of document.querySelectorAll("figure.code")) {
    const code = /** @type {HTMLElement} */ (figure.querySelector("code"));
    const caption = /** @type {HTMLElement} */ (figure.querySelector("figcaption"));
    const button = make("button", "Copy");
    const said = make("span", "", "unseen");
    button.setAttribute("type", "button");
    button.setAttribute("aria-label", `Copy the code: ${caption.textContent}`);
    said.setAttribute("role", "status");
    button.addEventListener("click", async () => {
      const isDone = await copy(code);
      write(button, isDone ? "Copied" : "Selected");
      write(said, isDone ? "Copied" : "Selected");
      setTimeout(() => [write(button, "Copy"), write(said, "")], 2000);
    });
    caption.append(button, said);
  }
}

/** Copy an element's text; where that is not allowed, as on a plain HTTP page, select it.
 * @param {HTMLElement} code @returns {Promise<boolean>} whether it was copied */
async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent ?? "");
    return true;
  } catch {
    getSelection()?.selectAllChildren(code);
    return false;
  }
}

for (const each of document.querySelectorAll(".origin")) write(each, location.origin);
offerCopies();

const chosen = choose(await instruments().catch(() => []));
// A server without a feed has no symbols yet: take what comes.
const symbols = chosen.length ? chosen.map(({ symbol }) => symbol) : ["*"];
const ticker = new Ticker(location.origin, { symbols });
showPrices(ticker, chosen);
showStatus(ticker);
offerBreaks(ticker);
