/** Connects pointer and crosshair with the active tool, and adds the marks of the tool to the photograph. */

import { el } from "./dom.js";
import { notice, say } from "./live.js";
import { Gestures } from "./pointer.js";
import { Area } from "./raster.js";
import { regionAt } from "./region.js";
import { change, settings } from "./settings.js";
import { text } from "./text.js";
import { tool } from "./tools.js";

/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./tools.js").ToolName} ToolName */

/** How near, in CSS pixels, two presses mean the same place. */
const REACH = 8;
const WIDEST = 400;

export class Editor extends EventTarget {
  /** @type {ToolName} */
  name = "brush";
  #penDown = false;
  #moving = false;
  /** Whether the eraser is active for one gesture. */
  #instead = false;

  /** @param {import("./project.js").Project} project @param {import("./stage.js").Stage} stage */
  constructor(project, stage) {
    super();
    this.project = project;
    this.stage = stage;
    this.place = el("output", { class: "place number", hidden: true });
    stage.element.append(this.place);
    this.board = {
      className: () => project.className,
      pen: () => settings.pen,
      reach: () => (REACH * stage.ratio) / stage.view.scale,
      add: (/** @type {import("./types.js").Hint} */ hint) => this.#add(hint),
      erase: (/** @type {Point[]} */ points, /** @type {number} */ width) => say(text.erased(project.marks.erase(points, width))),
      eraseArea: (/** @type {Point[]} */ ring) => say(text.erased(project.marks.eraseArea(ring))),
      region: (/** @type {Point} */ at) => this.#region(at),
      show: (/** @type {import("./tools.js").Preview | null} */ preview) => stage.show(preview),
    };
    this.tool = tool("brush", this.board);
    this.gestures = new Gestures(stage.element, {
      sample: (x, y, event) => ({ at: stage.toImage(x, y), alt: event.altKey }),
      down: (sample, eraser) => this.#down(sample, eraser),
      move: (samples, pressed) => this.#move(samples, pressed),
      up: () => this.#up(),
      cancel: () => this.cancel(),
      moves: () => this.#moving,
      pan: (dx, dy) => this.#pan(dx, dy),
      zoom: (factor, x, y) => this.zoom(factor, x * stage.ratio, y * stage.ratio),
      leave: () => (this.place.hidden = !stage.crosshair),
    });
  }

  /** @param {ToolName} name */
  take(name) {
    this.cancel();
    this.name = name;
    this.tool = tool(name, this.board);
    this.dispatchEvent(new Event("tool"));
  }

  /** @param {boolean} on whether a gesture moves the photograph */
  hold(on) {
    this.#moving = on;
    this.stage.element.dataset.moving = String(on);
  }

  /** @param {number} factor */
  widen(factor) {
    const width = settings.pen * factor;
    change({ pen: Math.min(Math.max(factor > 1 ? Math.ceil(width) : Math.floor(width), 1), WIDEST) });
    say(text.pixels(settings.pen));
  }

  /** @param {number} factor @param {number} [x] @param {number} [y] device pixels of the window */
  zoom(factor, x, y) {
    this.stage.view.zoom(factor, x, y);
    this.stage.redraw();
  }

  /** @returns {boolean} whether a mark was given up */
  cancel() {
    const busy = this.tool.busy || this.#penDown;
    this.#penDown = false;
    this.tool.cancel();
    if (this.#instead) this.#back();
    return busy;
  }

  /** @param {import("./tools.js").Sample} sample @param {boolean} eraser */
  #down(sample, eraser) {
    this.stage.crosshair = null;
    this.#penDown = false;
    if (eraser && this.name !== "eraser") {
      this.#instead = true;
      this.tool = tool("eraser", this.board);
    }
    if (this.project.className === null && this.name !== "eraser") say(text.chooseClass);
    else if (this.project.marks.image) this.tool.down(sample);
  }

