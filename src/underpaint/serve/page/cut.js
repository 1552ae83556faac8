/**
 * Computes the parts of older marks that remain after the eraser or a stroke of another class. Removed parts become
 * unknown, never background.
 */

import { Area, bitmapRuns, polygonRuns, strokeRuns } from "./raster.js";

/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./types.js").Hint} Hint */
/** @typedef {{points: Point[], width: number}} Pen a path of the eraser */

/** A tenth of a pixel is as exact as anybody draws. @param {number} value */
export const tenth = (value) => Math.round(value * 10) / 10;

/** @param {number} value */
const fine = (value) => Math.round(value * 1e5) / 1e5;

/** @param {Point} p @param {Point} a @param {Point} b the square of the distance of a point from a segment */
export function squareDistance(p, a, b) {
  const dx = b[0] - a[0];
  const dy = b[1] - a[1];
  const length = dx * dx + dy * dy;
  const t = length > 0 ? Math.min(Math.max(((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / length, 0), 1) : 0;
  return (a[0] + t * dx - p[0]) ** 2 + (a[1] + t * dy - p[1]) ** 2;
}

/** @param {Point} p @param {Point[]} line @param {number} radius */
export function near(p, line, radius) {
  const limit = radius * radius;
  for (let i = 0; i < Math.max(line.length - 1, 1); i++) {
    if (squareDistance(p, line[i], line[i + 1] ?? line[i]) < limit) return true;
  }
  return false;
}

/** @param {Point[]} points @returns {[number, number, number, number]} */
export function bounds(points) {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) {
    x0 = Math.min(x0, x);
    y0 = Math.min(y0, y);
    x1 = Math.max(x1, x);
    y1 = Math.max(y1, y);
  }
  return [x0, y0, x1, y1];
}

/** @param {Point[]} a @param {Point[]} b @param {number} distance */
function apart(a, b, distance) {
  const p = bounds(a);
  const q = bounds(b);
  return p[0] > q[2] + distance || q[0] > p[2] + distance || p[1] > q[3] + distance || q[1] > p[3] + distance;
}

/**
 * The parts of a line that remain, or null if nothing is removed.
 * @param {Point[]} points @param {number} width @param {Pen} pen
 * @returns {Point[][] | null}
 */
export function cutLine(points, width, pen) {
  const radius = (width + pen.width) / 2;
  if (apart(points, pen.points, radius)) return null;
  /** @type {Point[][]} */
  const parts = [];
  /** @type {Point[]} */
  let part = [];
  let touched = false;
  /** @param {Point} p */
  const stays = (p) => !near(p, pen.points, radius);
  const finish = () => {
    if (part.length) parts.push(part);
    part = [];
  };
  /** @param {Point} p */
  const add = (p) => {
    const last = part.at(-1);
    if (!last || last[0] !== p[0] || last[1] !== p[1]) part.push(p);
  };
  for (let i = 0; i < points.length; i++) {
    const a = points[i];
    const b = points[i + 1];
    let inside = stays(a);
    if (inside) add(a);
    else touched = true;
    if (!b) break;
    const steps = Math.ceil(Math.hypot(b[0] - a[0], b[1] - a[1]) / Math.max(radius / 4, 0.5));
    for (let step = 1; step <= steps; step++) {
      const now = stays(between(a, b, step / steps));
      if (now === inside) continue;
      touched = true;
      add(between(a, b, border(a, b, (step - 1) / steps, step / steps, stays)));
      if (inside) finish();
      inside = now;
    }
    if (!inside) finish();
  }
  finish();
  return touched ? parts.filter((one) => one.length > 1 || points.length === 1) : null;
}

/** Ends of cut lines are kept exact: a tenth beside the line they would label other pixels. @param {Point} a @param {Point} b @param {number} t @returns {Point} */
const between = (a, b, t) => [fine(a[0] + t * (b[0] - a[0])), fine(a[1] + t * (b[1] - a[1]))];

/**
 * The point where the line crosses the border, on the side that remains.
 * @param {Point} a @param {Point} b @param {number} from @param {number} to @param {(p: Point) => boolean} stays
 */
function border(a, b, from, to, stays) {
  const first = stays(between(a, b, from));
  for (let i = 0; i < 12; i++) {
    const middle = (from + to) / 2;
    if (stays(between(a, b, middle)) === first) from = middle;
    else to = middle;
  }
  return first ? from : to;
}

/**
 * The remains of a mark: null if the pen did not touch it, otherwise the marks (perhaps none) that replace it.
 * @param {Hint} hint @param {Pen} pen @param {number} width @param {number} height of the image
 * @returns {Hint[] | null}
 */
export function cut(hint, pen, width, height) {
  if (hint.kind === "scribble") {
    const parts = cutLine(hint.points, hint.width, pen);
    return parts && parts.map((points) => ({ ...hint, points }));
  }
  if (hint.kind === "click") return near([hint.x, hint.y], pen.points, pen.width / 2 + 0.5) ? [] : null;
  if (hint.kind === "box") return touchesBox(hint, pen) ? [] : null;
  return takeAway(hint, strokeRuns(pen.points, pen.width, width, height), width, height);
}

/** A box goes as a whole when its border is touched. @param {import("./types.js").BoxHint} box @param {Pen} pen */
function touchesBox(box, pen) {
  /** @type {Point[]} */
  const ring = [[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y1], [box.x0, box.y1], [box.x0, box.y0]];
  return cutLine(ring, 1, pen) !== null;
}

/**
 * An area without some pixels, as a bitmap.
 * @param {import("./types.js").PolygonHint | import("./types.js").BitmapHint} hint
 * @param {import("./raster.js").Runs} runs @param {number} width @param {number} height
 * @returns {Hint[] | null}
 */
export function takeAway(hint, runs, width, height) {
  const area = Area.of(areaRuns(hint, width, height));
  if (!area) return null;
  const before = area.pixels.reduce((sum, pixel) => sum + pixel, 0);
  area.fill(runs, 0);
  const after = area.pixels.reduce((sum, pixel) => sum + pixel, 0);
  if (after === before) return null;
  const left = Area.of(area.runs());
  if (!left) return [];
  const { x, y } = left;
  return [{ kind: "bitmap", class: hint.class, x, y, width: left.width, height: left.height, runs: left.lengths() }];
}

/** @param {import("./types.js").PolygonHint | import("./types.js").BitmapHint} hint @param {number} width @param {number} height */
export function areaRuns(hint, width, height) {
  return hint.kind === "polygon" ? polygonRuns([hint.points, ...(hint.holes ?? [])], width, height) : bitmapRuns(hint);
}

/**
 * The same line with fewer points: none moves by more than `tolerance` pixels (Douglas and Peucker 1973).
 * @param {Point[]} points @param {number} tolerance
 * @returns {Point[]}
 */
export function simplify(points, tolerance) {
  if (points.length < 3) return points;
  const keep = new Uint8Array(points.length);
  keep[0] = keep[points.length - 1] = 1;
  /** @type {[number, number][]} */
  const open = [[0, points.length - 1]];
  for (let span = open.pop(); span; span = open.pop()) {
    const [first, last] = span;
    let [farthest, distance] = [-1, tolerance * tolerance];
    for (let i = first + 1; i < last; i++) {
      const square = squareDistance(points[i], points[first], points[last]);
      if (square > distance) [farthest, distance] = [i, square];
    }
    if (farthest < 0) continue;
    keep[farthest] = 1;
    open.push([first, farthest], [farthest, last]);
  }
  return points.filter((_, i) => keep[i]);
}
