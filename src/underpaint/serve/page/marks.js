/** The marks of the photograph on the screen: those of the server, and those that this page has added since. */

import { bounds, cut, takeAway } from "./cut.js";
import { newId } from "./outbox.js";
import { polygonRuns } from "./raster.js";

/** @typedef {import("./types.js").Hint} Hint */
/** @typedef {import("./types.js").Op} Op */
/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./types.js").Mark} Mark */
/** @typedef {import("./types.js").TagSet} TagSet */
/** @typedef {import("./history.js").Step} Step */

const RECENT = 10_000;

export class Marks extends EventTarget {
  /** @type {Map<string, Mark>} oldest first */
  #marks = new Map();
  /** Marks that were deleted here; the server may still send them. @type {Set<string>} */
  #deleted = new Set();
  /** What was done here a moment ago; an answer that was under way then does not know it. @type {{op: Op, at: number}[]} */
  #recent = [];

  /** @param {import("./outbox.js").Outbox} outbox @param {import("./history.js").History} history */
  constructor(outbox, history) {
    super();
    this.outbox = outbox;
    this.history = history;
    /** @type {import("./types.js").ImageDetail | null} */
    this.image = null;
    /** @type {TagSet} */
    this.tags = { present: [], absent: [], boxed: [] };
    /** @type {"new" | "marked" | "done" | "unreadable"} */
    this.state = "new";
    this.me = "";
  }

  /** @returns {Mark[]} */
  get all() {
    return [...this.#marks.values()];
  }

  /** @returns {Iterable<Hint>} areas below strokes, as the library has them */
  get hints() {
    const all = this.all.map((mark) => mark.hint);
    const area = (/** @type {Hint} */ hint) => hint.kind === "polygon" || hint.kind === "bitmap";
    return [...all.filter(area), ...all.filter((hint) => !area(hint))];
  }

  /** Takes what the server knows, and puts what waits on top. @param {import("./types.js").ImageDetail} image @param {string} me */
  open(image, me) {
    const same = this.image?.id === image.id;
    this.image = image;
    this.me = me;
    if (!same) this.#deleted.clear();
    this.#marks = new Map(image.hints.filter((mark) => !this.#deleted.has(mark.id)).map((mark) => [mark.id, mark]));
    this.tags = { present: [...image.tags.present], absent: [...image.tags.absent], boxed: [...image.tags.boxed] };
    this.state = image.state;
    this.#recent = this.#recent.filter(({ at }) => Date.now() - at < RECENT);
    const waiting = this.outbox.ops;
    const recent = this.#recent.map(({ op }) => op).filter((op) => !waiting.includes(op));
    for (const op of [...recent, ...waiting]) if (op.image === image.id && !this.#marks.has(op.id)) this.#apply(op);
    this.#changed();
  }

  close() {
    this.image = null;
    this.#marks.clear();
    this.#deleted.clear();
  }

  /** A mark of the person; a stroke or area cuts older strokes of other classes, since their meeting would be unknown. @param {Hint} hint @param {import("./types.js").Place | null} [place] which it answers */
  add(hint, place = null) {
    if (!this.image) return;
    const { width, height } = this.image;
    /** @type {Step[]} */
    const steps = [{ did: "add", id: newId(), hint }];
    if (hint.kind === "scribble") {
      for (const mark of this.all) {
        if (mark.hint.kind !== "scribble" || mark.hint.class === hint.class) continue;
        steps.unshift(...this.#replaced(mark, cut(mark.hint, { points: hint.points, width: hint.width }, width, height)));
      }
    }
    this.#do(steps, place && { x: place.x, y: place.y, random: place.random, guess: place.guess });
  }

  /** Takes away what lies under the pen. @param {Point[]} points @param {number} width @returns {number} marks touched */
  erase(points, width) {
    if (!this.image) return 0;
    const { width: wide, height } = this.image;
    return this.#eraseBy((hint) => cut(hint, { points, width }, wide, height));
  }

  /** Takes away what lies in a ring; a ring inside an area becomes its hole. @param {Point[]} ring @returns {number} marks touched */
  eraseArea(ring) {
    if (!this.image) return 0;
    const { width, height } = this.image;
    const runs = polygonRuns([ring], width, height);
    /** @param {Point} p */
    const inside = ([x, y]) => isInside(ring, x, y);
    return this.#eraseBy((hint) => {
      if (hint.kind === "click") return inside([hint.x, hint.y]) ? [] : null;
      if (hint.kind === "scribble") return hint.points.some(inside) ? outsideParts(hint, inside) : null;
      if (hint.kind === "box") return contains(bounds(ring), [hint.x0, hint.y0, hint.x1, hint.y1]) ? [] : null;
      if (hint.kind === "polygon" && ring.every(([x, y]) => isInside(hint.points, x, y))) {
        return takeAway(hint, runs, width, height) && [{ ...hint, holes: [...(hint.holes ?? []), ring] }];
      }
      return takeAway(hint, runs, width, height);
    });
  }

  /** @param {string} id */
  remove(id) {
    const mark = this.#marks.get(id);
    if (mark) this.#do([{ did: "delete", id, hint: mark.hint }]);
  }

  /** @param {TagSet} after */
  setTags(after) {
    this.#do([{ did: "tags", before: this.tags, after }]);
  }

  /** @param {"done" | "marked"} state */
  setState(state) {
    if (!this.image) return;
    this.#send([{ id: newId(), image: this.image.id, op: "state", state }]);
  }

  get canUndo() {
    return this.image !== null && (this.history.last(this.image.id) !== null || this.#mine() !== undefined);
  }

  get canRedo() {
    return this.image !== null && this.history.undone(this.image.id) !== null;
  }

  /** @returns {Step[] | null} what was done to undo */
  undo() {
    if (!this.image) return null;
    const mine = this.#mine();
    const entry = this.history.last(this.image.id) ?? (mine && this.history.adopt(this.image.id, mine));
    return entry ? this.#steps(this.history.turn(entry, newId)) : null;
  }

  /** @returns {Step[] | null} */
  redo() {
    const entry = this.image && this.history.undone(this.image.id);
    return entry ? this.#steps(this.history.turn(entry, newId)) : null;
  }

  /** The newest mark of this person that has no history in this browser. */
  #mine() {
    return this.all.findLast((mark) => mark.by === this.me);
  }

  /** @param {(hint: Hint) => Hint[] | null} rest */
  #eraseBy(rest) {
    const steps = this.all.map((mark) => this.#replaced(mark, rest(mark.hint)));
    const touched = steps.filter((part) => part.length).length;
    if (touched) this.#do(steps.flat());
    return touched;
  }

  /** @param {Mark} mark @param {Hint[] | null} rest @returns {Step[]} */
  #replaced(mark, rest) {
    if (rest === null) return [];
    /** @type {Step[]} */
    const added = rest.map((hint) => ({ did: "add", id: newId(), hint }));
    return [{ did: "delete", id: mark.id, hint: mark.hint }, ...added];
  }

