/** The place where a mark helps most: a ring, a question, and the effect of an answer. */

import { cap, el, fill } from "./dom.js";
import { classKey, keyOf } from "./keys.js";
import { say } from "./live.js";
import { text } from "./text.js";

/** @typedef {import("./types.js").Place} Place */

const COUNT = 20;

export class Question {
  /** @type {Place[]} */
  #queue = [];
  /** @type {Place | null} */
  place = null;

  /**
   * @param {import("./project.js").Project} project
   * @param {{open: (image: number) => Promise<void>, draw: () => void, show: (place: Place) => void, changed: () => void}} paint
   */
  constructor(project, paint) {
    this.project = project;
    this.paint = paint;
    this.element = el("div", { class: "question", role: "group", "aria-label": text.queue, hidden: true });
  }

  /** Whether a class key answers instead of choosing the class for drawing. */
  get asks() {
    return this.place !== null && !this.element.hidden;
  }

  /** Goes to the next place. */
  async next() {
    const image = this.project.marks.image?.id ?? null;
    if (!this.#queue.length) {
      const { items } = /** @type {{items: Place[]}} */ (await this.project.api.get("next", { image, count: COUNT }));
      this.#queue = items;
    }
    const place = this.#queue.shift() ?? null;
    this.drop();
    if (!place) {
      say(text.noPlaces);
      return false;
    }
    if (place.image !== this.project.marks.image?.id) await this.paint.open(place.image);
    this.place = place;
    this.paint.show(place);
    this.#show(place);
    return true;
  }

  /** Places of an older model help less. */
  forget() {
    this.#queue = [];
  }

  drop() {
    this.place = null;
    this.element.hidden = true;
    this.paint.changed();
  }

  /** The person draws instead; the ring stays. */
  stop() {
    this.element.hidden = true;
  }

  /** @param {string | null} name the class that is there, or null for the guess */
  answer(name) {
    const place = this.place;
    const said = name ?? place?.guess ?? null;
    if (!place || said === null) return;
    this.project.marks.add({ kind: "click", class: said, x: place.x, y: place.y }, place);
    say(text.added(text.kinds.click, said));
    void this.next().catch(() => undefined);
  }

  /** The key of a class. @param {string} name */
  #cap(name) {
    const { classes } = this.project;
    const index = classes.findIndex((one) => one.name === name);
    return index >= 0 && cap(classKey(index, classes));
  }

  /** @param {Place} place */
  #show(place) {
    const { guess, other } = place;
    const ask = guess && other ? text.question(guess, other) : guess ? text.isIt(guess) : text.what;
    const why = place.random ? text.why.random : text.why.uncertainty;
    const yes = guess && el("button", { type: "button", class: "main", onclick: () => this.answer(null) }, text.yes(guess), cap(keyOf("yes")));
    const no = other && el("button", { type: "button", onclick: () => this.answer(other) }, other, this.#cap(other));
    fill(this.element, el("p", { class: "ask" }, ask), el("p", { class: "quiet-text" }, why),
      el("div", { class: "row" }, yes, no,
        el("button", { type: "button", onclick: () => this.paint.draw() }, text.tools.brush, cap(keyOf("brush"))),
        el("button", { type: "button", onclick: () => void this.next() }, text.pass, cap(keyOf("pass")))),
      el("p", { class: "quiet-text" }, text.orKey));
    this.element.hidden = false;
    this.paint.changed();
    say(text.placeSaid(ask, Math.round(place.x), Math.round(place.y)));
  }
}
