/** The SharedWorker that holds the one stream of all tabs. */

import { browser } from "./env.js";
import { Hub } from "./hub.js";
import { Ticker } from "./ticker.js";

/** A tab holds its lock for as long as it lives; ports don't tell when it has gone. @param {string} name */
function left(name) {
  return navigator.locks.request(name, async () => {});
}

const hub = new Hub((url, options) => new Ticker(url, options), left, browser);

/** @type {any} */ (globalThis).onconnect = (/** @type {MessageEvent} */ event) => hub.add(event.ports[0]);
