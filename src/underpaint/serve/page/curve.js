/** A curve of numbers over steps, with its meaning in words. */

import { text } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, BOTTOM] = [520, 180, 44, 24];

/** @param {string} tag @param {Record<string, string | number>} attributes @param {string} [words] */
function shape(tag, attributes, words) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (words !== undefined) element.textContent = words;
  return element;
}

/** @param {[number, number][]} points step and value */
export function curve(points) {
  const steps = points.map(([step]) => step);
  const values = points.map(([, value]) => value);
  const [first, last] = [Math.min(...steps), Math.max(...steps)];
  const [low, high] = [Math.min(0, ...values), Math.max(...values, 1e-9)];
  /** @param {number} step */
  const x = (step) => LEFT + ((step - first) / Math.max(last - first, 1)) * (WIDTH - LEFT - 8);
  /** @param {number} value */
  const y = (value) => 10 + (1 - (value - low) / (high - low)) * (HEIGHT - BOTTOM - 10);
  const [begin, end] = [values[0], values[values.length - 1]];
  const words = (end <= begin ? text.curveText : text.curveRose)(begin, end, last);
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curve", role: "img", "aria-label": words });
  svg.append(
    shape("path", { class: "axis", fill: "none", d: `M${LEFT} 10V${HEIGHT - BOTTOM}H${WIDTH - 8}` }),
    shape("path", { class: "line", d: points.map(([step, value], i) => `${i ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join("") }),
    shape("text", { x: LEFT - 5, y: 16, "text-anchor": "end" }, high.toPrecision(2)),
    shape("text", { x: LEFT - 5, y: HEIGHT - BOTTOM, "text-anchor": "end" }, low.toPrecision(1)),
    shape("text", { x: LEFT, y: HEIGHT - 6 }, String(first)),
    shape("text", { x: WIDTH - 8, y: HEIGHT - 6, "text-anchor": "end" }, String(last)),
  );
  return { svg, words };
}
