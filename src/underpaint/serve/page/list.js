/** The list of photographs in the chosen order and with the chosen filter. Parts are loaded when they are needed. */

/** @typedef {import("./types.js").ImageRow} ImageRow */

const PAGE = 200;

export class ImageList {
  /** @type {ImageRow[]} */
  rows = [];
  /** @type {number | string | null} where the next part begins; null at the end */
  #next = null;
  #started = false;
  /** @type {Promise<void> | null} */
  #loading = null;

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    this.api = api;
    this.order = "name";
    this.filter = "";
  }

  get complete() {
    return this.#started && this.#next === null;
  }

  /** @param {{order?: string, filter?: string}} [changes] */
  async restart(changes = {}) {
    Object.assign(this, changes);
    await this.#loading;
    this.#started = false;
    this.#next = null;
    this.rows = [];
    await this.more();
  }

  /** Loads the next part. */
  async more() {
    if (this.complete) return;
    this.#loading ??= this.#load().finally(() => (this.#loading = null));
    await this.#loading;
  }

  async #load() {
    const query = { after: this.#next, limit: PAGE, order: this.order, filter: this.filter };
    const page = /** @type {{items: ImageRow[], next: number | string | null}} */ (await this.api.get("images", query));
    this.#started = true;
    this.rows.push(...page.items);
    this.#next = page.next ?? null;
  }

  /** @returns {Promise<number | null>} the first photograph that can be read */
  async first() {
    if (!this.#started) await this.more();
    return this.rows.find((row) => row.state !== "unreadable")?.id ?? null;
  }

  /** The photograph before or after one. @param {number} id @param {number} step @returns {Promise<number | null>} */
  async beside(id, step) {
    if (!this.#started) await this.more();
    let at = this.rows.findIndex((row) => row.id === id);
    while (!this.complete && (at < 0 || at + step >= this.rows.length)) {
      await this.more();
      at = this.rows.findIndex((row) => row.id === id);
    }
    return this.rows[at + step]?.id ?? null;
  }

  /** Takes a newer row. @param {ImageRow} row */
  take(row) {
    const at = this.rows.findIndex((one) => one.id === row.id);
    if (at >= 0) this.rows[at] = row;
  }
}
