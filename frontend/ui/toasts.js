/** Toasts: messages that come and go, and the one polite voice of the page. */

import { byId, make, write } from "./dom.js";

/** Messages that stand at once, and milliseconds that one that nobody must see stands. */
const LIMIT = 4;
const STAY = 12_000;

export class Toasts {
  #region = byId("toasts");
  #voice = byId("announcer");

  /**
   * @param {string} text
   * @param {{tone?: "plain" | "bad" | "alert", stays?: boolean}} [kind] whether it stays until it is closed
   */
  show(text, { tone = "plain", stays = false } = {}) {
    const close = make("button", { type: "button" }, "✕");
    close.setAttribute("aria-label", "Close the message");
    const toast = make("div", { className: "toast", data: { tone } }, make("p", {}, text), close);
    close.addEventListener("click", () => toast.remove());
    while (this.#region.childElementCount >= LIMIT) this.#region.firstElementChild?.remove();
    this.#region.append(toast);
    if (!stays) setTimeout(() => toast.remove(), STAY);
    this.say(text);
  }

  /** Let it be read aloud, and not shown. @param {string} text */
  say(text) {
    write(this.#voice, text);
  }
}
