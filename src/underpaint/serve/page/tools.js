/** The tools. Each makes marks from gestures of the pen or of the crosshair. */

import { bounds, simplify, tenth } from "./cut.js";

/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./types.js").Hint} Hint */

/**
 * A place of a gesture, in pixels of the photograph.
 * @typedef {object} Sample
 * @property {Point} at
 * @property {boolean} alt
 */

/**
 * The functions that a tool can use.
 * @typedef {object} Editor
 * @property {() => string | null} className the class that marks get; null where none is chosen
 * @property {() => number} pen width in pixels of the photograph
 * @property {() => number} reach pixels of the photograph in which a hand means the same place
 * @property {(hint: Hint) => void} add
 * @property {(points: Point[], width: number) => void} erase
 * @property {(ring: Point[]) => void} eraseArea
 * @property {(at: Point) => import("./raster.js").Area | null} region the area of the mask at a place; null where there is none
 * @property {(preview: Preview | null) => void} show what is under way
 */

/**
 * A mark that is being drawn.
 * @typedef {{line: Point[], width: number, erasing?: boolean} | {ring: Point[], closed?: boolean, erasing?: boolean} |
 *   {corners: Point[], box: [number, number, number, number] | null}} Preview
 */

/** @typedef {"brush" | "click" | "box" | "polygon" | "lasso" | "fill" | "eraser"} ToolName */
/** @type {ToolName[]} */
export const TOOLS = ["brush", "click", "box", "polygon", "lasso", "fill", "eraser"];
/** A stroke longer than this is refused by the server. */
export const MOST_POINTS = 20000;

/** @param {Point} p @returns {Point} */
const rounded = (p) => [tenth(p[0]), tenth(p[1])];

/** A tool with a gesture from pressing to releasing, or with single presses. */
export class Tool {
  /** @type {Point[]} */
  points = [];
  erasing = false;

  /** @param {Editor} editor */
  constructor(editor) {
    this.editor = editor;
  }

  /** Whether a mark is being drawn. */
  get busy() {
    return this.points.length > 0;
  }

  /** @param {Sample} sample */
  down(sample) {
    this.points = [sample.at];
    this.erasing = sample.alt;
    this.preview();
  }

  /** @param {Sample[]} samples */
  move(samples) {
    if (!this.busy || this.points.length >= MOST_POINTS) return;
    for (const { at } of samples) this.points.push(at);
    this.preview();
  }

  up() {}

  /** Ends a mark of several presses. @returns {boolean} whether there was one */
  finish() {
    return false;
  }

  /** The last press is taken back. @returns {boolean} whether there was one */
  back() {
    return false;
  }

  cancel() {
    this.points = [];
    this.editor.show(null);
  }

  preview() {}

  /** @param {number} tolerance @returns {Point[]} */
  taken(tolerance) {
    const points = simplify(this.points.map(rounded), tolerance);
    this.cancel();
    return points;
  }
}

/** A line with the width of the pen; a single press makes a dot. */
class Brush extends Tool {
  preview() {
    this.editor.show({ line: this.points, width: this.editor.pen(), erasing: this.erasing });
  }

  up() {
    if (!this.busy) return;
    const width = this.editor.pen();
    const points = this.taken(0.25);
    const name = this.editor.className();
    if (this.erasing) this.editor.erase(points, width);
    else if (name !== null) this.editor.add({ kind: "scribble", class: name, points, width });
  }
}

class Eraser extends Brush {
  /** @param {Sample} sample */
  down(sample) {
    super.down({ ...sample, alt: true });
  }
}

/** One labelled pixel. */
class Click extends Tool {
  up() {
    const name = this.editor.className();
    const at = this.points.at(-1);
    this.cancel();
    if (name !== null && at) this.editor.add({ kind: "click", class: name, x: tenth(at[0]), y: tenth(at[1]) });
  }
}

/** A box, by dragging from corner to corner, or by four presses on the extreme points of the object. */
class Box extends Tool {
  /** @type {Point[]} */
  #extremes = [];

  get busy() {
    return this.points.length > 0 || this.#extremes.length > 0;
  }

