/** The right side of Paint: classes with tags and shares, the view, and the marks of the photograph. */

import { cap, el, fill, icon } from "./dom.js";
import { drawings } from "./drawings.js";
import { classKey } from "./keys.js";
import { say } from "./live.js";
import { swatch } from "./palette.js";
import { change, settings, settingsChanged } from "./settings.js";
import { percent, text } from "./text.js";

/** @typedef {import("./project.js").Project} Project */
/** @typedef {import("./types.js").Mark} Mark */

const SHOWN = 200;
/** Order of the states that a tag goes through. @type {("unknown" | "yes" | "no")[]} */
const TAGS = ["unknown", "yes", "no"];

export class Panel {
  /** @param {Project} project @param {import("./overlay.js").Overlay} overlay @param {(index: number) => void} choose */
  constructor(project, overlay, choose) {
    this.project = project;
    this.overlay = overlay;
    this.choose = choose;
    this.classList = el("ul", { class: "classes" });
    this.marksHead = el("h2");
    this.marksList = el("ul", { class: "history" });
    this.contrast = el("div", { hidden: true });
    this.extra = el("section", { hidden: true });
    this.pen = range(text.pen, text.penWidth, 1, 400, (value) => change({ pen: Math.round(penOf(value)) }));
    this.pen.input.max = "100";
    this.opacity = range(text.opacity, text.opacityOf, 0, 100, (value) => change({ opacity: value / 100 }));
    this.toggles = el("div", { class: "toggles" });
    this.element = el("aside", { class: "side", "aria-label": text.classes },
      el("section", {}, el("h2", {}, text.classes), this.classList),
      this.extra,
      el("section", {}, el("h2", {}, text.display), this.pen.element, this.opacity.element, this.toggles, this.contrast),
      el("section", {}, this.marksHead, this.marksList));
    this.settled = () => this.#settings();
    settingsChanged.addEventListener("change", this.settled);
    this.#settings();
    this.showClasses();
  }

  close() {
    settingsChanged.removeEventListener("change", this.settled);
  }