  /** @param {import("./tools.js").Sample[]} samples @param {boolean} pressed */
  #move(samples, pressed) {
    const last = samples.at(-1);
    if (pressed || this.name === "polygon") this.tool.move(samples);
    if (last) this.showPlace(last.at);
  }

  #up() {
    this.tool.up();
    if (this.#instead) this.#back();
  }

  #back() {
    this.#instead = false;
    this.tool = tool(this.name, this.board);
  }

  /** @param {number} dx @param {number} dy CSS pixels */
  #pan(dx, dy) {
    this.stage.view.move(dx * this.stage.ratio, dy * this.stage.ratio);
    this.stage.redraw();
  }

  /** @param {Point} at */
  #region([x, y]) {
    const { numbers } = this.stage.scene.overlay;
    const { imageWidth, imageHeight } = this.stage.view;
    const fits = numbers !== null && numbers.width === imageWidth && numbers.height === imageHeight;
    const runs = fits ? regionAt(numbers, Math.floor(x), Math.floor(y)) : [];
    if (runs.length) return Area.of(runs);
    notice(text.nothingToFill);
    return null;
  }

  /** @param {import("./types.js").Hint} hint */
  #add(hint) {
    this.project.marks.add(hint);
    say(text.added(text.kinds[hint.kind], hint.class));
    this.dispatchEvent(new CustomEvent("added", { detail: hint }));
  }

  /** Moves the crosshair, with the pen if it is down. @param {KeyboardEvent} event */
  step(event) {
    const { view, crosshair } = this.stage;
    const [x, y] = crosshair ?? view.toImage(view.width / 2, view.height / 2);
    const start = crosshair ? [x, y] : [Math.floor(x) + 0.5, Math.floor(y) + 0.5];
    const length = event.shiftKey ? 10 : 1;
    const dx = event.key === "ArrowRight" ? length : event.key === "ArrowLeft" ? -length : 0;
    const dy = event.key === "ArrowDown" ? length : event.key === "ArrowUp" ? -length : 0;
    /** @type {Point} */
    const at = [
      Math.min(Math.max(start[0] + dx, 0.5), view.imageWidth - 0.5), Math.min(Math.max(start[1] + dy, 0.5), view.imageHeight - 0.5),
    ];
    this.point(at);
    if (this.#penDown || this.name === "polygon") this.tool.move([{ at, alt: false }]);
  }

  /** Puts the crosshair at a place. @param {Point} at */
  point(at) {
    this.stage.crosshair = at;
    if (this.stage.view.show(...at)) this.stage.redraw();
    else this.stage.redraw("live");
    this.showPlace(at);
  }

  /** The pen at the crosshair goes down or up. A click, a fill, and the corners of polygons need only one press. */
  pen() {
    const { crosshair } = this.stage;
    if (!crosshair) {
      const { view } = this.stage;
      const [x, y] = view.toImage(view.width / 2, view.height / 2);
      this.point([Math.floor(x) + 0.5, Math.floor(y) + 0.5]);
      return;
    }
    if (this.#penDown) {
      this.#penDown = false;
      this.tool.up();
      say(text.penUp);
      return;
    }
    if (this.project.className === null && this.name !== "eraser") {
      say(text.chooseClass);
      return;
    }
    this.tool.down({ at: crosshair, alt: false });
    if (["click", "fill", "polygon"].includes(this.name)) this.tool.up();
    else {
      this.#penDown = true;
      say(text.penDown);
    }
  }

  /** Says where the hand is and what is there; the spoken words wait until it rests. @param {Point} at */
  showPlace(at) {
    const { imageWidth, imageHeight } = this.stage.view;
    const inside = at[0] >= 0 && at[1] >= 0 && at[0] < imageWidth && at[1] < imageHeight;
    const number = inside ? this.stage.scene.overlay.at(at[0] / imageWidth, at[1] / imageHeight) : null;
    const name = number === null ? "" : this.project.classes[number]?.name ?? "";
    const words = text.at(name, Math.floor(at[0]), Math.floor(at[1]));
    this.place.hidden = !inside;
    this.place.textContent = words;
    window.clearTimeout(this.resting);
    if (this.stage.crosshair) this.resting = window.setTimeout(() => say(words), 350);
  }

  /** @type {number | undefined} */
  resting = undefined;
}
