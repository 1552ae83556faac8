/**
 * The pixels of marks, by the rule of `underpaint/hints/rasterise.py`: the pixel in column c and row r has its centre
 * at (c + 0.5, r + 0.5), and a stroke covers the centres within half its width. A test compares both on random strokes.
 */

/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./types.js").Hint} Hint */

/**
 * Runs of pixels: three numbers each, the row, the first column, and the column after the last.
 * @typedef {number[]} Runs
 */

/** @param {number} value @param {number} limit */
const whole = (value, limit) => Math.trunc(Math.min(Math.max(value, 0), limit));

/**
 * The length of a vector, corrected as in the C library, because `Math.hypot` may differ in the last bit.
 * @param {number} a @param {number} b
 */
export function hypot(a, b) {
  const x = Math.max(Math.abs(a), Math.abs(b));
  const y = Math.min(Math.abs(a), Math.abs(b));
  if (y === 0) return x;
  const h = Math.sqrt(x * x + y * y);
  let first, second;
  if (h <= 2 * y) {
    const over = h - y;
    first = x * (2 * over - x);
    second = (over - 2 * (x - y)) * over;
  } else {
    const over = h - x;
    first = 2 * over * (x - 2 * y);
    second = (4 * over - y) * y + over * over;
  }
  return h - (first + second) / (2 * h);
}

/**
 * The runs of pixels whose centres lie within a radius of one segment.
 * @param {Point} a @param {Point} b @param {number} radius @param {number} width @param {number} height
 * @param {Runs} runs
 */
function segmentRuns(a, b, radius, width, height, runs) {
  const top = whole(Math.ceil(Math.min(a[1], b[1]) - radius - 0.5), height);
  const bottom = whole(Math.floor(Math.max(a[1], b[1]) + radius - 0.5) + 1, height);
  const dx = b[0] - a[0];
  const dy = b[1] - a[1];
  const scale = radius / Math.max(hypot(dx, dy), 1e-300);
  const acrossX = -dy * scale;
  const acrossY = dx * scale;
  for (let row = top; row < bottom; row++) {
    const y = row + 0.5;
    let left = Infinity;
    let right = -Infinity;
    for (const end of [a, b]) {
      const square = radius * radius - (y - end[1]) ** 2;
      if (square >= 0) {
        const half = Math.sqrt(square);
        left = Math.min(left, end[0] - half);
        right = Math.max(right, end[0] + half);
      }
    }
    for (const side of [1, -1]) {
      const t = (y - (a[1] + side * acrossY)) / dy;
      if (t >= 0 && t <= 1) {
        const x = a[0] + side * acrossX + t * dx;
        left = Math.min(left, x);
        right = Math.max(right, x);
      }
    }
    const first = whole(Math.ceil(left - 0.5), width);
    const last = Math.max(whole(Math.floor(right - 0.5) + 1, width), first);
    if (last > first) runs.push(row, first, last);
  }
}

/**
 * The pixels that a stroke labels; a pixel may be in several runs.
 * @param {Point[]} points @param {number} pen the pen's width; 0 labels only the pixels that contain a point
 * @param {number} width @param {number} height of the image
 * @returns {Runs}
 */
export function strokeRuns(points, pen, width, height) {
  /** @type {Runs} */
  const runs = [];
  const radius = pen / 2;
  if (pen > 0) {
    for (let i = 0; i < Math.max(points.length - 1, 1); i++) {
      const a = /** @type {Point} */ (points[i]);
      const b = points[i + 1] ?? a;
      const beside =
        Math.max(a[0], b[0]) <= -radius || Math.min(a[0], b[0]) >= width + radius ||
        Math.max(a[1], b[1]) <= -radius || Math.min(a[1], b[1]) >= height + radius;
      if (!beside) segmentRuns(a, b, radius, width, height, runs);
    }
  }
  for (const [x, y] of points) {
    const column = Math.floor(x);
    const row = Math.floor(y);
    if (column >= 0 && column < width && row >= 0 && row < height) runs.push(row, column, column + 1);
  }
  return runs;
}

/**
 * The pixels inside rings, by the even-odd rule.
 * @param {Point[][]} rings @param {number} width @param {number} height
 * @returns {Runs}
 */
