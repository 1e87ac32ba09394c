/** Why a connection is no more, or a request failed; and what the server's words mean for the next try. */

/** HTTP statuses after which the same may succeed later. */
const TEMPORARY_STATUS = new Set([408, 425, 429]);

/** Codes of an op's error that pass. */
const TEMPORARY_CODES = new Set(["rate_limited", "too_many", "not_ready", "draining", "overloaded", "cut"]);

export class Failure extends Error {
  /**
   * @param {string} code of the wire contract, or `cut`, `timeout`, `silent`, `blocked`, `violation`
   * @param {string} message one sentence
   * @param {{retryAfter?: number, isFinal?: boolean, status?: number, reached?: boolean, field?: string}} [facts]
   */
  constructor(code, message, facts = {}) {
    super(message);
    this.name = "Failure";
    this.code = code;
    /** Seconds after which the same may succeed, as the server said; null if it did not. */
    this.retryAfter = facts.retryAfter ?? null;
    /** Whether coming back would not help. */
    this.isFinal = facts.isFinal ?? false;
    /** The HTTP status or WebSocket close code, where there was one. */
    this.status = facts.status ?? null;
    /** Whether anyone was there; null if that is not known. */
    this.reached = facts.reached ?? null;
    /** Where in what was asked the mistake stands, such as `symbols[0]`. */
    this.field = facts.field ?? null;
  }
}

/** The server's bytes break the contract: something may be missing without a gap. The position is still good. */
export class Violation extends Failure {
  /** @param {string} message */
  constructor(message) {
    super("violation", message);
    this.name = "Violation";
  }
}

/**
 * What an answer other than 200 means (PROTOCOL.md section 8). One that no ticker server wrote is a proxy's: another
 * way may get past it, so it is not final.
 *
 * @param {{status: number, headers: {get(name: string): string | null}, text(): Promise<string>}} response
 */
export async function answerFailure(response) {
  const error = readError(await response.text().catch(() => ""));
  const retryAfter = error?.retry_after ?? seconds(response.headers.get("Retry-After"));
  const { status } = response;
  if (!error) return new Failure("blocked", `the answer was ${status}, and not the server's`, { status, retryAfter });
  const isFinal = status < 500 && !TEMPORARY_STATUS.has(status);
  const facts = { status, isFinal, retryAfter: retryAfter ?? (isFinal ? undefined : 1), field: error.field };
  return new Failure(error.code, error.message, facts);
}

/** @param {any} message an `error` that answers an op */
export function opFailure({ code, message, field, retry_after: retryAfter }) {
  const isFinal = !TEMPORARY_CODES.has(code);
  return new Failure(code, message, { field, isFinal, retryAfter: retryAfter ?? (isFinal ? undefined : 1) });
}

/** Return why a message ends its connection, or null if it does not. @param {any} message */
export function farewell(message) {
  if (message.type === "refused") {
    return new Failure(message.code, "the server asks for patience", { retryAfter: message.retry_after ?? 1 });
  }
  if (message.type === "error") return opFailure(message);
  if (message.type !== "bye") return null;
  const { reason, retry, reconnect } = message;
  if (reconnect === false) return new Failure(reason, "another connection has taken this session", { isFinal: true });
  const retryAfter = retry === undefined ? undefined : retry / 1000;
  return new Failure("bye", `the server ended the stream: ${reason}`, { retryAfter });
}

/** Whether the server refuses, rather than that the network fails or that it was told to cut.
 * @param {Failure} failure */
export function isRefusal({ code, retryAfter }) {
  return retryAfter !== null && code !== "cut" && code !== "bye";
}

/** @param {string} text @returns {any} */
function readError(text) {
  try {
    const { error } = JSON.parse(text);
    return typeof error?.code === "string" ? error : null;
  } catch {
    return null;
  }
}

/** @param {string | null} text */
function seconds(text) {
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}
