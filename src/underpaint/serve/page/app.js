/** The frame of the page: which screen is shown, the line at the bottom, and the dialogs. */

import { byId, cap, el, fill } from "./dom.js";
import { help } from "./help.js";
import { Keys } from "./keys.js";
import { ImageList } from "./list.js";
import { notice, say } from "./live.js";
import { settings, settingsChanged } from "./settings.js";
import { StatusLine } from "./status.js";
import { swatch } from "./palette.js";
import { text } from "./text.js";

/** @typedef {keyof typeof text.screens} ScreenName */
/**
 * @typedef {object} Screen
 * @property {HTMLElement} element
 * @property {Partial<Record<import("./keys.js").Action, import("./keys.js").Handler>>} [keys]
 * @property {() => void} [close]
 * @property {() => void} [again] what is shown may have changed while the server was away
 */
/** @typedef {(app: App, argument: string) => Promise<Screen>} Opener */

export class App {
  keys = new Keys();
  /** @type {Screen | null} */
  #screen = null;
  #turn = 0;
  #away = false;

  /** @param {import("./project.js").Project} project @param {Record<ScreenName, Opener>} screens */
  constructor(project, screens) {
    this.project = project;
    this.screens = screens;
    this.list = new ImageList(project.api);
    this.status = new StatusLine(project);
    this.#applySettings();
    settingsChanged.addEventListener("change", () => this.#applySettings());
    window.addEventListener("hashchange", () => void this.show());
    byId("help-button", HTMLButtonElement).addEventListener("click", () => this.help());
    byId("notice-close", HTMLButtonElement).addEventListener("click", () => notice(""));
    byId("skip", HTMLButtonElement).addEventListener("click", () => byId("main", HTMLElement).focus());
    project.news.addEventListener("connection", () => this.#connection());
    project.outbox.addEventListener("refused", (event) => {
      const { error } = /** @type {CustomEvent} */ (event).detail;
      notice(text.refused(error.what, error.fix), "fault");
    });
  }

  #applySettings() {
    const root = document.documentElement;
    root.dataset.theme = settings.theme;
    root.dataset.hand = settings.leftHanded ? "left" : "right";
  }

  /** News of the time in which there was no connection did not come. */
  #connection() {
    const { connected } = this.project.news;
    if (connected && this.#away) this.#screen?.again?.();
    this.#away = !connected;
  }

  /** @param {string} address */
  go(address) {
    if (location.hash === address) void this.show();
    else location.hash = address;
  }

  /** The address changes without opening anything. @param {string} address */
  remember(address) {
    history.replaceState(null, "", address);
  }

  /** Shows the screen of the address. */
  async show() {
    const turn = ++this.#turn;
    const [, asked, argument = ""] = location.hash.split("/");
    const name = /** @type {ScreenName} */ (Object.hasOwn(this.screens, asked ?? "") ? asked : "photographs");
    this.#navigation(name);
    const main = byId("main", HTMLElement);
    this.#screen?.close?.();
    this.#screen = null;
    this.keys.bind({ help: { down: () => this.help() } });
    fill(main, el("p", { class: "empty" }, text.loading));
    try {
      const screen = await this.screens[name](this, argument);
      if (turn !== this.#turn) {
        screen.close?.();
        return;
      }
      this.#screen = screen;
      this.keys.bind({ help: { down: () => this.help() }, train: { down: () => this.go("#/train") }, ...screen.keys });
      fill(main, screen.element);
      if (name !== "paint") document.title = `${text.screens[name]} · ${this.project.info.name}`;
      const stage = main.querySelector("[data-stage]");
      if (stage instanceof HTMLElement) stage.focus({ preventScroll: true });
      else main.focus({ preventScroll: true });
    } catch (error) {
      if (turn !== this.#turn) return;
      fill(main, el("p", { class: "empty" }, error instanceof Error ? error.message : String(error)));
    }
  }

  /** @param {ScreenName} current */
  #navigation(current) {
    byId("project", HTMLElement).textContent = this.project.info.name;
    const names = /** @type {ScreenName[]} */ (Object.keys(text.screens));
    fill(byId("nav", HTMLElement), ...names.map((name) =>
      el("a", { href: `#/${name}`, "aria-current": name === current ? "page" : undefined }, text.screens[name])));
  }

  help() {
    this.dialog(text.help, help());
  }

  /** @param {string} title @param {...Node} content */
  dialog(title, ...content) {
    const close = el("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, text.close, cap("Esc"));
    const dialog = el("dialog", { "aria-label": title, onclose: () => dialog.remove() },
      el("header", {}, el("h2", {}, title), close), ...content);
    document.body.append(dialog);
    dialog.showModal();
    return dialog;
  }

  /** A class by a part of its name. @param {(index: number) => void} choose */
  findClass(choose) {
    const list = el("ul", { class: "classes" });
    const input = el("input", { type: "text", "aria-label": text.findLabel, autocomplete: "off", oninput: () => show() });
    const found = () => {
      const part = input.value.trim().toLowerCase();
      const all = this.project.classes.map((one, index) => ({ ...one, index }));
      const starts = all.filter((one) => one.name.toLowerCase().startsWith(part));
      return [...starts, ...all.filter((one) => !starts.includes(one) && one.name.toLowerCase().includes(part))];
    };
    /** @param {number} index */
    const take = (index) => {
      dialog.close();
      choose(index);
    };
    const show = () => fill(list, ...found().slice(0, 30).map(({ name, index }) => {
      const style = this.project.style(name);
      return el("li", {}, el("button", { type: "button", class: "choose", onclick: () => take(index) }, swatch(style.colour, style.pattern), el("span", { class: "name" }, name)));
    }));
    const form = el("form", { class: "columns", onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      const [first] = found();
      if (first) take(first.index);
      else say(text.noneFiltered);
    } }, input, list);
    const dialog = this.dialog(text.find, form);
    show();
    input.focus();
  }
}
