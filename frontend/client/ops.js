/** Ops: questions to a socket, and the answers that match them by their id. */

import { Failure, opFailure } from "./failure.js";

/** Milliseconds that an answer may take: the session's node may be another one, which has 2 s. */
const ANSWER_TIMEOUT = 5000;

/** @typedef {{resolve: (ack: any) => void, reject: (failure: Failure) => void, timer: any}} Question */

export class Ops {
  #next = 1;
  /** @type {Map<number, Question>} */
  #asked = new Map();

  /** @param {import("./env.js").Env} env @param {(text: string) => void} send */
  constructor(env, send) {
    this.env = env;
    this.send = send;
  }

  /**
   * Ask for an op and return its ack.
   *
   * @param {string} op
   * @param {object} fields
   * @returns {Promise<any>}
   * @throws {Failure} if it failed, or the socket is gone before it answered
   */
  do(op, fields) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = this.env.setTimeout(() => this.#settle(id)?.reject(silent(op)), ANSWER_TIMEOUT);
      this.#asked.set(id, { resolve, reject, timer });
      try {
        this.send(JSON.stringify({ op, id, ...fields }));
      } catch (error) {
        this.#settle(id)?.reject(new Failure("cut", `${op} was not sent: ${error}`));
      }
    });
  }

  /** Take an answer. @param {any} message @returns {boolean} whether it was one */
  take(message) {
    if (message.type !== "ack" && message.type !== "error") return false;
    const question = this.#settle(message.id);
    if (message.type === "ack") question?.resolve(message);
    else question?.reject(opFailure(message));
    return true;
  }

  /** Fail what was not answered: the socket is gone. */
  close() {
    for (const id of [...this.#asked.keys()]) this.#settle(id)?.reject(new Failure("cut", "the socket is gone"));
  }

  /** @param {number} id */
  #settle(id) {
    const question = this.#asked.get(id);
    this.#asked.delete(id);
    if (question) this.env.clearTimeout(question.timer);
    return question;
  }
}

/** @param {string} op */
function silent(op) {
  return new Failure("timeout", `no answer to ${op}`);
}
