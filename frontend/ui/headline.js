/** Headline: the symbol that is shown, with its price and what kind of market it is, in the bar and the window's title. */

import { arrow, fixed, percent } from "../model/format.js";
import { byId, write } from "./dom.js";

export class Headline {
  /** @type {string | null} */
  #symbol = null;
  /** Whether the stream is live: a title of a window that nobody looks at must say so too. */
  isLive = false;

  /** @param {import("../model/market.js").Market} market @param {import("./painter.js").Painter} painter */
  constructor(market, painter) {
    this.market = market;
    painter.add(() => this.paint(), { isMarket: true });
    painter.every(1000, () => painter.isHeld || this.#paintTitle());
  }

  /** @param {string | null} symbol */
  show(symbol) {
    this.#symbol = symbol;
    this.paint();
  }

  paint() {
    const row = this.#row;
    write(byId("chart-symbol"), this.#symbol ?? "No symbol");
    write(byId("chart-name"), row?.instrument?.name ?? "");
    write(byId("headline-symbol"), this.#symbol ?? "");
    write(byId("headline-last"), this.#last);
    this.#paintChange(row?.change ?? null);
    const kind = row?.instrument?.synthetic ? "SYNTHETIC" : this.market.isRecorded ? "RECORDED" : "";
    write(byId("kind"), kind);
    byId("kind").hidden = kind === "";
  }

  get #row() {
    return this.#symbol === null ? null : this.market.row(this.#symbol);
  }

  get #last() {
    const row = this.#row;
    return row === null || row.last === null ? "" : fixed(row.last, row.decimals);
  }

  /** @param {number | null} change */
  #paintChange(change) {
    const target = byId("headline-change");
    write(target, change === null ? "" : `${arrow(change)} ${percent(change)}`);
    target.className = change ? (change > 0 ? "up" : "down") : "";
  }

  #paintTitle() {
    const direction = this.#last && arrow(this.#row?.direction ?? 0);
    const parts = [this.isLive ? "" : "◔", this.#last, direction, this.#symbol ?? "", "· TICKER"];
    document.title = parts.filter(Boolean).join(" ");
  }
}
