/** The photograph with its layers: tiles, mask, marks, and the mark that is being drawn. Each is a canvas as large as the window. */

import { el } from "./dom.js";
import { drawBox, drawHint, drawRings, fillRuns } from "./draw-hints.js";
import { contrastColour } from "./palette.js";
import { strokeRuns } from "./raster.js";
import { settings } from "./settings.js";
import { GRID_FROM, PIXELS_FROM, View } from "./view.js";

/** @typedef {import("./types.js").Hint} Hint */
/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./tools.js").Preview} Preview */
/** @typedef {import("./draw-hints.js").ClassStyle} ClassStyle */
/** @typedef {"photo" | "mask" | "marks" | "live"} Layer */

/** @type {Layer[]} */
const LAYERS = ["photo", "mask", "marks", "live"];
const ERASER = "#ffffff";

/**
 * The content of the stage. The owner changes it and calls `redraw`.
 * @typedef {object} Scene
 * @property {import("./tiles.js").Tiles} tiles
 * @property {import("./overlay.js").Overlay} overlay
 * @property {() => Iterable<Hint>} marks
 * @property {(name: string) => ClassStyle} style of a class
 * @property {() => ClassStyle} chosen style of the class that marks get
 * @property {() => {x: number, y: number, radius: number} | null} ring
 */

export class Stage {
  /** @type {Set<Layer>} */
  #dirty = new Set();
  #waiting = false;
  /** @type {Preview | null} */
  #preview = null;
  /** Number of points of the current line that are already drawn. */
  #drawn = 0;

  /** @param {Scene} scene @param {string} label */
  constructor(scene, label) {
    this.scene = scene;
    this.view = new View();
    this.ratio = window.devicePixelRatio || 1;
    this.alone = false;
    /** @type {Point | null} */
    this.crosshair = null;
    /** @type {() => void} */
    this.moved = () => undefined;
    /** @type {Record<Layer, CanvasRenderingContext2D>} */
    this.layers = /** @type {Record<Layer, CanvasRenderingContext2D>} */ ({});
    const canvases = LAYERS.map((name) => {
      const canvas = el("canvas", { "data-layer": name, "aria-hidden": "true" });
      const context = canvas.getContext("2d", { desynchronized: false });
      if (!context) throw new Error("no canvas");
      this.layers[name] = context;
      return canvas;
    });
    this.element = el("div", { class: "stage", tabIndex: 0, role: "application", "data-stage": "", "aria-label": label }, ...canvases);
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(this.element);
  }

  close() {
    this.observer.disconnect();
  }

