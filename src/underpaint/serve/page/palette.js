/**
 * Colours of classes. Colour-blind people can distinguish the colours of Okabe and Ito. If several classes share a
 * colour, they have different hatchings, and a class always shows its name and its key.
 */

/** @typedef {import("./types.js").ClassInfo} ClassInfo */
/** @typedef {[number, number, number]} Rgb */

export const OKABE_ITO = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"];
export const PATTERNS = 4;

/** @param {string} colour `#rrggbb` @returns {Rgb} */
export function rgb(colour) {
  const value = /^#[0-9a-f]{6}$/i.test(colour) ? parseInt(colour.slice(1), 16) : 0x888888;
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/**
 * The hatching of each class: 0 for none, else one of the others, for the second and later class of the same colour.
 * @param {ClassInfo[]} classes
 */
export function patterns(classes) {
  /** @type {Map<string, number>} */
  const seen = new Map();
  return classes.map(({ color }) => {
    const before = seen.get(color.toLowerCase()) ?? 0;
    seen.set(color.toLowerCase(), before + 1);
    return before % PATTERNS;
  });
}

/**
 * Whether a pixel lies on a line of the hatching. Lines are `thick` wide and four times as far apart.
 * @param {number} pattern @param {number} x @param {number} y @param {number} thick
 */
export function hatched(pattern, x, y, thick) {
  const period = 4 * thick;
  if (pattern === 1) return (x + y) % period < thick;
  if (pattern === 2) return (((x - y) % period) + period) % period < thick;
  if (pattern === 3) return x % period < thick || y % period < thick;
  return false;
}

/** Black or white, whichever is easier to read on a colour. @param {string} colour */
export function contrastColour(colour) {
  const [r, g, b] = rgb(colour).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

/**
 * A swatch of a class with its hatching.
 * @param {string} colour @param {number} pattern @param {number} [size] CSS pixels
 */
export function swatch(colour, pattern, size = 16) {
  const canvas = document.createElement("canvas");
  const pixels = Math.round(size * 2);
  canvas.width = canvas.height = pixels;
  canvas.className = "swatch";
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  if (context) {
    const image = context.createImageData(pixels, pixels);
    const plain = rgb(colour);
    const lines = rgb(contrastColour(colour) === "#000" ? "#000000" : "#ffffff");
    for (let y = 0; y < pixels; y++) {
      for (let x = 0; x < pixels; x++) {
        const shown = hatched(pattern, x, y, 3) ? lines : plain;
        image.data.set([...shown, 255], 4 * (y * pixels + x));
      }
    }
    context.putImageData(image, 0, 0);
  }
  return canvas;
}
