/** The screen Paint: one photograph with its mask. Everything works with the pen or with the keys. */

import { ApiError } from "./api.js";
import { Editor } from "./editor.js";
import { cap, el, icon } from "./dom.js";
import { drawings } from "./drawings.js";
import { classOf, keyOf } from "./keys.js";
import { notice, say } from "./live.js";
import { Overlay, setLook } from "./overlay.js";
import { Panel } from "./panel.js";
import { Question } from "./question.js";
import { change, settings, settingsChanged } from "./settings.js";
import { Stage } from "./stage.js";
import { text } from "./text.js";
import { Tiles } from "./tiles.js";
import { TOOLS } from "./tools.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").ImageDetail} ImageDetail */

/** After this number of corrections in one photograph, marks in another one may help more. */
const CORRECTIONS = 5;
const FASTER = 1.25;

/** @param {App} app @param {string} argument @returns {Promise<import("./app.js").Screen>} */
export async function paint(app, argument) {
  const screen = new Paint(app);
  await screen.start(argument === "" ? null : Number(argument));
  return screen;
}

class Paint {
  /** @type {[EventTarget, string, EventListener][]} */
  #listening = [];
  #corrections = 0;
  #opening = 0;

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.project = app.project;
    this.marks = app.project.marks;
    this.overlay = new Overlay();
    this.tiles = new Tiles(app.project.api, () => this.stage.redraw("photo"));
    this.stage = new Stage({
      tiles: this.tiles,
      overlay: this.overlay,
      marks: () => this.marks.hints,
      style: (name) => this.project.style(name),
      chosen: () => this.project.style(this.project.className ?? ""),
      ring: () => this.question?.place ?? null,
    }, text.noPhotograph);
    this.editor = new Editor(this.project, this.stage);
    this.panel = new Panel(this.project, this.overlay, (index) => this.#choose(index));
    this.question = new Question(this.project, {
      open: (image) => this.open(image),
      draw: () => this.#take("brush"),
      show: (place) => {
        this.stage.crosshair = [Math.floor(place.x) + 0.5, Math.floor(place.y) + 0.5];
        if (this.stage.view.show(place.x, place.y)) this.stage.redraw();
        const [left] = this.stage.view.toWindow(place.x, place.y);
        this.question.element.dataset.side = left < this.stage.view.width / 2 ? "right" : "left";
      },
      changed: () => this.stage.redraw("live"),
    });
    this.title = el("h1", {}, text.noPhotograph);
    this.doneButton = el("button", { type: "button", onclick: () => void this.#done() }, text.doneNext, cap("Enter"));
    this.zoomText = el("output", { class: "number" });
    this.element = this.#layout();
    this.stage.moved = () => (this.zoomText.textContent = text.zoom(this.stage.view.scale));
    this.keys = this.#keys();
  }

  #layout() {
    /** @param {string} name @param {string} drawing @param {() => void} action */
    const step = (name, drawing, action) =>
      el("button", { type: "button", class: "quiet", "aria-label": name, title: name, onclick: action }, icon(drawing, 18));
    const stageHelp = el("p", { id: "stage-help", class: "unseen" }, text.stageHelp);
    this.stage.element.setAttribute("aria-describedby", "stage-help");
    const zoom = el("div", { class: "zoom", role: "group", "aria-label": text.zoomIn },
      el("button", { type: "button", "aria-label": text.zoomOut, onclick: () => this.editor.zoom(1 / FASTER) }, "−"), this.zoomText,
      el("button", { type: "button", "aria-label": text.zoomIn, onclick: () => this.editor.zoom(FASTER) }, "+"),
      el("button", { type: "button", onclick: () => this.#fit() }, text.fit),
      el("button", { type: "button", onclick: () => this.#oneToOne() }, text.oneToOne));
    const head = el("div", { class: "head" },
      step(text.previous, drawings.left, () => void this.#beside(-1)), this.title,
      el("button", { type: "button", onclick: () => void this.#ask() }, text.askNext, cap(keyOf("next"))), this.doneButton,
      step(text.next, drawings.right, () => void this.#beside(1)));
    const area = el("div", { class: "board" }, head, stageHelp, el("div", { class: "board surface" }, this.stage.element, this.question.element, zoom));
    return el("div", { class: "paint" }, this.#tools(), area, this.panel.element);
  }

  #tools() {
    const buttons = TOOLS.map((name) => el("button", {
      type: "button", "data-tool": name, title: text.toolHelp[name], "aria-pressed": String(name === this.editor.name), onclick: () => this.#take(name),
    }, icon(drawings[name]), el("span", { class: "name" }, text.tools[name], el("b", {}, keyOf(name)))));
    this.undoButton = el("button", { type: "button", onclick: () => this.#undo() }, icon(drawings.undo), el("span", { class: "name" }, text.undo, el("b", {}, keyOf("undo"))));
    this.redoButton = el("button", { type: "button", onclick: () => this.#redo() }, icon(drawings.redo), el("span", { class: "name" }, text.redo));
    this.toolBar = el("div", { class: "tools", role: "toolbar", "aria-label": text.screens.paint }, ...buttons, el("hr"), this.undoButton, this.redoButton);
    return this.toolBar;
  }

  /** @param {number | null} image */
  async start(image) {
    this.#listen(this.overlay, "change", () => {
      this.stage.redraw("mask");
      this.panel.showState();
    });
    this.#listen(this.marks, "change", () => this.#marksChanged());
    this.#listen(this.project, "classes", () => this.#classesChanged());
    this.#listen(this.project, "chosen", () => {
      this.panel.showState();
      this.stage.redraw("live");
    });
    this.#listen(this.project, "hidden", () => {
      setLook(this.project.classes, this.project.hidden);
      this.panel.showState();
    });
    this.#listen(settingsChanged, "change", () => {
      this.stage.redraw("mask", "marks", "live");
      if (settings.uncertainty) void this.#uncertainty();
    });
    this.#listen(this.editor, "tool", () => this.#toolChanged());
    this.#listen(this.editor, "added", () => this.#corrected());
    this.#listen(this.project.news, "news", (event) => this.#news(/** @type {CustomEvent} */ (event).detail));
    setLook(this.project.classes, this.project.hidden);
    const first = image ?? this.marks.image?.id ?? (await this.app.list.first());
    if (first === null) this.title.textContent = text.noPhotographs;
    else await this.open(first);
  }

  /** @param {EventTarget} target @param {string} name @param {(event: Event) => void} listener */
  #listen(target, name, listener) {
    target.addEventListener(name, listener);
    this.#listening.push([target, name, listener]);
  }

  close() {
    for (const [target, name, listener] of this.#listening) target.removeEventListener(name, listener);
    this.stage.close();
    this.tiles.close();
    this.overlay.close();
    this.panel.close();
  }

  /** @param {number} id */
  async open(id) {
    const turn = ++this.#opening;
    this.editor.cancel();
    const image = /** @type {ImageDetail} */ (await this.project.api.get(`images/${id}`));
    if (turn !== this.#opening) return;
    this.question.drop();
    this.overlay.clear();
    this.#corrections = 0;
    this.marks.open(image, this.project.info.me.name);
    this.stage.crosshair = null;
    this.stage.view.open(image.width, image.height);
    this.tiles.open(image);
    this.title.textContent = this.title.title = image.name;
    this.stage.element.setAttribute("aria-label", text.stage(image.name));
    document.title = `${image.name} · ${this.project.info.name}`;
    this.#contrast(image);
    this.app.remember(`#/paint/${id}`);
    if (image.state === "unreadable") notice(text.unreadable(""), "fault");
    this.stage.redraw();
    await Promise.all([this.#mask(), settings.uncertainty ? this.#uncertainty() : undefined]);
  }

  /** @param {ImageDetail} image */
  #contrast(image) {
    const { window, depth } = image;
    this.panel.showContrast(depth === 16 && window ? { lo: window.lo, hi: window.hi, most: 65535 } : null, (lo, hi) => this.tiles.expose({ lo, hi }));
  }

  async #mask() {
    await this.#layer("mask");
  }

  async #uncertainty() {
    await this.#layer("uncertainty");
  }

  /** @param {"mask" | "uncertainty"} kind */
  async #layer(kind) {
    const image = this.marks.image;
    if (!image) return;
    const turn = ++this.#turns[kind];
    const newest = () => this.marks.image?.id === image.id && turn === this.#turns[kind];
    try {
      const blob = await this.project.api.blob(`images/${image.id}/${kind}`, { rev: this.#maskRevision });
      if (newest()) await this.overlay.show(kind, blob);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404 && newest()) await this.overlay.show(kind, null);
    }
  }

  #turns = { mask: 0, uncertainty: 0 };
  #maskRevision = 0;

  /** @param {import("./events.js").News} news */
  #news({ kind, data }) {
    const image = this.marks.image?.id;
    if (kind === "mask" && data.image === image) {
      this.#maskRevision = data.rev ?? this.#maskRevision + 1;
      void this.#mask();
      if (settings.uncertainty) void this.#uncertainty();
    }
    if (kind === "next") this.question.forget();
    if (kind === "saved" && data.by !== this.project.info.me.name && (data.images ?? []).includes(image)) void this.#marksAgain();
  }

  again() {
    void this.#marksAgain();
    void this.#mask();
    if (settings.uncertainty) void this.#uncertainty();
    this.question.forget();
  }

  /** Another person marked this photograph. */
  async #marksAgain() {
    const id = this.marks.image?.id;
    const image = /** @type {ImageDetail} */ (await this.project.api.get(`images/${id}`));
    if (this.marks.image?.id === image.id) this.marks.open(image, this.project.info.me.name);
  }

  #marksChanged() {
    this.stage.redraw("marks", "live");
    this.panel.showState();
    this.panel.showMarks();
    if (this.undoButton) this.undoButton.disabled = !this.marks.canUndo;
    if (this.redoButton) this.redoButton.disabled = !this.marks.canRedo;
    this.doneButton.firstChild?.replaceWith(this.marks.state === "done" ? text.notDone : text.doneNext);
  }

  #classesChanged() {
    setLook(this.project.classes, this.project.hidden);
    this.panel.showClasses();
    this.stage.redraw();
  }

  #toolChanged() {
    for (const button of this.toolBar?.querySelectorAll("[data-tool]") ?? []) {
      button.setAttribute("aria-pressed", String(button.getAttribute("data-tool") === this.editor.name));
    }
    this.stage.redraw("live");
  }

  #corrected() {
    if (this.question.asks) this.question.stop();
    if (++this.#corrections === CORRECTIONS) notice(text.corrections);
  }

  /** @param {import("./tools.js").ToolName} name */
  #take(name) {
    this.question.stop();
    this.editor.take(name);
    say(text.toolChosen(text.tools[name]));
  }

  /** @param {number} index */
  #choose(index) {
    if (!this.project.choose(index)) return;
    const name = this.project.className;
    if (this.question.asks) this.question.answer(name);
    else say(text.chosen(name ?? ""));
  }