  /** @param {Step[]} steps @param {import("./types.js").Answered | null} [place] */
  #do(steps, place = null) {
    if (!this.image) return;
    this.history.record(this.image.id, steps);
    this.#steps(steps, place);
  }

  /** @param {Step[]} steps @param {import("./types.js").Answered | null} [place] */
  #steps(steps, place = null) {
    const image = this.image;
    if (!image) return steps;
    const ops = steps.map((step) => toOp(step, image.id));
    this.#send(place ? ops.map((op) => (op.op === "add" ? { ...op, place } : op)) : ops);
    return steps;
  }

  /** @param {Op[]} ops */
  #send(ops) {
    for (const op of ops) {
      this.#apply(op);
      this.#recent.push({ op, at: Date.now() });
    }
    void this.outbox.add(ops);
    this.#changed();
    this.dispatchEvent(new Event("done"));
  }

  /** @param {Op} op */
  #apply(op) {
    if (op.op === "add") {
      if (this.#deleted.has(op.id)) return;
      this.#marks.set(op.id, { id: op.id, hint: op.hint, by: this.me, at: Date.now() / 1000 });
      if (this.state === "new") this.state = "marked";
    } else if (op.op === "delete") {
      this.#marks.delete(op.target);
      this.#deleted.add(op.target);
    } else if (op.op === "tags") {
      this.tags = { present: op.present, absent: op.absent, boxed: op.boxed };
    } else if (op.op === "state") this.state = op.state;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {Step} step @param {number} image @returns {Op} */
function toOp(step, image) {
  if (step.did === "add") return { id: step.id, image, op: "add", hint: step.hint };
  if (step.did === "delete") return { id: newId(), image, op: "delete", target: step.id };
  return { id: newId(), image, op: "tags", ...step.after };
}

/** @param {[number, number, number, number]} outer @param {[number, number, number, number]} inner */
const contains = (outer, inner) => outer[0] <= inner[0] && outer[1] <= inner[1] && outer[2] >= inner[2] && outer[3] >= inner[3];

/** By the even-odd rule. @param {Point[]} ring @param {number} x @param {number} y */
function isInside(ring, x, y) {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [a, b] = [ring[i], ring[j]];
    if (a[1] > y !== b[1] > y && x < ((b[0] - a[0]) * (y - a[1])) / (b[1] - a[1]) + a[0]) inside = !inside;
  }
  return inside;
}

/** @param {import("./types.js").ScribbleHint} hint @param {(p: Point) => boolean} inside @returns {Hint[]} */
function outsideParts(hint, inside) {
  /** @type {Point[][]} */
  const parts = [[]];
  for (const point of hint.points) {
    if (inside(point)) parts.push([]);
    else parts.at(-1)?.push(point);
  }
  return parts.filter((points) => points.length > 1).map((points) => ({ ...hint, points }));
}
