/**
 * Undo and redo without a limit, also after a reload. Undoing writes new operations; the log never loses one. An
 * operation that adds a mark again has a new number, which replaces the old one in the entries.
 */

/** @typedef {import("./types.js").Hint} Hint */
/** @typedef {import("./types.js").TagSet} TagSet */
/**
 * One thing that was done: a mark added or deleted, or other tags.
 * @typedef {{did: "add", id: string, hint: Hint} | {did: "delete", id: string, hint: Hint} |
 *   {did: "tags", before: TagSet, after: TagSet}} Step
 */
/** @typedef {{key: string, image: number, steps: Step[], undone: boolean}} Entry */

const KEPT = 5000;

export class History {
  /** @type {Entry[]} oldest first */
  #entries = [];
  #count = 0;

  /** @param {import("./database.js").Database} database */
  constructor(database) {
    this.database = database;
  }

  async open() {
    const kept = /** @type {Entry[]} */ (await this.database.all("history"));
    const old = kept.slice(0, Math.max(kept.length - KEPT, 0));
    this.#entries = kept.slice(old.length);
    if (old.length) await this.database.remove("history", old.map((entry) => entry.key));
  }

  /** @param {number} image @param {Step[]} steps */
  record(image, steps) {
    const gone = this.#entries.filter((entry) => entry.image === image && entry.undone);
    this.#entries = this.#entries.filter((entry) => !gone.includes(entry));
    const key = `${String(Date.now()).padStart(15, "0")}-${String(this.#count++).padStart(9, "0")}`;
    const entry = { key, image, steps, undone: false };
    this.#entries.push(entry);
    void this.database.remove("history", gone.map((one) => one.key)).catch(() => undefined);
    this.#keep([entry]);
  }

  /**
   * Adds a mark without a history in this browser, at its place in time, so that it can be undone like other marks.
   * @param {number} image @param {import("./types.js").Mark} mark
   */
  adopt(image, mark) {
    const key = `${String(Math.round(mark.at * 1000)).padStart(15, "0")}-${String(this.#count++).padStart(9, "0")}`;
    /** @type {Entry} */
    const entry = { key, image, steps: [{ did: "add", id: mark.id, hint: mark.hint }], undone: false };
    const place = this.#entries.findIndex((one) => one.key > key);
    this.#entries.splice(place < 0 ? this.#entries.length : place, 0, entry);
    return entry;
  }

  /** The newest thing done in a photograph. @param {number} image */
  last(image) {
    return this.#entries.findLast((entry) => entry.image === image && !entry.undone) ?? null;
  }

  /** The oldest thing undone in a photograph. @param {number} image */
  undone(image) {
    return this.#entries.find((entry) => entry.image === image && entry.undone) ?? null;
  }

  /**
   * Reverses an entry.
   * @param {Entry} entry @param {() => string} newId
   * @returns {Step[]} what is to be done now
   */
  turn(entry, newId) {
    const backwards = !entry.undone;
    entry.undone = backwards;
    /** @type {Set<Entry>} */
    const changed = new Set([entry]);
    const steps = (backwards ? [...entry.steps].reverse() : entry.steps).map((step) => {
      if (step.did === "tags") return backwards ? { ...step, before: step.after, after: step.before } : step;
      if ((step.did === "add") === backwards) return { ...step, did: /** @type {const} */ ("delete") };
      const id = newId();
      for (const other of this.#rename(step.id, id)) changed.add(other);
      return { did: /** @type {const} */ ("add"), id, hint: step.hint };
    });
    this.#keep([...changed]);
    return steps;
  }

  /** @param {string} old @param {string} now */
  *#rename(old, now) {
    for (const entry of this.#entries) {
      for (const step of entry.steps) {
        if (step.did === "tags" || step.id !== old) continue;
        step.id = now;
        yield entry;
      }
    }
  }

  /** @param {Entry[]} entries */
  #keep(entries) {
    void this.database.put("history", entries).catch(() => undefined);
  }
}
