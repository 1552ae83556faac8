/**
 * The data of a project in this browser: operations that the server has not confirmed, and the history for undo. If the
 * browser forbids IndexedDB, both are kept in memory, and the page states this.
 */

const STORES = /** @type {const} */ (["unsent", "history"]);

/** @typedef {typeof STORES[number]} Store */

export class Database {
  /** @type {IDBDatabase | null} */
  #db = null;
  /** @type {Map<Store, Map<IDBValidKey, unknown>>} */
  #memory = new Map(STORES.map((name) => [name, new Map()]));

  /** Whether the data survives a reload. */
  get lasting() {
    return this.#db !== null;
  }

  /** @param {string} name of the project; ports are shared by projects over time @returns {Promise<Database>} */
  static async open(name) {
    const database = new Database();
    try {
      database.#db = await new Promise((resolve, reject) => {
        const request = indexedDB.open(`underpaint:${name}`, 1);
        request.onupgradeneeded = () => {
          for (const store of STORES) request.result.createObjectStore(store, { keyPath: "key" });
        };
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
        request.onblocked = () => reject(new Error("blocked"));
      });
    } catch {
      database.#db = null;
    }
    return database;
  }

  /**
   * @template T
   * @param {Store} store
   * @returns {Promise<T[]>} in the order of their keys
   */
  async all(store) {
    const db = this.#db;
    if (!db) return /** @type {T[]} */ ([...this.#kept(store).values()]);
    return done(db.transaction(store).objectStore(store).getAll());
  }

  /** @param {Store} store @param {{key: string}[]} records @returns {Promise<void>} */
  async put(store, records) {
    const db = this.#db;
    if (!db) {
      for (const record of records) this.#kept(store).set(record.key, record);
      return;
    }
    const transaction = db.transaction(store, "readwrite", { durability: "strict" });
    for (const record of records) transaction.objectStore(store).put(record);
    await finished(transaction);
  }

  /** @param {Store} store @param {string[]} keys @returns {Promise<void>} */
  async remove(store, keys) {
    const db = this.#db;
    if (!db) {
      for (const key of keys) this.#kept(store).delete(key);
      return;
    }
    const transaction = db.transaction(store, "readwrite");
    for (const key of keys) transaction.objectStore(store).delete(key);
    await finished(transaction);
  }

  /** @param {Store} store */
  #kept(store) {
    return /** @type {Map<IDBValidKey, unknown>} */ (this.#memory.get(store));
  }
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @param {IDBTransaction} transaction @returns {Promise<void>} */
function finished(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });
}
