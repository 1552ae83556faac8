/** The screen Set up: classes, people, and settings of this browser. */

import { ApiError } from "./api.js";
import { el, fill, icon } from "./dom.js";
import { drawings } from "./drawings.js";
import { KEYS, keyOf, typed } from "./keys.js";
import { notice, say } from "./live.js";
import { OKABE_ITO, patterns, swatch } from "./palette.js";
import { change, settings } from "./settings.js";
import { text } from "./text.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").ClassInfo} ClassInfo */

const DIGITS = [..."1234567890"];

/** @param {App} app @returns {Promise<import("./app.js").Screen>} */
export async function setup(app) {
  const element = el("div", { class: "screen" },
    el("header", {}, el("h1", {}, text.screens.setup)), el("p", { class: "lead" }, text.setupLead),
    el("div", { class: "columns" }, new Classes(app).element, el("div", { class: "columns" }, browser(), people(app))), keyCard());
  return { element };
}

/** @param {unknown} error */
function tell(error) {
  if (error instanceof ApiError) notice(text.fault(error.what, error.fix), "fault");
  else throw error;
}

/** The list of classes, which is sent when it is saved. */
class Classes {
  /** @param {App} app */
  constructor(app) {
    this.project = app.project;
    /** @type {ClassInfo[]} */
    this.rows = this.project.classes.map((one) => ({ ...one }));
    this.list = el("ul", { class: "bars-free" });
    this.newName = el("input", { type: "text", id: "new-class", autocomplete: "off", maxLength: 200 });
    const form = el("form", { class: "class-row", onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#add();
    } }, el("label", { htmlFor: "new-class" }, text.newClass), this.newName, el("button", {}, text.add));
    this.element = el("section", { class: "card" }, el("h2", {}, text.classes),
      this.list, form, el("div", { class: "row" }, el("button", { type: "button", class: "main", onclick: () => void this.#save() }, text.saveClasses)));
    this.#show();
  }

  #show() {
    const hatchings = patterns(this.rows);
    fill(this.list, ...this.rows.map((one, index) => this.#row(one, index, hatchings[index])));
  }

  /** @param {ClassInfo} one @param {number} index @param {number} pattern */
  #row(one, index, pattern) {
    const name = el("input", { type: "text", value: one.name, maxLength: 200, "aria-label": text.nameOf(index + 1), onchange: () => (one.name = name.value.trim()) });
    const colour = el("input", { type: "color", value: one.color, "aria-label": text.classColour(one.name), onchange: () => {
      one.color = colour.value;
      this.#show();
    } });
    const fixed = index < this.project.classes.length;
    return el("li", { class: "class-row" }, this.#key(one), swatch(one.color, pattern, 20), colour, name,
      !fixed && el("button", { type: "button", class: "quiet", "aria-label": text.remove(one.name), onclick: () => {
        this.rows.splice(index, 1);
        this.#show();
      } }, icon(drawings.remove, 16)));
  }

  /** @param {ClassInfo} one */
  #key(one) {
    const select = el("select", { "aria-label": text.keyOf(one.name), onchange: () => {
      const key = select.value || null;
      for (const other of this.rows) if (key !== null && other.key === key) other.key = null;
      one.key = key;
      this.#show();
    } }, el("option", { value: "" }, text.noKey), ...DIGITS.map((key) => el("option", {}, key)));
    select.value = one.key ?? "";
    return select;
  }

  #add() {
    const name = this.newName.value.trim();
    if (!name) return;
    if (this.rows.some((one) => one.name === name)) {
      notice(text.sameName(name), "fault");
      return;
    }
    this.rows.push({ name, color: OKABE_ITO[this.rows.length % OKABE_ITO.length], key: DIGITS.find((key) => this.rows.every((one) => one.key !== key)) ?? null });
    this.newName.value = "";
    this.#show();
    say(text.chosen(name));
    this.newName.focus();
  }

  async #save() {
    const names = this.rows.map((one) => one.name);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (names.includes("")) notice(text.emptyName, "fault");
    else if (twice !== undefined) notice(text.sameName(twice), "fault");
    else {
      try {
        this.project.take(await this.project.api.post("project", { classes: this.rows }));
        notice("");
        say(text.classesSaved);
        this.rows = this.project.classes.map((one) => ({ ...one }));
        this.#show();
      } catch (error) {
        tell(error);
      }
    }
  }
}

function browser() {
  /** @param {"singleKeys" | "leftHanded" | "penOnly"} name */
  const box = (name) => {
    const input = el("input", { type: "checkbox", checked: settings[name], onchange: () => change({ [name]: input.checked }) });
    return el("label", { class: "check" }, input, el("span", {}, text[name]));
  };
  const theme = el("select", { id: "theme", onchange: () => change({ theme: /** @type {"auto" | "light" | "dark"} */ (theme.value) }) },
    ...Object.entries(text.themes).map(([value, name]) => el("option", { value }, name)));
  theme.value = settings.theme;
  return el("section", { class: "card" }, el("h2", {}, text.browser),
    el("div", { class: "field-row" }, el("label", { htmlFor: "theme" }, text.theme), theme), box("leftHanded"), box("penOnly"), box("singleKeys"));
}

/** @param {App} app */
function people(app) {
  const name = el("input", { type: "text", id: "invite", autocomplete: "off", maxLength: 60, required: true });
  const made = el("div", { "aria-live": "polite" });
  const form = el("form", { class: "class-row", onsubmit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      const { token } = /** @type {{token: string}} */ (await app.project.api.post("people", { name: name.value.trim() }));
      const link = `${new URL(".", document.baseURI).href}#${token}`;
      const copy = el("button", { type: "button", onclick: () => void navigator.clipboard?.writeText(link).then(() => say(text.copied)) }, text.copy);
      fill(made, el("p", {}, text.linkOf(name.value.trim())), el("p", { class: "link-out" }, link), copy);
      name.value = "";
    } catch (error) {
      tell(error);
    }
  } }, el("label", { htmlFor: "invite" }, text.inviteLabel), name, el("button", {}, text.invite));
  return el("section", { class: "card" }, el("h2", {}, text.people), el("p", { class: "quiet-text" }, text.inviteHelp), form, made);
}

/** Keys of actions, which may be changed or turned off. */
function keyCard() {
  const list = el("ul", { class: "key-list" });
  const names = /** @type {(keyof typeof KEYS)[]} */ (Object.keys(KEYS));
  const show = () => fill(list, ...names.map((name) => {
    const input = el("input", { type: "text", class: "key-field", readOnly: true, value: keyOf(name) || text.off, "aria-label": `${text.key}: ${text.actions[name]}` });
    input.addEventListener("keydown", (event) => {
      if (["Tab", "Shift", "Control", "Alt", "Meta", "Escape"].includes(event.key) || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const key = event.key === "Backspace" || event.key === "Delete" ? "" : typed(event);
      /** @type {Record<string, string>} */
      const keys = { ...settings.keys, [name]: key };
      for (const other of names) if (key && other !== name && keyOf(other) === key) keys[other] = "";
      change({ keys });
      show();
      say(`${text.actions[name]}: ${key || text.off}`);
      list.querySelectorAll("input")[names.indexOf(name)].focus();
    });
    return el("li", {}, el("span", {}, text.actions[name]), input);
  }));
  show();
  return el("section", { class: "card" }, el("h2", {}, text.changeKeys), el("p", { class: "quiet-text" }, text.changeKeysHelp), list,
    el("div", { class: "row" }, el("button", { type: "button", onclick: () => {
      change({ keys: {} });
      show();
    } }, text.resetKeys)));
}
