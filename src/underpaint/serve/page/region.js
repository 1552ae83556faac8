/** The connected region of a mask at a place, for the tool that fills. */

/** @typedef {import("./png.js").Numbers} Numbers */
/** @typedef {import("./raster.js").Runs} Runs */

/** The number of pixels that no class has. */
const VOID = 255;

/**
 * The pixels of one number that hang together with a place by their sides, row by row.
 * @param {Numbers} numbers @param {number} x @param {number} y
 * @returns {Runs} none outside the mask, and none where it has no class
 */
export function regionAt({ width, height, values }, x, y) {
  /** @type {Runs} */
  const runs = [];
  if (x < 0 || y < 0 || x >= width || y >= height || values[y * width + x] === VOID) return runs;
  const number = values[y * width + x];
  const seen = new Uint8Array(width * height);
  /** @param {number} at */
  const fresh = (at) => values[at] === number && !seen[at];
  const open = [y * width + x];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (!fresh(at)) continue;
    const row = Math.floor(at / width);
    let first = at;
    let last = at + 1;
    while (first > row * width && fresh(first - 1)) first--;
    while (last < (row + 1) * width && fresh(last)) last++;
    seen.fill(1, first, last);
    runs.push(row, first - row * width, last - row * width);
    for (const beside of [-width, width]) {
      for (let i = first + beside; i < last + beside; i++) {
        const begins = i === first + beside || !fresh(i - 1);
        if (i >= 0 && i < values.length && begins && fresh(i)) open.push(i);
      }
    }
  }
  return runs;
}