  #resize() {
    this.ratio = window.devicePixelRatio || 1;
    const { width, height } = this.element.getBoundingClientRect();
    for (const name of LAYERS) {
      const { canvas } = this.layers[name];
      canvas.width = Math.max(Math.round(width * this.ratio), 1);
      canvas.height = Math.max(Math.round(height * this.ratio), 1);
    }
    this.view.resize(this.layers.photo.canvas.width, this.layers.photo.canvas.height);
    this.redraw();
    this.#draw();
  }

  /** @param {number} x @param {number} y CSS pixels of the stage @returns {Point} */
  toImage(x, y) {
    return this.view.toImage(x * this.ratio, y * this.ratio);
  }

  /** @param {...Layer} layers all of them, if none is named */
  redraw(...layers) {
    for (const name of layers.length ? layers : LAYERS) this.#dirty.add(name);
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#waiting = false;
    const dirty = [...this.#dirty];
    this.#dirty.clear();
    for (const name of dirty) {
      const context = this.layers[name];
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, this.view.width, this.view.height);
      if (name === "photo") this.#photo(context);
      else if (name === "mask") this.#mask(context);
      else if (name === "marks") {
        context.save();
        this.#marks(context);
        context.restore();
      } else this.#live(context);
    }
    if (dirty.includes("photo")) this.moved();
  }

  /** @param {CanvasRenderingContext2D} context */
  #photo(context) {
    this.scene.tiles.draw(context, this.view);
    if (this.view.scale < GRID_FROM) return;
    const { x0, y0, x1, y1 } = this.view.seen();
    const [left, top] = this.view.toWindow(x0, y0);
    const [right, bottom] = this.view.toWindow(x1, y1);
    context.fillStyle = "rgb(128 128 128 / 45%)";
    for (let x = x0; x <= x1; x++) context.fillRect(Math.round(this.view.toWindow(x, 0)[0]), top, 1, bottom - top);
    for (let y = y0; y <= y1; y++) context.fillRect(left, Math.round(this.view.toWindow(0, y)[1]), right - left, 1);
  }

  /** @param {CanvasRenderingContext2D} context */
  #mask(context) {
    if (this.alone) return;
    const { fill, outlines, uncertainty } = this.scene.overlay;
    const { imageWidth, imageHeight, scale } = this.view;
    const [left, top] = this.view.toWindow(0, 0);
    context.imageSmoothingEnabled = false;
    /** @param {ImageBitmap | null} picture @param {number} alpha */
    const place = (picture, alpha) => {
      if (!picture) return;
      context.globalAlpha = alpha;
      context.drawImage(picture, left, top, imageWidth * scale, imageHeight * scale);
      context.globalAlpha = 1;
    };
    if (settings.masks) place(fill, settings.opacity);
    if (settings.outlines) place(outlines, 0.9);
    if (settings.uncertainty) place(uncertainty, 1);
  }

  /** @param {CanvasRenderingContext2D} context */
  #marks(context) {
    if (this.alone || !settings.ink) return;
    this.#clipped(context);
    for (const hint of this.scene.marks()) drawHint(context, this.view, hint, this.scene.style(hint.class), this.ratio);
  }

  /** What lies beyond the photograph labels nothing and is not shown. @param {CanvasRenderingContext2D} context */
  #clipped(context) {
    const [left, top] = this.view.toWindow(0, 0);
    context.beginPath();
    context.rect(left, top, this.view.imageWidth * this.view.scale, this.view.imageHeight * this.view.scale);
    context.clip();
  }

  /** @param {CanvasRenderingContext2D} context */
  #live(context) {
    this.#drawn = 0;
    if (this.#preview) this.#drawPreview(context, this.#preview);
    this.#ring(context);
    this.#crosshair(context);
  }

  /** Shows what is under way; a line grows at once, before the next frame. @param {Preview | null} preview */
  show(preview) {
    const same = preview && "line" in preview && this.#preview && "line" in this.#preview && this.#preview.line === preview.line;
    this.#preview = preview;
    if (preview && same && this.#drawn > 0 && !this.#dirty.has("live")) this.#drawPreview(this.layers.live, preview);
    else this.redraw("live");
  }

  /** @param {CanvasRenderingContext2D} context @param {Preview} preview */
  #drawPreview(context, preview) {
    const style = this.scene.chosen();
    const colour = preview && "erasing" in preview && preview.erasing ? ERASER : style.colour;
    if ("line" in preview) this.#drawLine(context, preview.line, preview.width, colour);
    else if ("ring" in preview) {
      drawRings(context, this.view, [preview.ring], { ...style, colour }, this.ratio, preview.closed);
      if (!preview.closed) this.#corners(context, preview.ring, colour);
    } else {
      if (preview.box) drawBox(context, this.view, preview.box, style, this.ratio);
      this.#corners(context, preview.corners, style.colour);
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {Point[]} line @param {number} width @param {string} colour */
  #drawLine(context, line, width, colour) {
    const part = line.slice(Math.max(this.#drawn - 1, 0));
    this.#drawn = line.length;
    if (this.view.scale >= PIXELS_FROM) {
      fillRuns(context, this.view, strokeRuns(part, width, this.view.imageWidth, this.view.imageHeight), colour);
      return;
    }
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = Math.max(width * this.view.scale, 2 * this.ratio);
    context.strokeStyle = colour;
    context.beginPath();
    part.forEach(([x, y], i) => {
      const [left, top] = this.view.toWindow(x, y);
      if (i === 0) context.moveTo(left, top);
      context.lineTo(left, top);
    });
    context.stroke();
  }

  /** @param {CanvasRenderingContext2D} context @param {Point[]} points @param {string} colour */
  #corners(context, points, colour) {
    for (const [x, y] of points) {
      const [left, top] = this.view.toWindow(x, y);
      const side = 4 * this.ratio;
      context.fillStyle = contrastColour(colour);
      context.fillRect(left - side, top - side, 2 * side, 2 * side);
      context.fillStyle = colour;
      context.fillRect(left - side + this.ratio, top - side + this.ratio, 2 * (side - this.ratio), 2 * (side - this.ratio));
    }
  }

  /** @param {CanvasRenderingContext2D} context */
  #ring(context) {
    const ring = this.scene.ring();
    if (!ring || this.alone) return;
    const [left, top] = this.view.toWindow(ring.x, ring.y);
    const radius = Math.max(ring.radius * this.view.scale, 16 * this.ratio);
    for (const [width, style, dash] of /** @type {[number, string, number[]][]} */ ([[5, "#000", []], [3, "#fff", []], [3, "#000", [6, 6]]])) {
      context.setLineDash(dash.map((length) => length * this.ratio));
      context.lineWidth = width * this.ratio;
      context.strokeStyle = style;
      context.beginPath();
      context.arc(left, top, radius, 0, 2 * Math.PI);
      context.stroke();
    }
    context.setLineDash([]);
    context.beginPath();
    context.arc(left, top, 2.5 * this.ratio, 0, 2 * Math.PI);
    context.fillStyle = "#fff";
    context.fill();
    context.lineWidth = this.ratio;
    context.strokeStyle = "#000";
    context.stroke();
  }

  /** @param {CanvasRenderingContext2D} context */
  #crosshair(context) {
    if (!this.crosshair) return;
    const [left, top] = this.view.toWindow(...this.crosshair).map(Math.round);
    const [gap, reach] = [4 * this.ratio, 16 * this.ratio];
    for (const [width, style] of /** @type {[number, string][]} */ ([[4, "#000"], [2, "#fff"]])) {
      context.lineWidth = width * this.ratio;
      context.strokeStyle = style;
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(left + gap * dx, top + gap * dy);
        context.lineTo(left + reach * dx, top + reach * dy);
      }
      context.stroke();
    }
  }
}
