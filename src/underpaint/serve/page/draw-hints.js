/**
 * Draws marks. Below 1:1 they are lines and areas. From 1:1 on, each is shown as the pixels that it labels, which are
 * the pixels that the model learns.
 */

import { areaRuns } from "./cut.js";
import { bitmapRuns, strokeRuns } from "./raster.js";
import { contrastColour } from "./palette.js";
import { PIXELS_FROM } from "./view.js";

/** @typedef {import("./types.js").Hint} Hint */
/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./view.js").View} View */
/** @typedef {CanvasRenderingContext2D} Context */
/** @typedef {{colour: string, pattern: number}} ClassStyle of a class */

/** Pictures of bitmaps, which need not be made anew for every frame. @type {WeakMap<Hint, HTMLCanvasElement>} */
const pictures = new WeakMap();

/**
 * @param {Context} context @param {View} view @param {Hint} hint @param {ClassStyle} style
 * @param {number} ratio device pixels of one CSS pixel
 */
export function drawHint(context, view, hint, style, ratio) {
  context.setTransform(1, 0, 0, 1, 0, 0);
  if (hint.kind === "click") drawClick(context, view, hint, style, ratio);
  else if (hint.kind === "box") drawBox(context, view, [hint.x0, hint.y0, hint.x1, hint.y1], style, ratio, hint.class);
  else if (view.scale >= PIXELS_FROM) drawPixels(context, view, hint, style);
  else if (hint.kind === "scribble") drawLine(context, view, hint.points, hint.width, style, ratio);
  else if (hint.kind === "polygon") drawRings(context, view, [hint.points, ...(hint.holes ?? [])], style, ratio);
  else drawBitmap(context, view, hint, style);
}

/** @param {Context} context @param {View} view @param {Point[]} points @param {boolean} [closed] */
function trace(context, view, points, closed = false) {
  points.forEach(([x, y], i) => {
    const [left, top] = view.toWindow(x, y);
    if (i === 0) context.moveTo(left, top);
    else context.lineTo(left, top);
  });
  if (closed) context.closePath();
}

/**
 * @param {Context} context @param {View} view @param {Point[]} points @param {number} width @param {ClassStyle} style
 * @param {number} ratio
 */
function drawLine(context, view, points, width, style, ratio) {
  const [first] = points;
  if (!first) return;
  const line = points.length > 1 ? points : [first, /** @type {Point} */ ([first[0] + 0.01, first[1]])];
  const thick = Math.max(width * view.scale, 2 * ratio);
  context.lineCap = context.lineJoin = "round";
  context.setLineDash([]);
  context.beginPath();
  trace(context, view, line);
  context.lineWidth = thick + 2 * ratio;
  context.strokeStyle = contrastColour(style.colour) === "#000" ? "rgb(0 0 0 / 70%)" : "rgb(255 255 255 / 80%)";
  context.stroke();
  context.lineWidth = thick;
  context.strokeStyle = style.colour;
  context.stroke();
  if (style.pattern) {
    context.lineCap = "butt";
    context.setLineDash([3 * ratio, 3 * ratio * style.pattern]);
    context.lineWidth = Math.max(thick / 2, ratio);
    context.strokeStyle = contrastColour(style.colour);
    context.stroke();
    context.setLineDash([]);
  }
}

/**
 * @param {Context} context @param {View} view @param {Point[][]} rings @param {ClassStyle} style @param {number} ratio
 * @param {boolean} [closed]
 */
export function drawRings(context, view, rings, style, ratio, closed = true) {
  context.beginPath();
  for (const ring of rings) trace(context, view, ring, closed);
  if (closed) {
    context.globalAlpha = 0.35;
    context.fillStyle = style.colour;
    context.fill("evenodd");
    context.globalAlpha = 1;
  }
  double(context, style.colour, ratio);
}

/** The path as a line of the colour between a dark and a light one. @param {Context} context @param {string} colour @param {number} ratio */
function double(context, colour, ratio) {
  context.lineJoin = "round";
  for (const [width, style] of /** @type {[number, string][]} */ ([[5, "#000"], [3.4, "#fff"], [2, colour]])) {
    context.lineWidth = width * ratio;
    context.strokeStyle = style;
    context.stroke();
  }
}

/**
 * @param {Context} context @param {View} view @param {[number, number, number, number]} box @param {ClassStyle} style
 * @param {number} ratio @param {string} [name]
 */
