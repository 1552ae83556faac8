/** Events from the server: one stream, read with `fetch` since `EventSource` sends no header; closed while hidden. */

import { ApiError } from "./api.js";

/** @typedef {{id: string, kind: string, data: any}} News */

export class NewsStream extends EventTarget {
  #last = "";
  /** @type {AbortController | null} */
  #reading = null;
  #wait = 250;

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    super();
    this.api = api;
    this.connected = false;
    /** @type {ApiError | null} why there is no connection */
    this.fault = null;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#stop() : this.start()));
    window.addEventListener("online", () => this.start());
  }

  start() {
    if (this.#reading || document.hidden) return;
    this.#reading = new AbortController();
    void this.#run(this.#reading.signal);
  }

  #stop() {
    this.#reading?.abort();
    this.#reading = null;
  }

  /** @param {AbortSignal} signal */
  async #run(signal) {
    while (!signal.aborted) {
      try {
        await this.#read(signal);
      } catch (error) {
        this.fault = error instanceof ApiError ? error : null;
      }
      if (signal.aborted) return;
      this.#connected(false);
      await new Promise((resolve) => setTimeout(resolve, this.#wait));
      this.#wait = Math.min(this.#wait * 2, 5000);
    }
  }

  /** @param {AbortSignal} signal */
  async #read(signal) {
    const response = await this.api.send(this.api.address("events", { after: this.#last }), { signal, cache: "no-store" });
    if (!response.body) return;
    this.fault = null;
    this.#connected(true);
    this.#wait = 250;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value.replaceAll("\r\n", "\n");
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        this.#take(text.slice(0, end));
        text = text.slice(end + 2);
      }
    }
  }

  /** @param {string} block the lines of one piece of news */
  #take(block) {
    /** @type {Record<string, string>} */
    const fields = {};
    for (const line of block.split("\n")) {
      const colon = line.indexOf(":");
      if (colon <= 0) continue;
      const name = line.slice(0, colon);
      const value = line.slice(colon + 1).replace(/^ /, "");
      fields[name] = name in fields ? `${fields[name]}\n${value}` : value;
    }
    if (fields.id) this.#last = fields.id;
    if (fields.data === undefined) return;
    const detail = { id: fields.id ?? "", kind: fields.event ?? "message", data: JSON.parse(fields.data) };
    this.dispatchEvent(new CustomEvent("news", { detail }));
  }

  /** Every attempt that fails is told, since its reason may be another one. @param {boolean} now */
  #connected(now) {
    if (now && this.connected) return;
    this.connected = now;
    this.dispatchEvent(new Event("connection"));
  }
}
