/** Slots: how many tabs of a browser may hold a stream of their own, so that two of six connections stay free. */

const SLOTS = ["ticker stream 1", "ticker stream 2", "ticker stream 3", "ticker stream 4"];

/** Take a slot for as long as this page lives. @returns {Promise<boolean>} whether there was one */
export async function takeSlot() {
  if (!navigator.locks) return true;
  for (const name of SLOTS) if (await take(name)) return true;
  return false;
}

/** @param {string} name @returns {Promise<boolean>} */
function take(name) {
  return new Promise((resolve) => {
    navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock && new Promise(() => {});
    });
  });
}

/** Wait for a slot and take it. @returns {Promise<void>} */
export function waitForSlot() {
  const others = new AbortController();
  return new Promise((resolve) => {
    for (const name of SLOTS) {
      const wait = navigator.locks.request(name, { signal: others.signal }, () => {
        if (others.signal.aborted) return undefined;
        others.abort();
        resolve();
        return new Promise(() => {});
      });
      wait.catch(() => {});
    }
  });
}
