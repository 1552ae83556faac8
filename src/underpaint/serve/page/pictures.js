/** Thumbnails of photographs with their masks. They are loaded when they become visible, and released afterwards. */

import { el } from "./dom.js";
import { coloured } from "./overlay.js";

const AT_ONCE = 3;
const LONGEST = 480;

export class Pictures {
  /** @type {Element[]} */
  #queue = [];
  #running = 0;
  /** How each picture is fetched, and how it is let go. @type {WeakMap<Element, {show: () => Promise<void>, hide: () => void}>} */
  #ways = new WeakMap();
  /** Those that are in sight or nearly so. @type {Set<Element>} */
  #near = new Set();
  #abort = new AbortController();

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    this.api = api;
    this.observer = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "600px" });
  }

  close() {
    this.#abort.abort();
    this.observer.disconnect();
    this.#queue = [];
    for (const element of this.#near) this.#ways.get(element)?.hide();
  }

  /**
   * @param {string} path of the picture @param {Record<string, string | number | undefined>} query @param {string} alt
   * @returns {HTMLImageElement}
   */
  photograph(path, query, alt) {
    const image = el("img", { alt, decoding: "async" });
    this.#when(image, async () => {
      const picture = await this.api.blob(path, query, this.#abort.signal);
      if (this.#near.has(image)) image.src = URL.createObjectURL(picture);
    }, () => {
      URL.revokeObjectURL(image.src);
      image.removeAttribute("src");
    });
    return image;
  }

  /**
   * @param {string} path of the mask @param {Record<string, string | number | undefined>} query @param {string} [name] of its class
   * @returns {HTMLCanvasElement}
   */
  mask(path, query, name = "over") {
    const canvas = el("canvas", { class: name, "aria-hidden": "true", width: 4, height: 3 });
    this.#when(canvas, async () => {
      const picture = await coloured(await this.api.blob(path, query, this.#abort.signal));
      if (!picture) return;
      const scale = Math.min(1, LONGEST / Math.max(picture.width, picture.height));
      if (this.#near.has(canvas)) {
        canvas.width = Math.max(1, Math.round(scale * picture.width));
        canvas.height = Math.max(1, Math.round(scale * picture.height));
        canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
      }
      picture.close();
    }, () => {
      canvas.width = canvas.height = 1;
    });
    return canvas;
  }

  /** @param {Element} element @param {() => Promise<void>} show @param {() => void} hide */
  #when(element, show, hide) {
    this.#ways.set(element, { show, hide });
    this.observer.observe(element);
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #seen(entries) {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting && !this.#near.has(target)) {
        this.#near.add(target);
        this.#queue.push(target);
      } else if (!isIntersecting && this.#near.delete(target)) this.#ways.get(target)?.hide();
    }
    this.#work();
  }

  #work() {
    while (this.#running < AT_ONCE && this.#queue.length) {
      const element = this.#queue.shift();
      if (!element || !this.#near.has(element)) continue;
      this.#running++;
      // If a picture cannot be loaded, its place stays empty; name and state are shown anyway.
      void this.#ways.get(element)?.show().catch(() => undefined).finally(() => {
        this.#running--;
        this.#work();
      });
    }
  }
}