  async #ask() {
    try {
      if (!(await this.question.next())) notice(text.noPlaces);
    } catch (error) {
      if (error instanceof ApiError) notice(text.fault(error.what, error.fix), "fault");
    }
  }

  #undo() {
    say(this.marks.undo() ? text.undid : text.nothingToUndo);
  }

  #redo() {
    say(this.marks.redo() ? text.redid : text.nothingToRedo);
  }

  /** @param {number} step */
  async #beside(step) {
    const image = this.marks.image;
    const id = image && (await this.app.list.beside(image.id, step));
    if (id !== null && id !== undefined) await this.open(id);
  }

  async #done() {
    if (this.editor.tool.finish()) return;
    if (this.marks.state === "done") {
      this.marks.setState("marked");
      return;
    }
    this.marks.setState("done");
    await this.#beside(1);
  }

  #fit() {
    this.stage.view.fit();
    this.stage.redraw();
  }

  #oneToOne() {
    this.stage.view.oneToOne();
    this.stage.redraw();
  }

  /** @param {boolean} on */
  #alone(on) {
    this.stage.alone = on;
    this.stage.redraw("mask", "marks", "live");
  }

  /** @returns {Partial<Record<import("./keys.js").Action, import("./keys.js").Handler>>} */
  #keys() {
    /** @param {() => void} down */
    const press = (down) => ({ down });
    /** @param {"masks" | "outlines" | "ink" | "uncertainty"} name */
    const toggle = (name) => press(() => change({ [name]: !settings[name] }));
    const tools = Object.fromEntries(TOOLS.map((name) => [name, press(() => this.#take(name))]));
    return {
      ...tools,
      class: { down: (event) => this.#choose(classOf(event, this.project.classes)) },
      tags: press(() => this.panel.element.querySelector("button.tag") instanceof HTMLElement && /** @type {HTMLElement} */ (this.panel.element.querySelector("button.tag")).focus()),
      thinner: press(() => this.editor.widen(1 / FASTER)), thicker: press(() => this.editor.widen(FASTER)),
      undo: press(() => this.#undo()), redo: press(() => this.#redo()),
      next: press(() => void this.#ask()), pass: press(() => void this.#ask()), yes: press(() => this.question.answer(null)),
      nextPhotograph: press(() => void this.#beside(1)), previousPhotograph: press(() => void this.#beside(-1)),
      done: press(() => void this.#done()), photographs: press(() => this.app.go("#/photographs")),
      zoomIn: press(() => this.editor.zoom(FASTER)), zoomOut: press(() => this.editor.zoom(1 / FASTER)),
      fit: press(() => this.#fit()), oneToOne: press(() => this.#oneToOne()),
      masks: toggle("masks"), outlines: toggle("outlines"), ink: toggle("ink"), uncertainty: toggle("uncertainty"),
      alone: { down: () => this.#alone(true), up: () => this.#alone(false) },
      pan: { down: () => this.editor.hold(true), up: () => this.editor.hold(false) },
      fainter: press(() => change({ opacity: Math.max(settings.opacity - 0.1, 0) })),
      stronger: press(() => change({ opacity: Math.min(settings.opacity + 0.1, 1) })),
      find: press(() => this.app.findClass((index) => this.#choose(index))),
      pen: press(() => this.editor.pen()),
      move: { down: (event) => this.editor.step(event) },
      backspace: press(() => this.editor.tool.back()),
      cancel: press(() => this.editor.cancel() || this.question.drop()),
      train: press(() => this.app.go("#/train")), help: press(() => this.app.help()),
    };
  }
}
