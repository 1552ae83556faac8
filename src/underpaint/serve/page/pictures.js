/** Small pictures of photographs, with their masks over them, fetched when they come into sight. */

import { el } from "./dom.js";
import { coloured } from "./overlay.js";

const AT_ONCE = 3;

export class Pictures {
  /** @type {(() => Promise<void>)[]} */
  #queue = [];
  #running = 0;
  /** @type {Map<Element, () => Promise<void>>} */
  #waiting = new Map();
  #abort = new AbortController();
  /** @type {string[]} */
  #addresses = [];

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    this.api = api;
    this.observer = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "300px" });
  }

  close() {
    this.#abort.abort();
    this.observer.disconnect();
    this.#queue = [];
    this.#addresses.forEach((address) => URL.revokeObjectURL(address));
  }

  /**
   * @param {string} path of the picture @param {Record<string, string | number | undefined>} query @param {string} alt
   * @returns {HTMLImageElement}
   */
  photograph(path, query, alt) {
    const image = el("img", { alt, decoding: "async" });
    this.#when(image, async () => {
      const address = URL.createObjectURL(await this.api.blob(path, query, this.#abort.signal));
      this.#addresses.push(address);
      image.src = address;
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
      canvas.width = picture.width;
      canvas.height = picture.height;
      canvas.getContext("2d")?.drawImage(picture, 0, 0);
      picture.close();
    });
    return canvas;
  }

  /** @param {Element} element @param {() => Promise<void>} work */
  #when(element, work) {
    this.#waiting.set(element, work);
    this.observer.observe(element);
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #seen(entries) {
    for (const { isIntersecting, target } of entries) {
      const work = this.#waiting.get(target);
      if (!isIntersecting || !work) continue;
      this.#waiting.delete(target);
      this.observer.unobserve(target);
      this.#queue.push(work);
    }
    this.#work();
  }

  #work() {
    while (this.#running < AT_ONCE && this.#queue.length) {
      this.#running++;
      const work = this.#queue.shift();
      // A picture that does not come leaves its place empty; its name and state say the rest.
      void work?.().catch(() => undefined).finally(() => {
        this.#running--;
        this.#work();
      });
    }
  }
}
