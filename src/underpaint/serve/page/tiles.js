/**
 * The photograph as tiles of several sizes. Levels are numbered as OpenSeadragon does: the last one is the photograph
 * itself, and each before it has half the width and height.
 */

import { PIXELS_FROM } from "./view.js";

/** @typedef {import("./types.js").ImageDetail} ImageDetail */
/** @typedef {{picture: ImageBitmap | null, abort: AbortController, wanted: number}} Tile */

const KEPT = 120;
const AT_ONCE = 4;

export class Tiles {
  /** @type {Map<string, Tile>} oldest first */
  #tiles = new Map();
  /** @type {{key: string, level: number, x: number, y: number}[]} */
  #queue = [];
  #loading = 0;
  #turn = 0;
  /** @type {ImageDetail | null} */
  #image = null;

  /** @param {import("./api.js").Api} api @param {() => void} changed */
  constructor(api, changed) {
    this.api = api;
    this.changed = changed;
    /** @type {{lo: number, hi: number} | null} the window of a photograph of 16 bits */
    this.contrast = null;
    /** @type {string} why the photograph cannot be shown */
    this.fault = "";
  }

  /** @param {ImageDetail | null} image */
  open(image) {
    this.close();
    this.#image = image;
    this.contrast = null;
    this.fault = "";
    this.changed();
  }

  close() {
    for (const tile of this.#tiles.values()) {
      tile.abort.abort();
      tile.picture?.close();
    }
    this.#tiles.clear();
    this.#queue = [];
  }

  /** @param {{lo: number, hi: number} | null} contrast */
  expose(contrast) {
    this.close();
    this.contrast = contrast;
    this.changed();
  }

  /** @param {CanvasRenderingContext2D} context @param {import("./view.js").View} view */
  draw(context, view) {
    const image = this.#image;
    context.clearRect(0, 0, view.width, view.height);
    if (!image) return;
    this.#turn++;
    const last = image.levels - 1;
    const target = Math.min(Math.max(last - Math.floor(Math.log2(1 / view.scale) + 0.01), 0), last);
    const coarse = Math.max(last - Math.ceil(Math.log2(Math.max(view.imageWidth, view.imageHeight) / image.tile)), 0);
    this.#queue = [];
    for (let level = Math.min(coarse, target); level <= target; level++) {
      context.imageSmoothingEnabled = !(level === last && view.scale >= PIXELS_FROM);
      context.imageSmoothingQuality = "medium";
      this.#drawLevel(context, view, image, level, 2 ** (last - level), level === target || level === coarse);
    }
    this.#forgetOld();
    this.#load();
  }

  /**
   * @param {CanvasRenderingContext2D} context @param {import("./view.js").View} view @param {ImageDetail} image
   * @param {number} level @param {number} reduction pixels of the photograph in one of the level
   * @param {boolean} wanted
   */
  #drawLevel(context, view, image, level, reduction, wanted) {
    const seen = view.seen();
    const side = image.tile * reduction;
    for (let y = Math.floor(seen.y0 / side); y * side < seen.y1; y++) {
      for (let x = Math.floor(seen.x0 / side); x * side < seen.x1; x++) {
        const key = `${level}/${x}_${y}`;
        const tile = this.#tiles.get(key);
        if (tile) tile.wanted = this.#turn;
        if (!tile && wanted) this.#queue.push({ key, level, x, y });
        if (!tile?.picture) continue;
        const right = Math.min(x * side + tile.picture.width * reduction, image.width);
        const bottom = Math.min(y * side + tile.picture.height * reduction, image.height);
        const [left, top] = view.toWindow(x * side, y * side).map(Math.round);
        const [toX, toY] = view.toWindow(right, bottom).map(Math.round);
        context.drawImage(tile.picture, left, top, toX - left, toY - top);
      }
    }
  }

  #forgetOld() {
    for (const [key, tile] of this.#tiles) {
      if (!tile.picture && tile.wanted < this.#turn - 2) tile.abort.abort();
      if (this.#tiles.size <= KEPT || tile.wanted === this.#turn || !tile.picture) continue;
      tile.picture.close();
      this.#tiles.delete(key);
    }
  }

  #load() {
    while (this.#loading < AT_ONCE && this.#queue.length) {
      const next = this.#queue.shift();
      if (next && !this.#tiles.has(next.key)) void this.#fetch(next.key, next.level, next.x, next.y);
    }
  }

  /** @param {string} key @param {number} level @param {number} x @param {number} y */
  async #fetch(key, level, x, y) {
    const image = this.#image;
    if (!image) return;
    /** @type {Tile} */
    const tile = { picture: null, abort: new AbortController(), wanted: this.#turn };
    this.#tiles.set(key, tile);
    this.#loading++;
    try {
      const path = `images/${image.id}/tiles/${level}/${x}_${y}`;
      const blob = await this.api.blob(path, { rev: image.rev, ...(this.contrast ?? {}) }, tile.abort.signal);
      const picture = await createImageBitmap(blob);
      if (this.#tiles.get(key) === tile) tile.picture = picture;
      else picture.close();
      this.fault = "";
    } catch (error) {
      if (this.#tiles.get(key) === tile) this.#tiles.delete(key);
      if (!tile.abort.signal.aborted) {
        this.fault = error instanceof Error ? error.message : String(error);
        setTimeout(() => this.changed(), 2000);
      }
    } finally {
      this.#loading--;
      if (this.#image === image && !tile.abort.signal.aborted && tile.picture) this.changed();
      else this.#load();
    }
  }
}
