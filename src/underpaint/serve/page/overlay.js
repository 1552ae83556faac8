/** The mask and the uncertainty over a photograph. The server sends numbers, and a worker colours them. */

import { patterns, rgb } from "./palette.js";

/** @typedef {import("./overlay-worker.js").Answer} Answer */
/** @typedef {import("./png.js").Numbers} Numbers */

/**
 * The Trusted Types policy of the page. It allows one script as a worker.
 * @returns {string | URL}
 */
function workerAddress() {
  const address = new URL("overlay-worker.js", import.meta.url).href;
  const policies = /** @type {{trustedTypes?: {createPolicy: (name: string, rules: object) => {createScriptURL: (url: string) => string}}}} */ (
    /** @type {unknown} */ (window)
  ).trustedTypes;
  if (!policies) return address;
  const policy = policies.createPolicy("underpaint", {
    createScriptURL: (/** @type {string} */ url) => {
      if (url !== address) throw new TypeError("no other worker");
      return url;
    },
  });
  return policy.createScriptURL(address);
}

/** One worker serves all screens. @type {Worker | null} */
let worker = null;
const theWorker = () => (worker ??= new Worker(workerAddress(), { type: "module" }));

let once = 0;

/**
 * A mask as a picture, for lists. The caller closes it.
 * @param {Blob} file @returns {Promise<ImageBitmap | null>}
 */
export async function coloured(file) {
  const id = ++once;
  const bytes = await file.arrayBuffer();
  return new Promise((resolve) => {
    /** @param {MessageEvent<Answer>} event */
    const take = ({ data }) => {
      if (data.kind !== "once" || data.id !== id) return;
      theWorker().removeEventListener("message", take);
      resolve(data.fill);
    };
    theWorker().addEventListener("message", take);
    theWorker().postMessage({ kind: "once", id, file: bytes }, [bytes]);
  });
}

/** @param {import("./types.js").ClassInfo[]} classes @param {Set<string>} hidden names of classes that are not shown */
export function setLook(classes, hidden) {
  const style = {
    colours: classes.map(({ color }) => rgb(color)),
    patterns: patterns(classes),
    hidden: classes.flatMap(({ name }, i) => (hidden.has(name) ? [i] : [])),
  };
  theWorker().postMessage({ kind: "style", style });
}

export class Overlay extends EventTarget {
  #id = 0;
  /** @type {{mask: number, uncertainty: number}} */
  #asked = { mask: 0, uncertainty: 0 };
  /** @param {MessageEvent<Answer>} event */
  #take = ({ data }) => {
    if (data.kind === "once") return;
    if (data.id !== this.#asked[data.kind]) {
      data.fill?.close();
      data.outlines?.close();
      return;
    }
    this.#forget(data.kind);
    if (data.kind === "uncertainty") this.uncertainty = data.fill;
    else [this.fill, this.outlines, this.shares, this.numbers] = [data.fill, data.outlines, data.shares, data.numbers];
    this.dispatchEvent(new Event("change"));
  };

  constructor() {
    super();
    /** @type {ImageBitmap | null} */
    this.fill = null;
    /** @type {ImageBitmap | null} */
    this.outlines = null;
    /** @type {ImageBitmap | null} */
    this.uncertainty = null;
    /** @type {number[]} of all pixels, by class */
    this.shares = [];
    /** @type {Numbers | null} */
    this.numbers = null;
    theWorker().addEventListener("message", this.#take);
  }

  close() {
    this.clear();
    theWorker().removeEventListener("message", this.#take);
  }

  /** @param {"mask" | "uncertainty"} kind @param {Blob | null} file */
  async show(kind, file) {
    const id = ++this.#id;
    this.#asked[kind] = id;
    const bytes = file && (await file.arrayBuffer());
    if (this.#asked[kind] === id) theWorker().postMessage({ kind, id, file: bytes }, bytes ? [bytes] : []);
  }

  clear() {
    this.#asked = { mask: ++this.#id, uncertainty: ++this.#id };
    this.#forget("mask");
    this.#forget("uncertainty");
    this.shares = [];
    this.numbers = null;
    theWorker().postMessage({ kind: "mask", id: this.#asked.mask, file: null });
  }

  /** The number of the class at a place, or null. @param {number} x @param {number} y shares of width and height */
  at(x, y) {
    const numbers = this.numbers;
    if (!numbers || x < 0 || y < 0 || x >= 1 || y >= 1) return null;
    return numbers.values[Math.floor(y * numbers.height) * numbers.width + Math.floor(x * numbers.width)];
  }

  /** @param {"mask" | "uncertainty"} kind */
  #forget(kind) {
    if (kind === "uncertainty") {
      this.uncertainty?.close();
      this.uncertainty = null;
      return;
    }
    this.fill?.close();
    this.outlines?.close();
    this.fill = this.outlines = null;
  }
}