  preview() {
    const all = [...this.#extremes, ...this.points];
    this.editor.show(all.length ? { corners: all, box: all.length > 1 ? bounds(all) : null } : null);
  }

  /** @param {Sample[]} samples */
  move(samples) {
    const last = samples.at(-1);
    if (!this.points.length || !last) return;
    this.points.splice(1, Infinity, last.at);
    this.preview();
  }

  up() {
    const [first, last] = this.points;
    if (!first) return;
    const dragged = last && Math.hypot(last[0] - first[0], last[1] - first[1]) > this.editor.reach();
    const whole = dragged && this.#extremes.length === 0;
    if (!whole) {
      this.points.length = 0;
      this.#extremes.push(first);
    }
    if (whole || this.#extremes.length === 4) this.finish();
    else this.preview();
  }

  finish() {
    const all = [...this.#extremes, ...this.points];
    if (all.length < 2) return false;
    const [x0, y0, x1, y1] = bounds(all).map(tenth);
    this.cancel();
    const name = this.editor.className();
    if (name !== null && x1 > x0 && y1 > y0) this.editor.add({ kind: "box", class: name, x0, y0, x1, y1 });
    return true;
  }

  back() {
    const had = this.#extremes.pop() !== undefined;
    this.preview();
    return had;
  }

  cancel() {
    this.#extremes = [];
    super.cancel();
  }
}

/** A polygon, corner after corner. A press on the first corner, a double press or Enter closes it. */
class PolygonTool extends Tool {
  /** @type {Point | null} */
  #under = null;

  /** @param {Sample} sample */
  down(sample) {
    const first = this.points[0];
    const last = this.points.at(-1);
    const reach = this.editor.reach();
    /** @param {Point | undefined} p */
    const here = (p) => p !== undefined && Math.hypot(p[0] - sample.at[0], p[1] - sample.at[1]) <= reach;
    if (this.points.length >= 3 && (here(first) || here(last))) {
      this.finish();
      return;
    }
    if (here(last)) return;
    if (!this.points.length) this.erasing = sample.alt;
    this.points.push(sample.at);
    this.#under = null;
    this.preview();
  }

  /** @param {Sample[]} samples */
  move(samples) {
    this.#under = samples.at(-1)?.at ?? null;
    if (this.busy) this.preview();
  }

  preview() {
    const ring = this.#under ? [...this.points, this.#under] : this.points;
    this.editor.show({ ring, erasing: this.erasing });
  }

  finish() {
    if (this.points.length < 3) return false;
    addRing(this);
    return true;
  }

  back() {
    const had = this.points.pop() !== undefined;
    if (this.busy) this.preview();
    else this.cancel();
    return had;
  }

  cancel() {
    this.#under = null;
    super.cancel();
  }
}

/** An area that is drawn in one gesture. */
class Lasso extends Tool {
  preview() {
    this.editor.show({ ring: this.points, closed: true, erasing: this.erasing });
  }

  up() {
    if (this.points.length >= 3) addRing(this);
    else this.cancel();
  }
}

/** An area of the mask, all of it at once: what the model shows there is accepted, or gets another class. */
class Fill extends Tool {
  up() {
    const name = this.editor.className();
    const at = this.points.at(-1);
    this.cancel();
    const area = at && this.editor.region(at);
    if (name === null || !area) return;
    const { x, y, width, height } = area;
    this.editor.add({ kind: "bitmap", class: name, x, y, width, height, runs: area.lengths() });
  }
}

/** @param {Tool} tool */
function addRing(tool) {
  const { editor, erasing } = tool;
  const ring = tool.taken(0.5);
  const name = editor.className();
  if (ring.length < 3) return;
  if (erasing) editor.eraseArea(ring);
  else if (name !== null) editor.add({ kind: "polygon", class: name, points: ring });
}

/** @type {Record<ToolName, typeof Tool>} */
const KINDS = { brush: Brush, click: Click, box: Box, polygon: PolygonTool, lasso: Lasso, fill: Fill, eraser: Eraser };

/** @param {ToolName} name @param {Editor} editor */
export const tool = (name, editor) => new KINDS[name](editor);
