/**
 * Colours masks in a worker thread. It keeps the class numbers, so that a change of colours or of hidden classes needs
 * no request.
 */

import { hatched } from "./palette.js";
import { readPng } from "./png.js";

/** @typedef {import("./palette.js").Rgb} Rgb */
/**
 * @typedef {object} ClassStyle
 * @property {Rgb[]} colours of each class
 * @property {number[]} patterns of each class
 * @property {number[]} hidden numbers of classes that are not shown
 */
/** @typedef {{kind: "mask" | "uncertainty" | "once", id: number, file: ArrayBuffer | null} | {kind: "style", style: ClassStyle}} Order */
/**
 * @typedef {object} Answer
 * @property {"mask" | "uncertainty" | "once"} kind
 * @property {number} id
 * @property {ImageBitmap | null} fill
 * @property {ImageBitmap | null} outlines
 * @property {number[]} shares of each class, of all pixels; empty for uncertainty
 * @property {import("./png.js").Numbers | null} numbers
 */

const VOID = 255;
/** Outlines are drawn on a canvas of this width, so that the outlines of a small mask are not thick. */
const FINE = 1536;
/** Uncertainty is shown in one colour, the more opaque the greater it is. */
const UNCERTAINTY = /** @type {Rgb} */ ([255, 0, 170]);

/** @type {ClassStyle} */
let style = { colours: [], patterns: [], hidden: [] };
/** @type {{id: number, numbers: import("./png.js").Numbers} | null} */
let mask = null;

self.onmessage = async (/** @type {MessageEvent<Order>} */ { data }) => {
  if (data.kind === "style") {
    style = data.style;
    if (mask) await answerMask(mask.id);
    return;
  }
  try {
    const numbers = data.file && (await readPng(data.file));
    if (data.kind === "once") {
      answer({ kind: "once", id: data.id, fill: numbers && (await picture(numbers, coloured(numbers))), outlines: null, shares: [], numbers: null });
      return;
    }
    if (data.kind === "uncertainty") {
      answer({ kind: "uncertainty", id: data.id, fill: numbers && (await picture(numbers, uncertaintyOf(numbers))), outlines: null, shares: [], numbers: null });
      return;
    }
    mask = numbers && { id: data.id, numbers };
    await answerMask(data.id);
  } catch {
    answer({ kind: data.kind, id: data.id, fill: null, outlines: null, shares: [], numbers: null });
  }
};

/** @param {number} id */
async function answerMask(id) {
  if (!mask) {
    answer({ kind: "mask", id, fill: null, outlines: null, shares: [], numbers: null });
    return;
  }
  const { numbers } = mask;
  const fill = await picture(numbers, coloured(numbers));
  const borders = bordered(numbers);
  const outlines = await picture(borders, borders.pixels);
  answer({ kind: "mask", id, fill, outlines, shares: shares(numbers), numbers });
}

/** @param {Answer} message */
function answer(message) {
  const moved = [message.fill, message.outlines].filter((one) => one !== null);
  self.postMessage(message, { transfer: moved });
}

/** @param {{width: number, height: number}} size @param {Uint8ClampedArray<ArrayBuffer>} pixels */
const picture = ({ width, height }, pixels) => createImageBitmap(new ImageData(pixels, width, height));

/** @param {import("./png.js").Numbers} numbers */
function coloured({ width, height, values }) {
  const pixels = new Uint8ClampedArray(4 * width * height);
  const hidden = new Set([...style.hidden, VOID]);
  const thick = Math.max(Math.round(width / 512), 1);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    const colour = style.colours[value];
    if (!colour || hidden.has(value)) continue;
    const line = style.patterns[value] && hatched(style.patterns[value], i % width, Math.floor(i / width), thick);
    const at = 4 * i;
    pixels[at] = line ? colour[0] >> 2 : colour[0];
    pixels[at + 1] = line ? colour[1] >> 2 : colour[1];
    pixels[at + 2] = line ? colour[2] >> 2 : colour[2];
    pixels[at + 3] = 255;
  }
  return pixels;
}

/**
 * Draws a dark line on one side of each border and a light line on the other side, thinner than the pixels of a small
 * mask.
 * @param {import("./png.js").Numbers} numbers
 */
function bordered({ width, height, values }) {
  const fine = Math.max(Math.round(FINE / width), 1);
  const wide = width * fine;
  const pixels = new Uint32Array(wide * height * fine);
  const hidden = new Set([...style.hidden, VOID]);
  /** @param {number} i */
  const at = (i) => (hidden.has(values[i]) ? VOID : values[i]);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      const here = at(i);
      const corner = y * fine * wide + x * fine;
      if (x + 1 < width && at(i + 1) !== here) line(pixels, corner + fine - 1, wide, 1, fine);
      if (y + 1 < height && at(i + width) !== here) line(pixels, corner + (fine - 1) * wide, 1, wide, fine);
    }
  }
  return { width: wide, height: height * fine, pixels: new Uint8ClampedArray(pixels.buffer) };
}

/**
 * @param {Uint32Array} pixels @param {number} from @param {number} along @param {number} across @param {number} length
 */
function line(pixels, from, along, across, length) {
  for (let i = 0; i < length; i++) {
    pixels[from + i * along] ||= 0xff000000;
    pixels[from + i * along + across] = 0xffffffff;
  }
}

/** @param {import("./png.js").Numbers} numbers */
function uncertaintyOf({ width, height, values }) {
  const pixels = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < values.length; i++) pixels.set([...UNCERTAINTY, Math.round(values[i] * 0.8)], 4 * i);
  return pixels;
}

/** @param {import("./png.js").Numbers} numbers */
function shares({ values }) {
  const counts = new Array(style.colours.length).fill(0);
  for (const value of values) if (value < counts.length) counts[value]++;
  return counts.map((count) => count / values.length);
}
