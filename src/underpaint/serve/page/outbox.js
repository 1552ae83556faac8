/**
 * Operations on the way to the server. Each is first stored in this browser and removed when the server has confirmed
 * it. Sending an operation twice has no effect, so after a failure it is sent again.
 */

import { ApiError } from "./api.js";

/** @typedef {import("./types.js").Op} Op */
/** @typedef {{key: string, op: Op}} Waiting */

const BATCH = 40;
const SLOWEST = 10_000;

export class Outbox extends EventTarget {
  /** @type {Map<string, Waiting>} */
  #waiting = new Map();
  #count = 0;
  #sending = false;
  #pause = 250;
  #timer = 0;

  /** @param {import("./api.js").Api} api @param {import("./database.js").Database} database */
  constructor(api, database) {
    super();
    this.api = api;
    this.database = database;
    /** @type {ApiError | null} why the last attempt failed */
    this.fault = null;
    /** @type {number} revision that the server named last */
    this.revision = 0;
    window.addEventListener("online", () => this.hurry());
  }

  get size() {
    return this.#waiting.size;
  }

  /** @returns {Op[]} what was not confirmed yet, in order */
  get ops() {
    return [...this.#waiting.values()].map((one) => one.op);
  }

  /** Reads the operations of an earlier visit that were not sent. */
  async open() {
    for (const one of /** @type {Waiting[]} */ (await this.database.all("unsent"))) this.#waiting.set(one.op.id, one);
    this.hurry();
  }

  /** @param {Op[]} ops @returns {Promise<void>} when they are kept in this browser */
  async add(ops) {
    const records = ops.map((op) => ({ key: this.#key(), op }));
    for (const one of records) this.#waiting.set(one.op.id, one);
    this.#changed();
    const kept = this.database.put("unsent", records).catch(() => undefined);
    void this.#send();
    await kept;
  }

  /** Sends the waiting operations now. */
  hurry() {
    window.clearTimeout(this.#timer);
    this.#pause = 250;
    void this.#send();
  }

  /** Keys sort in the order of time. */
  #key() {
    return `${String(Date.now()).padStart(15, "0")}-${String(this.#count++).padStart(9, "0")}`;
  }

  async #send() {
    if (this.#sending) return;
    this.#sending = true;
    window.clearTimeout(this.#timer);
    try {
      while (this.#waiting.size) await this.#batch([...this.#waiting.values()].slice(0, BATCH));
      this.fault = null;
      this.#pause = 250;
    } catch (error) {
      this.fault = error instanceof ApiError ? error : new ApiError(0, String(error));
      this.#timer = window.setTimeout(() => void this.#send(), this.#pause);
      this.#pause = Math.min(this.#pause * 2, SLOWEST);
    } finally {
      this.#sending = false;
      this.#changed();
    }
  }

  /** @param {Waiting[]} batch */
  async #batch(batch) {
    try {
      const answer = await this.api.post("ops", { ops: batch.map((one) => one.op) });
      this.revision = answer.revision;
      const known = batch.filter((one) => answer.known.includes(one.op.id));
      if (!known.length) throw new ApiError(0, "the server confirmed nothing");
      await this.#gone(known);
      this.dispatchEvent(new Event("saved"));
    } catch (error) {
      const refused = error instanceof ApiError && !error.passing && error.status !== 401 && error.status !== 403;
      if (!refused) throw error;
      if (batch.length > 1) {
        for (const one of batch) await this.#batch([one]);
        return;
      }
      await this.#gone(batch);
      this.dispatchEvent(new CustomEvent("refused", { detail: { op: batch[0].op, error } }));
    }
  }

  /** @param {Waiting[]} done */
  async #gone(done) {
    for (const one of done) this.#waiting.delete(one.op.id);
    this.#changed();
    await this.database.remove("unsent", done.map((one) => one.key)).catch(() => undefined);
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** A number that no other operation has. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
