/** The screen Photographs: all of them as a grid, with their masks and states. */

import { el, fill } from "./dom.js";
import { say } from "./live.js";
import { newId } from "./outbox.js";
import { setLook } from "./overlay.js";
import { Pictures } from "./pictures.js";
import { text } from "./text.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").ImageRow} ImageRow */

/** @param {App} app @returns {Promise<import("./app.js").Screen>} */
export async function photographs(app) {
  const screen = new Photographs(app);
  await screen.start();
  return screen;
}

class Photographs {
  /** @type {Map<number, ImageRow>} */
  #chosen = new Map();
  #shown = 0;

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.project = app.project;
    this.pictures = new Pictures(app.project.api);
    this.grid = el("ul", { class: "photographs" });
    this.count = el("p", { class: "quiet-text" });
    this.moreButton = el("button", { type: "button", onclick: () => void this.#more() }, text.more);
    this.bar = el("div", { class: "chosen-bar row", role: "group", hidden: true });
    this.element = el("div", { class: "screen" }, this.#head(), this.grid, this.moreButton, this.bar);
    this.watcher = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && void this.#more());
    this.news = (/** @type {Event} */ event) => this.#news(/** @type {CustomEvent} */ (event).detail);
    this.keys = {
      cancel: { down: () => this.#unchoose() },
      next: { down: () => app.go("#/paint") },
    };
  }

  #head() {
    /** @param {string} label @param {Record<string, string>} options @param {string} value @param {(value: string) => void} changed */
    const choice = (label, options, value, changed) => {
      const select = el("select", { onchange: () => changed(select.value) }, ...Object.entries(options).map(([key, name]) => el("option", { value: key }, name)));
      select.value = value;
      return el("label", { class: "row" }, label, select);
    };
    return el("header", {}, el("h1", {}, text.screens.photographs), this.count,
      choice(text.filter, text.filters, this.app.list.filter, (filter) => void this.#restart({ filter })),
      choice(text.order, text.orders, this.app.list.order, (order) => void this.#restart({ order })));
  }

  async start() {
    setLook(this.project.classes, this.project.hidden);
    this.project.news.addEventListener("news", this.news);
    await this.#restart({});
    this.watcher.observe(this.moreButton);
  }

  close() {
    this.project.news.removeEventListener("news", this.news);
    this.watcher.disconnect();
    this.pictures.close();
  }

  again() {
    void this.#restart({});
  }

  /** @param {{order?: string, filter?: string}} changes */
  async #restart(changes) {
    await this.app.list.restart(changes);
    this.#shown = 0;
    fill(this.grid);
    this.#show();
  }

  async #more() {
    await this.app.list.more();
    this.#show();
  }

  #show() {
    const { rows, complete } = this.app.list;
    this.grid.append(...rows.slice(this.#shown).map((row) => this.#card(row)));
    this.#shown = rows.length;
    this.moreButton.hidden = complete;
    this.count.textContent = text.count(this.app.list.filter ? rows.length : this.project.info.images);
    if (!rows.length) fill(this.grid, el("li", { class: "empty" }, this.app.list.filter ? text.noneFiltered : text.noPhotographs));
  }

  /** @param {ImageRow} row */
  #card(row) {
    const path = `images/${row.id}`;
    const readable = row.state !== "unreadable";
    const select = el("input", { type: "checkbox", class: "select", "aria-label": text.select(row.name), checked: this.#chosen.has(row.id), onchange: () => this.#choose(row, select.checked) });
    return el("li", { class: "photograph", "data-image": row.id },
      el("span", { class: "picture" }, readable && this.pictures.photograph(`${path}/thumb`, { rev: row.rev }, ""),
        readable && row.mask > 0 && this.pictures.mask(`${path}/mask`, { rev: row.mask })),
      el("div", { class: "about" }, el("a", { class: "name", href: `#/paint/${row.id}`, title: row.name }, row.name),
        el("span", { class: "state", "data-state": row.state, "data-mark": text.stateMarks[row.state] },
          `${text.states[row.state]}, ${text.marksOf(row.marks)}`)),
      select);
  }

  /** @param {ImageRow} row @param {boolean} on */
  #choose(row, on) {
    if (on) this.#chosen.set(row.id, row);
    else this.#chosen.delete(row.id);
    this.#showBar();
  }

  #unchoose() {
    this.#chosen.clear();
    for (const box of this.grid.querySelectorAll("input")) box.checked = false;
    this.#showBar();
  }

  #showBar() {
    this.bar.hidden = this.#chosen.size === 0;
    if (this.bar.hidden) return;
    const select = el("select", { "aria-label": text.classes }, ...this.project.classes.map(({ name }) => el("option", {}, name)));
    fill(this.bar, el("strong", {}, text.selected(this.#chosen.size)), text.tagSelected, select,
      el("button", { type: "button", onclick: () => this.#tag(select.value, true) }, text.present),
      el("button", { type: "button", onclick: () => this.#tag(select.value, false) }, text.absent),
      el("button", { type: "button", onclick: () => this.#done() }, text.markDone),
      el("button", { type: "button", class: "quiet", onclick: () => this.#unchoose() }, text.unselect));
  }

  /** @param {string} name @param {boolean} present */
  #tag(name, present) {
    if (!name) return;
    const ops = [...this.#chosen.values()].map((row) => {
      const { present: yes, absent: no, boxed } = row.tags;
      /** @param {string[]} list @param {boolean} inside */
      const changed = (list, inside) => [...list.filter((one) => one !== name), ...(inside ? [name] : [])];
      row.tags = { present: changed(yes, present), absent: changed(no, !present), boxed };
      return { id: newId(), image: row.id, op: /** @type {const} */ ("tags"), ...row.tags };
    });
    void this.project.outbox.add(ops);
    say(text.tagged(ops.length));
  }

  #done() {
    const ops = [...this.#chosen.keys()].map((image) => ({ id: newId(), image, op: /** @type {const} */ ("state"), state: /** @type {const} */ ("done") }));
    void this.project.outbox.add(ops);
    this.#unchoose();
  }

  /** Rows that changed are shown anew. @param {import("./events.js").News} news */
  #news({ kind, data }) {
    if (kind === "data") void this.#restart({});
    const ids = kind === "saved" ? data.images ?? [] : kind === "mask" ? [data.image] : [];
    for (const id of ids) void this.#again(id);
  }

  /** @param {number} id */
  async #again(id) {
    const old = this.grid.querySelector(`[data-image="${Number(id)}"]`);
    if (!old) return;
    const row = /** @type {ImageRow} */ (await this.project.api.get(`images/${id}`, { brief: 1 }).catch(() => null));
    if (!row || !old.isConnected || old.contains(document.activeElement)) return;
    this.app.list.take(row);
    old.replaceWith(this.#card(row));
  }
}
