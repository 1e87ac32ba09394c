/** A transport by itself, and what it tells. */

import { Request } from "../../../../frontend/client/request.js";
import { HOME, World } from "./world.js";

/** @typedef {import("../../../../frontend/client/failure.js").Failure} Failure */

/**
 * @template T
 * @param {new (request: Request, listener: any) => T} Transport
 * @param {{token?: any}} [options]
 */
export function make(Transport, options = {}) {
  const world = new World();
  const request = new Request(HOME, "s", { symbols: ["A"], types: ["quote"], interval: "1m" }, options, world.env);
  /** @type {any[]} */
  const messages = [];
  /** @type {Failure[]} */
  const ends = [];
  const listener = {
    receive: (/** @type {any} */ message) => void messages.push(message),
    end: (/** @type {Failure} */ failure) => void ends.push(failure),
  };
  return { world, request, messages, ends, listener, transport: new Transport(request, listener) };
}
