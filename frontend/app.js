// The newest price of every symbol, from one stream of the server that this page came from.

/** @typedef {{symbol: string, name: string, tick_size: number, reference: number | null}} Instrument */
/** @typedef {{type: string, symbol: string, bid: number, ask: number, price: number, ts: number}} Tick */

const rows = /** @type {HTMLTableSectionElement} */ (document.querySelector("#rows"));
const state = /** @type {HTMLElement} */ (document.querySelector("#state"));
const facts = /** @type {HTMLElement} */ (document.querySelector("#facts"));

/** Cells of each symbol, what is known of it, and its newest ticks.
 * @type {Map<string, {cells: HTMLTableCellElement[], instrument: Instrument, quote?: Tick, trade?: Tick}>} */
const board = new Map();
const changed = new Set();
let received = 0;
let lost = 0;
let cursor = "";

/** @param {number} step */
function decimalsOf(step) {
  return Math.max(0, Math.round(-Math.log10(step) + 0.499));
}

/** @param {Instrument} instrument */
function addRow(instrument) {
  const row = rows.insertRow();
  const cells = Array.from({ length: 7 }, () => row.insertCell());
  cells[0].textContent = instrument.symbol;
  cells[1].textContent = instrument.name;
  board.set(instrument.symbol, { cells, instrument });
}

/** @param {Tick} tick */
function take(tick) {
  if (!board.has(tick.symbol)) {
    addRow({ symbol: tick.symbol, name: "", tick_size: 0.01, reference: null });
  }
  const line = board.get(tick.symbol);
  if (line) {
    line[tick.type === "quote" ? "quote" : "trade"] = tick;
    changed.add(tick.symbol);
  }
}

function paint() {
  const now = Date.now();
  for (const symbol of changed) {
    paintRow(symbol);
  }
  changed.clear();
  for (const { cells, quote, trade } of board.values()) {
    const ts = Math.max(quote?.ts ?? 0, trade?.ts ?? 0);
    cells[6].textContent = ts ? `${(Math.max(0, now - ts / 1000) / 1000).toFixed(1)} s` : "";
  }
  facts.textContent = `${received} ticks · lost ${lost} · ${cursor}`;
}

/** @param {string} symbol */
function paintRow(symbol) {
  const line = board.get(symbol);
  if (!line) return;
  const { cells, instrument, quote, trade } = line;
  const digits = decimalsOf(instrument.tick_size);
  const last = trade?.price ?? (quote && (quote.bid + quote.ask) / 2);
  if (last === undefined) return;
  const change = instrument.reference ? (last / instrument.reference - 1) * 100 : 0;
  cells[2].textContent = last.toFixed(digits);
  cells[3].textContent = `${change < 0 ? "▼ −" : "▲ +"}${Math.abs(change).toFixed(2)} %`;
  cells[3].className = change < 0 ? "down" : "up";
  cells[4].textContent = quote ? quote.bid.toFixed(digits) : "";
  cells[5].textContent = quote ? quote.ask.toFixed(digits) : "";
}

function connect() {
  const source = new EventSource("/v1/stream?batch=1");
  /** @param {string} name @param {(data: any) => void} handle */
  const on = (name, handle) =>
    source.addEventListener(name, (event) => {
      cursor = event.lastEventId || cursor;
      handle(JSON.parse(event.data));
    });
  on("hello", () => (state.textContent = "● LIVE"));
  on("snapshot", ({ quotes, trades }) => [...quotes, ...trades].forEach(take));
  on("gap", (gap) => (lost += gap.lost ?? 0));
  on("bye", ({ reason }) => (state.textContent = `✕ SERVER ENDED THE STREAM: ${reason}`));
  on("ticks", ({ ticks }) => {
    received += ticks.length;
    ticks.forEach(take);
  });
  source.onerror = () => (state.textContent = "✕ RECONNECTING");
}

const answer = await fetch("/v1/symbols");
const { instruments } = await answer.json();
instruments.forEach(addRow);
connect();
setInterval(paint, 200);
