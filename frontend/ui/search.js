/** Search: a combobox after WAI-ARIA that finds symbols and companies. */

import { find } from "../model/search.js";
import { byId, make } from "./dom.js";

/** @typedef {import("../model/search.js").Found} Found */

export class Search {
  #input = /** @type {HTMLInputElement} */ (byId("search"));
  #list = byId("search-list");
  /** @type {Found[]} */
  #found = [];
  #active = 0;

  /**
   * @param {import("../model/market.js").Market} market
   * @param {(symbol: string) => boolean} isListed whether the watchlist has it
   * @param {(symbol: string) => void} chosen
   */
  constructor(market, isListed, chosen) {
    this.market = market;
    this.isListed = isListed;
    this.chosen = chosen;
    this.#input.addEventListener("input", () => this.#look());
    this.#input.addEventListener("focus", () => this.#look());
    this.#input.addEventListener("blur", () => this.#close());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    // Before the input loses the focus.
    this.#list.addEventListener("pointerdown", (event) => this.#point(event));
  }

  /** Open it, with a first letter where one was typed. @param {string} [letter] */
  open(letter = "") {
    this.#input.value = letter;
    this.#input.focus();
    this.#look();
  }

  #look() {
    this.#found = find(this.#input.value, this.market.instruments.values());
    this.#active = 0;
    this.#list.replaceChildren(...this.#found.map((found, index) => this.#option(found, index)));
    const isOpen = this.#found.length > 0;
    this.#list.hidden = !isOpen;
    this.#input.setAttribute("aria-expanded", String(isOpen));
    this.#mark(0);
  }

  /** @param {Found} found @param {number} index */
  #option({ symbol, name, isKnown }, index) {
    const what = isKnown ? name : "not known yet: it starts when it appears";
    const state = this.isListed(symbol) ? "listed" : "+ add";
    const option = make("li", { id: `search-${index}` }, make("b", {}, symbol), make("span", {}, what), make("i", {}, state));
    option.setAttribute("role", "option");
    return option;
  }

  /** @param {number} index */
  #mark(index) {
    const options = [...this.#list.children];
    this.#active = options.length ? (index + options.length) % options.length : 0;
    options.forEach((option, place) => option.setAttribute("aria-selected", String(place === this.#active)));
    const active = options[this.#active];
    if (active) this.#input.setAttribute("aria-activedescendant", active.id);
    else this.#input.removeAttribute("aria-activedescendant");
    active?.scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing) return;
    if (event.key === "ArrowDown") this.#mark(this.#list.hidden ? 0 : this.#active + 1);
    else if (event.key === "ArrowUp") this.#mark(this.#active - 1);
    else if (event.key === "Enter") this.#choose(this.#found[this.#active]);
    else if (event.key === "Escape") this.#leave();
    else return;
    event.preventDefault();
  }

  /** @param {PointerEvent} event */
  #point(event) {
    event.preventDefault();
    const option = /** @type {HTMLElement} */ (event.target).closest('[role="option"]');
    if (option) this.#choose(this.#found[[...this.#list.children].indexOf(option)]);
  }

  /** @param {Found | undefined} found */
  #choose(found) {
    if (!found) return;
    this.#leave();
    this.chosen(found.symbol);
  }

  #leave() {
    this.#input.value = "";
    this.#close();
    this.#input.blur();
  }

  #close() {
    this.#list.hidden = true;
    this.#input.setAttribute("aria-expanded", "false");
    this.#input.removeAttribute("aria-activedescendant");
  }
}
