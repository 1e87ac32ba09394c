/**
 * What the client needs of the world around it, so that tests can give it another one.
 *
 * @typedef {object} Env
 * @property {typeof fetch} fetch
 * @property {typeof WebSocket} [WebSocket]
 * @property {typeof EventSource} [EventSource]
 * @property {(job: () => void, milliseconds: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} now milliseconds since the Unix epoch, by the wall clock: it goes on while a machine sleeps
 * @property {() => number} random from 0 to 1
 * @property {(bytes: Uint8Array<ArrayBuffer>) => void} getRandomValues fills bytes so that nobody can guess them
 * @property {(look: () => void) => () => void} watchWake calls `look` when the machine, the page or the network has come
 *   back; returns what ends that
 */

/** @type {Env} */
export const browser = {
  fetch: (...request) => globalThis.fetch(...request),
  WebSocket: globalThis.WebSocket,
  EventSource: globalThis.EventSource,
  setTimeout: (job, milliseconds) => globalThis.setTimeout(job, milliseconds),
  clearTimeout: (timer) => globalThis.clearTimeout(timer),
  now: () => Date.now(),
  random: () => Math.random(),
  getRandomValues: (bytes) => globalThis.crypto.getRandomValues(bytes),
  watchWake,
};

/** @param {() => void} look */
function watchWake(look) {
  /** @type {any} */
  const scope = globalThis;
  /** @type {[any, string][]} */
  const sources = [
    [scope, "online"],
    [scope, "pageshow"],
    [scope.document, "resume"],
    [scope.document, "visibilitychange"],
  ];
  for (const [target, name] of sources) target?.addEventListener?.(name, look);
  return () => sources.forEach(([target, name]) => target?.removeEventListener?.(name, look));
}

/** @param {Env} env @returns {string} 22 random characters: nobody may guess a session's id */
export function randomId(env) {
  const bytes = new Uint8Array(22);
  env.getRandomValues(bytes);
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return Array.from(bytes, (byte) => letters[byte & 63]).join("");
}
