/** Wording: what the page says of a connection. No DOM. */

import { duration } from "./format.js";

/** @typedef {import("../client/shared.js").Status} Status */
/** @typedef {import("../client/recovery.js").Recovered} Recovered */

/**
 * @typedef {object} Pill
 * @property {string} icon
 * @property {string} word
 * @property {string} text
 * @property {"good" | "wait" | "bad" | "calm"} tone
 * @property {"now" | "retry" | null} action
 */

/** Seconds without a tick, but with heartbeats, after which a market is called quiet. */
const QUIET = 10;

/** What a transport is called. @type {Record<string, string>} */
export const TRANSPORTS = {
  sse: "sse",
  fetch: "sse·fetch",
  websocket: "ws",
  longpoll: "long poll",
  poll: "poll",
};

/**
 * @param {Status | null} status null before the first
 * @param {{now: number, waiting: number | null, lastTick: number}} facts milliseconds; `waiting` are the ticks that have
 *   come since the page was paused, null if it is not
 * @returns {Pill}
 */
export function pillOf(status, { now, waiting, lastTick }) {
  const pill = status ? stateOf(status, now, lastTick) : connecting();
  if (waiting === null) return pill;
  const beside = pill.tone === "good" ? "" : ` · ${pill.icon} ${pill.word} ${pill.text}`;
  const tone = pill.tone === "good" ? "calm" : pill.tone;
  return { ...pill, icon: "⏸", word: "PAUSED", text: `(${waiting} waiting)${beside}`.trim(), tone };
}

/** @returns {Pill} */
function connecting() {
  return { icon: "◌", word: "CONNECTING", text: "", tone: "wait", action: null };
}

/** @param {Status} status @param {number} now @param {number} lastTick @returns {Pill} */
function stateOf(status, now, lastTick) {
  const { state, replay, attempt, failure } = status;
  switch (state) {
    case "live":
      return { icon: "●", word: "LIVE", text: quiet(now, lastTick, status), tone: "good", action: null };
    case "replaying": {
      const text = replay.of ? `${replay.done}/${replay.of}` : "";
      return { icon: "⟳", word: "REPLAYING", text, tone: "wait", action: null };
    }
    case "stale": {
      const text = duration((now - status.last) / 1000);
      return { icon: "◔", word: "STALE", text, tone: "wait", action: "now" };
    }
    case "paused":
      return { icon: "⏸", word: "PAUSED", text: "at the server", tone: "calm", action: null };
    case "reconnecting": {
      const text = `${wait(status, now)}${attempt > 1 ? ` (try ${attempt})` : ""}`;
      return { icon: "✕", word: "RECONNECTING", text, tone: "bad", action: status.retryAt ? "now" : null };
    }
    case "refused": {
      const text = `${failure?.status ?? failure?.code ?? ""} ${wait(status, now)}`.trim();
      return { icon: "⛔", word: "REFUSED", text, tone: "bad", action: "retry" };
    }
    case "closed":
      return { icon: "✕", word: "CLOSED", text: "", tone: "bad", action: "retry" };
    default:
      return { ...connecting(), text: attempt > 1 ? `try ${attempt}` : "" };
  }
}

/** @param {Status} status @param {number} now */
function wait({ retryAt }, now) {
  return retryAt === null ? "" : `in ${Math.max(0, Math.ceil((retryAt - now) / 1000))} s`;
}

/** A quiet market is no cut: heartbeats come. @param {number} now @param {number} lastTick @param {Status} status */
function quiet(now, lastTick, { since }) {
  const seconds = (now - Math.max(lastTick, since)) / 1000;
  return seconds > QUIET ? `quiet ${duration(seconds)}` : "";
}

/** Ticks that are lost, as far as anyone knows. @param {Status["statistics"]} statistics */
export function lostText({ lost, unsized }) {
  if (!unsized) return `lost ${lost}`;
  return lost ? `lost ${lost} and more` : "lost ?";
}

/** What a break cost: `cut 5.0 s: missed 1003, replayed 1003, duplicate 0, lost 0 ✓`. @param {Recovered} recovered */
export function recoveryText({ cause, at, until, missed, replayed, duplicates, lost, isComplete }) {
  const counts = `missed ${missed}, replayed ${replayed}, duplicate ${duplicates}, lost ${lost ?? "unknown"}`;
  return `${cause} ${((until - at) / 1000).toFixed(1)} s: ${counts} ${isComplete ? "✓" : "✕"}`;
}

/** What a gap's reason means. @param {{reason: string, lost: number | null}} gap */
export function gapText({ reason, lost }) {
  const what = lost === null ? "An unknown number of ticks is lost" : `${lost} ticks of the market are lost`;
  const why = /** @type {Record<string, string>} */ ({
    evicted: "you were away longer than the server remembers",
    slow: "this page could not keep up",
    restarted: "the server was started anew",
    future: "this server is behind the one you came from",
    unknown: "the server did not know where you were",
  })[reason];
  return `${what}: ${why ?? reason}. Prices are right again from now on.`;
}
