/** Connection: cut one's own stream, choose its transport, and see counted what that cost. */

import { recoveryText } from "../model/wording.js";
import { time } from "../model/format.js";
import { byId, fillPairs, make, write } from "./dom.js";

/** @typedef {import("../client/ticker.js").Ticker | import("../client/shared.js").SharedTicker} AnyTicker */
/** @typedef {import("../client/recovery.js").Recovered} Recovered */

/** Breaks that are listed. */
const LIMIT = 50;

export class ConnectionPanel {
  #list = byId("recoveries");
  #note = byId("cut-note");
  #pinned = "";

  /** @param {import("./painter.js").Painter} painter @param {() => AnyTicker | null} ticker the one in use */
  constructor(painter, ticker) {
    this.ticker = ticker;
    painter.add(() => this.#paint());
    for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-cut]"))) {
      button.addEventListener("click", () => this.cut(Number(button.dataset.cut)));
    }
    byId("transports").addEventListener("change", ({ target }) => {
      const { value } = /** @type {HTMLInputElement} */ (target);
      this.ticker()?.use(/** @type {any} */ (value || null));
    });
    this.#list.append(hint());
  }

  /** @param {number} seconds */
  async cut(seconds) {
    write(this.#note, `cutting for ${seconds} s …`);
    try {
      await this.ticker()?.cut(seconds);
      write(this.#note, `cut for ${seconds} s by the server`);
    } catch (error) {
      write(this.#note, error instanceof Error ? `not cut: ${error.message}` : "not cut");
    }
  }

  /** @param {Recovered} recovered */
  add(recovered) {
    const text = recoveryText(recovered);
    const { isComplete, until, transport } = recovered;
    const item = make(
      "li",
      { className: isComplete ? "whole" : "broken", data: { ...counts(recovered) } },
      make("span", {}, text.slice(0, -1)),
      make("b", {}, text.slice(-1)),
      make("span", { className: "quiet" }, ` ${time(until)} ${transport}`),
    );
    this.#list.querySelector(".hint")?.remove();
    this.#list.prepend(item);
    while (this.#list.childElementCount > LIMIT) this.#list.lastElementChild?.remove();
    write(this.#note, "");
  }

  #paint() {
    const status = this.ticker()?.status;
    if (!status) return;
    const { received, duplicates, replayed, gaps, lost, reconnects, violations } = status.statistics;
    fillPairs(byId("counts"), [
      ["received", String(received)],
      ["replayed", String(replayed)],
      ["duplicate", String(duplicates)],
      ["gaps", String(gaps)],
      ["lost", status.statistics.unsized ? `${lost} + ?` : String(lost)],
      ["reconnects", String(reconnects)],
      ["violations", String(violations)],
    ]);
    write(byId("tabs-sharing"), this.#sharing(status));
    this.#showPinned(status.pinned ?? "");
  }

  /** Another tab may have chosen. @param {string} pinned */
  #showPinned(pinned) {
    if (pinned === this.#pinned) return;
    this.#pinned = pinned;
    for (const radio of /** @type {NodeListOf<HTMLInputElement>} */ (document.getElementsByName("transport"))) {
      radio.checked = radio.value === pinned;
    }
  }

  /** @param {import("../client/shared.js").Status} status */
  #sharing({ tabs, isCrowded, transport }) {
    if (isCrowded) return `4 other tabs hold a stream each${transport === "poll" ? "; this one polls" : ""}`;
    return (tabs ?? 0) > 1 ? `${tabs} tabs share one stream` : "";
  }
}

/** @param {Recovered} recovered */
function counts({ until, missed, replayed, duplicates, lost }) {
  return { until, missed, replayed, duplicates, lost };
}

function hint() {
  const text = "Cut the stream, at the server and for real: what you miss comes back, and is counted here.";
  return make("li", { className: "hint quiet" }, text);
}