export function polygonRuns(rings, width, height) {
  /** @type {Map<number, number[]>} */
  const crossings = new Map();
  for (const ring of rings) {
    for (let i = 0; i < ring.length; i++) {
      const a = /** @type {Point} */ (ring[i]);
      const b = /** @type {Point} */ (ring[(i + 1) % ring.length]);
      const first = Math.ceil(Math.min(Math.max(Math.min(a[1], b[1]), 0), height) - 0.5);
      const last = Math.ceil(Math.min(Math.max(Math.max(a[1], b[1]), 0), height) - 0.5);
      for (let row = first; row < last; row++) {
        const t = (row + 0.5 - a[1]) / (b[1] - a[1]);
        const x = a[0] + t * (b[0] - a[0]);
        const list = crossings.get(row);
        if (list) list.push(x);
        else crossings.set(row, [x]);
      }
    }
  }
  /** @type {Runs} */
  const runs = [];
  for (const row of [...crossings.keys()].sort((p, q) => p - q)) {
    const at = /** @type {number[]} */ (crossings.get(row)).map((x) => whole(Math.ceil(x - 0.5), width)).sort((p, q) => p - q);
    for (let i = 0; i + 1 < at.length; i += 2) {
      if (at[i] < at[i + 1]) runs.push(row, at[i], at[i + 1]);
    }
  }
  return runs;
}

/**
 * @param {import("./types.js").BitmapHint} bitmap
 * @returns {Runs}
 */
export function bitmapRuns(bitmap) {
  /** @type {Runs} */
  const runs = [];
  let at = 0;
  bitmap.runs.forEach((length, index) => {
    let left = index % 2 ? length : 0;
    let place = at;
    at += length;
    while (left > 0) {
      const column = place % bitmap.width;
      const part = Math.min(left, bitmap.width - column);
      const row = bitmap.y + Math.floor(place / bitmap.width);
      runs.push(row, bitmap.x + column, bitmap.x + column + part);
      place += part;
      left -= part;
    }
  });
  return runs;
}

/** The pixels of an area, as one byte each in the smallest rectangle around them. */
export class Area {
  /** @param {number} x @param {number} y @param {number} width @param {number} height */
  constructor(x, y, width, height) {
    this.x = x;
    this.y = y;
    this.width = width;
    this.height = height;
    this.pixels = new Uint8Array(width * height);
  }

  /** @param {Runs} runs @returns {Area | null} null where there is no pixel */
  static of(runs) {
    let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < runs.length; i += 3) {
      y0 = Math.min(y0, runs[i]);
      y1 = Math.max(y1, runs[i] + 1);
      x0 = Math.min(x0, runs[i + 1]);
      x1 = Math.max(x1, runs[i + 2]);
    }
    if (x1 <= x0) return null;
    const area = new Area(x0, y0, x1 - x0, y1 - y0);
    area.fill(runs, 1);
    return area;
  }

  /** @param {Runs} runs @param {number} value what lies beyond the rectangle is cut off */
  fill(runs, value) {
    for (let i = 0; i < runs.length; i += 3) {
      const row = runs[i] - this.y;
      if (row < 0 || row >= this.height) continue;
      const first = Math.max(runs[i + 1] - this.x, 0);
      const last = Math.min(runs[i + 2] - this.x, this.width);
      if (last > first) this.pixels.fill(value, row * this.width + first, row * this.width + last);
    }
  }

  /** The runs of the area, each pixel once. @returns {Runs} */
  runs() {
    /** @type {Runs} */
    const runs = [];
    for (let row = 0; row < this.height; row++) {
      let first = -1;
      for (let column = 0; column <= this.width; column++) {
        const inside = column < this.width && this.pixels[row * this.width + column] === 1;
        if (inside && first < 0) first = column;
        else if (!inside && first >= 0) {
          runs.push(this.y + row, this.x + first, this.x + column);
          first = -1;
        }
      }
    }
    return runs;
  }

  /** Lengths outside and inside in turn, outside first, as bitmaps in a hints file have them. @returns {number[]} */
  lengths() {
    const lengths = [];
    let inside = 0;
    let length = 0;
    for (const pixel of this.pixels) {
      if (pixel !== inside) {
        lengths.push(length);
        length = 0;
        inside = pixel;
      }
      length++;
    }
    lengths.push(length);
    return lengths;
  }
}