  #settings() {
    this.pen.show(scaleOf(settings.pen), text.pixels(settings.pen));
    this.opacity.show(settings.opacity * 100, percent(settings.opacity));
    const names = /** @type {(keyof typeof text.toggles)[]} */ (Object.keys(text.toggles));
    if (!this.toggles.firstChild) {
      fill(this.toggles, ...names.map((name) =>
        el("button", { type: "button", "data-toggle": name, onclick: () => change({ [name]: !settings[name] }) }, text.toggles[name])));
    }
    for (const button of this.toggles.children) {
      const name = /** @type {keyof typeof text.toggles} */ (button.getAttribute("data-toggle"));
      button.setAttribute("aria-pressed", String(settings[name]));
    }
  }

  /** Makes the rows again; `showState` updates their content. */
  showClasses() {
    const { classes } = this.project;
    if (!classes.length) {
      fill(this.classList, el("li", {}, el("a", { class: "button", href: "#/setup" }, text.addClasses)));
      return;
    }
    fill(this.classList, ...classes.map((one, index) => {
      const style = this.project.style(one.name);
      return el("li", { "data-class": one.name },
        el("button", { type: "button", class: "choose", onclick: () => this.choose(index) },
          swatch(style.colour, style.pattern), el("span", { class: "name", title: one.name }, one.name),
          el("span", { class: "share number" }), cap(classKey(index, classes))),
        el("button", { type: "button", class: "tag", onclick: () => this.#tag(one.name) }),
        el("button", { type: "button", class: "eye", onclick: () => this.#hide(one.name) }));
    }));
    this.showState();
  }

  /** Updates the content of the rows for the photograph on the screen. */
  showState() {
    [...this.classList.querySelectorAll("[data-class]")].forEach((row, index) => {
      const name = row.getAttribute("data-class") ?? "";
      const [choose, tag, eye] = row.children;
      const share = this.overlay.shares[index] ?? 0;
      const shown = row.querySelector(".share");
      if (shown) shown.textContent = share > 0 ? percent(share) : "";
      choose.setAttribute("aria-pressed", String(index === this.project.chosen));
      const state = this.tagOf(name);
      tag.textContent = text.tagStates[state];
      tag.setAttribute("data-tag", state);
      tag.setAttribute("title", text.inPhotograph(name));
      tag.setAttribute("aria-label", `${text.inPhotograph(name)} ${state === "unknown" ? text.tagWords.unknown : text.tagStates[state]}`);
      const hidden = this.project.hidden.has(name);
      eye.setAttribute("aria-pressed", String(!hidden));
      eye.setAttribute("aria-label", text.show(name));
      eye.setAttribute("title", text.show(name));
      if (eye.getAttribute("data-hidden") !== String(hidden)) {
        eye.setAttribute("data-hidden", String(hidden));
        eye.replaceChildren(icon(hidden ? drawings.hidden : drawings.eye, 16));
      }
    });
    this.#showBoxed();
  }

  /** Classes that have boxes may be said to be boxed completely. */
  #showBoxed() {
    const { marks } = this.project;
    const boxed = [...new Set(marks.all.flatMap(({ hint }) => (hint.kind === "box" ? [hint.class] : [])))];
    this.extra.hidden = boxed.length === 0;
    fill(this.extra, ...boxed.map((name) => el("label", { class: "check" },
      el("input", { type: "checkbox", checked: marks.tags.boxed.includes(name), onchange: () => this.#boxed(name) }), text.boxedHelp(name))));
  }

  /** @param {string} name */
  #boxed(name) {
    const { tags } = this.project.marks;
    const boxed = tags.boxed.includes(name) ? tags.boxed.filter((one) => one !== name) : [...tags.boxed, name];
    this.project.marks.setTags({ ...tags, boxed });
  }

  /** @param {string} name @returns {"unknown" | "yes" | "no"} */
  tagOf(name) {
    const { present, absent } = this.project.marks.tags;
    return present.includes(name) ? "yes" : absent.includes(name) ? "no" : "unknown";
  }

  /** @param {string} name */
  #tag(name) {
    const { marks } = this.project;
    if (!marks.image) return;
    const next = TAGS[(TAGS.indexOf(this.tagOf(name)) + 1) % TAGS.length];
    /** @param {string[]} list @param {boolean} inside */
    const changed = (list, inside) => [...list.filter((one) => one !== name), ...(inside ? [name] : [])];
    const { present, absent, boxed } = marks.tags;
    marks.setTags({ present: changed(present, next === "yes"), absent: changed(absent, next === "no"), boxed });
    say(text.tagSaid(name, text.tagWords[next]));
  }

  /** @param {string} name */
  #hide(name) {
    const { hidden } = this.project;
    if (!hidden.delete(name)) hidden.add(name);
    this.project.dispatchEvent(new Event("hidden"));
  }

  /** The newest marks first. */
  showMarks() {
    const marks = this.project.marks.all.reverse();
    this.marksHead.textContent = text.marks(marks.length);
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.mark : undefined;
    fill(this.marksList, ...marks.slice(0, SHOWN).map((mark) => this.#mark(mark)));
    if (!marks.length) fill(this.marksList, el("li", { class: "quiet-text" }, text.noMarksHere));
    if (focused) this.marksList.querySelector("button")?.focus();
  }

  /** @param {Mark} mark */
  #mark(mark) {
    const { hint, by, id } = mark;
    const style = this.project.style(hint.class);
    const what = text.kinds[hint.kind];
    return el("li", {}, swatch(style.colour, style.pattern), el("span", { class: "name" }, `${hint.class}, ${what}`),
      el("span", { class: "by" }, by === this.project.info.me.name ? text.byMe : by),
      el("button", { type: "button", class: "quiet eye", "data-mark": id, "aria-label": text.remove(`${what}, ${hint.class}`), onclick: () => this.project.marks.remove(id) },
        icon(drawings.remove, 14)));
  }

  /**
   * Sliders for photographs of 16 bits; they do not change the input of the model.
   * @param {{lo: number, hi: number, most: number} | null} window @param {(lo: number, hi: number) => void} changed
   */
  showContrast(window, changed) {
    this.contrast.hidden = window === null;
    if (!window) return;
    let { lo, hi } = window;
    const show = () => {
      low.show(lo, String(lo));
      high.show(hi, String(hi));
    };
    const low = range(text.dark, text.dark, 0, window.most, (value) => {
      lo = Math.min(value, hi - 1);
      show();
      changed(lo, hi);
    });
    const high = range(text.bright, text.bright, 0, window.most, (value) => {
      hi = Math.max(value, lo + 1);
      show();
      changed(lo, hi);
    });
    show();
    const back = () => {
      ({ lo, hi } = window);
      show();
      changed(lo, hi);
    };
    fill(this.contrast, el("h2", {}, text.contrast), low.element, high.element, el("button", { type: "button", onclick: back }, text.asFound));
  }
}

/** Pens grow by shares of their width, so that thin ones can be set exactly. @param {number} value 1 to 100 */
const penOf = (value) => 400 ** ((value - 1) / 99);
/** @param {number} pen */
const scaleOf = (pen) => 1 + (99 * Math.log(pen)) / Math.log(400);

/**
 * A slider with its name and value.
 * @param {string} name @param {string} label @param {number} min @param {number} max @param {(value: number) => void} changed
 */
function range(name, label, min, max, changed) {
  const input = el("input", { type: "range", min: String(min), max: String(max), "aria-label": label, oninput: () => changed(Number(input.value)) });
  const output = el("output", { class: "number" });
  const element = el("div", { class: "field" }, el("span", {}, name), input, output);
  /** @param {number} value @param {string} words */
  const show = (value, words) => {
    input.value = String(value);
    input.setAttribute("aria-valuetext", words);
    output.textContent = words;
  };
  return { element, input, show };
}