export function drawBox(context, view, box, style, ratio, name = "") {
  const [left, top] = view.toWindow(box[0], box[1]);
  const [right, bottom] = view.toWindow(box[2], box[3]);
  context.beginPath();
  context.rect(left, top, right - left, bottom - top);
  double(context, style.colour, ratio);
  if (!name || right - left < 24 * ratio) return;
  context.font = `600 ${12 * ratio}px system-ui, sans-serif`;
  const wide = Math.min(context.measureText(name).width + 8 * ratio, right - left);
  context.save();
  context.beginPath();
  context.rect(left, top, wide, 18 * ratio);
  context.clip();
  context.fillStyle = style.colour;
  context.fillRect(left, top, wide, 18 * ratio);
  context.fillStyle = contrastColour(style.colour);
  context.fillText(name, left + 4 * ratio, top + 13 * ratio);
  context.restore();
}

/** @param {Context} context @param {View} view @param {import("./types.js").ClickHint} hint @param {ClassStyle} style @param {number} ratio */
function drawClick(context, view, hint, style, ratio) {
  if (view.scale >= 4) fillRuns(context, view, [Math.floor(hint.y), Math.floor(hint.x), Math.floor(hint.x) + 1], style.colour);
  const [left, top] = view.toWindow(hint.x, hint.y);
  const radius = Math.max(5 * ratio, view.scale * 0.9);
  context.beginPath();
  context.arc(left, top, radius, 0, 2 * Math.PI);
  if (view.scale < 4) {
    context.fillStyle = style.colour;
    context.fill();
  }
  double(context, style.colour, ratio);
}

/** @param {Hint} hint @param {View} view @param {{x0: number, y0: number, x1: number, y1: number}} seen */
function runsOf(hint, view, seen) {
  if (hint.kind === "scribble") {
    const margin = hint.width / 2 + 1;
    const [y0, y1] = [seen.y0 - margin, seen.y1 + margin];
    const inside = hint.points.some(([, y]) => y >= y0 && y <= y1) || hint.points.length < 3;
    return inside || crosses(hint.points, y0, y1) ? strokeRuns(hint.points, hint.width, view.imageWidth, view.imageHeight) : [];
  }
  if (hint.kind === "polygon") return areaRuns(hint, view.imageWidth, view.imageHeight);
  return hint.kind === "bitmap" ? bitmapRuns(hint) : [];
}

/** @param {Point[]} points @param {number} y0 @param {number} y1 */
const crosses = (points, y0, y1) => points.some(([, y]) => y < y0) && points.some(([, y]) => y > y1);

/** @param {Context} context @param {View} view @param {Hint} hint @param {ClassStyle} style */
function drawPixels(context, view, hint, style) {
  context.globalAlpha = hint.kind === "scribble" ? 1 : 0.5;
  fillRuns(context, view, runsOf(hint, view, view.seen()), style.colour);
  context.globalAlpha = 1;
}

/**
 * @param {Context} context @param {View} view @param {import("./raster.js").Runs} runs @param {string} colour
 */
export function fillRuns(context, view, runs, colour) {
  const { x0, y0, x1, y1 } = view.seen();
  context.fillStyle = colour;
  for (let i = 0; i < runs.length; i += 3) {
    if (runs[i] < y0 || runs[i] >= y1) continue;
    const first = Math.max(runs[i + 1], x0);
    const last = Math.min(runs[i + 2], x1);
    if (last <= first) continue;
    const [left, top] = view.toWindow(first, runs[i]);
    const [right, bottom] = view.toWindow(last, runs[i] + 1);
    const [x, y] = [Math.round(left), Math.round(top)];
    context.fillRect(x, y, Math.round(right) - x, Math.round(bottom) - y);
  }
}

/** @param {Context} context @param {View} view @param {import("./types.js").BitmapHint} hint @param {ClassStyle} style */
function drawBitmap(context, view, hint, style) {
  let picture = pictures.get(hint);
  if (!picture) {
    picture = document.createElement("canvas");
    picture.width = hint.width;
    picture.height = hint.height;
    const inner = picture.getContext("2d");
    if (inner) {
      inner.fillStyle = "#000";
      const runs = bitmapRuns(hint);
      for (let i = 0; i < runs.length; i += 3) inner.fillRect(runs[i + 1] - hint.x, runs[i] - hint.y, runs[i + 2] - runs[i + 1], 1);
      inner.globalCompositeOperation = "source-in";
      inner.fillStyle = style.colour;
      inner.fillRect(0, 0, hint.width, hint.height);
    }
    pictures.set(hint, picture);
  }
  const [left, top] = view.toWindow(hint.x, hint.y);
  context.globalAlpha = 0.5;
  context.drawImage(picture, left, top, hint.width * view.scale, hint.height * view.scale);
  context.globalAlpha = 1;
}
