/**
 * The position and scale of the photograph in the window. All lengths in the window are device pixels, so that at a
 * scale of 1 one pixel of the photograph is one pixel of the screen.
 */

/** @typedef {import("./types.js").Point} Point */

const LARGEST = 64;
/** Above this scale pixels are shown as squares and lines as their pixels. */
export const PIXELS_FROM = 1;
/** Above this scale a grid separates the pixels. */
export const GRID_FROM = 8;

export class View {
  constructor() {
    this.width = 1;
    this.height = 1;
    this.imageWidth = 1;
    this.imageHeight = 1;
    this.scale = 1;
    /** The top-left corner of the window in pixels of the photograph. */
    this.x = 0;
    this.y = 0;
  }

  /** @param {number} width @param {number} height device pixels */
  resize(width, height) {
    const centre = this.toImage(this.width / 2, this.height / 2);
    const fitted = Math.abs(this.scale - this.fitScale()) < 1e-9;
    this.width = Math.max(width, 1);
    this.height = Math.max(height, 1);
    if (fitted) this.fit();
    else this.centre(centre[0], centre[1]);
  }

  /** @param {number} width @param {number} height */
  open(width, height) {
    this.imageWidth = width;
    this.imageHeight = height;
    this.fit();
  }

  fitScale() {
    return Math.min((this.width * 0.96) / this.imageWidth, (this.height * 0.96) / this.imageHeight, LARGEST);
  }

  fit() {
    this.scale = this.fitScale();
    this.centre(this.imageWidth / 2, this.imageHeight / 2);
  }

  /** @param {number} x @param {number} y in the window @returns {Point} */
  toImage(x, y) {
    return [this.x + x / this.scale, this.y + y / this.scale];
  }

  /** @param {number} x @param {number} y in the photograph @returns {Point} */
  toWindow(x, y) {
    return [(x - this.x) * this.scale, (y - this.y) * this.scale];
  }

  /** @param {number} x @param {number} y in the photograph */
  centre(x, y) {
    this.x = x - this.width / 2 / this.scale;
    this.y = y - this.height / 2 / this.scale;
    this.#keep();
  }

  /** @param {number} dx @param {number} dy in the window */
  move(dx, dy) {
    this.x -= dx / this.scale;
    this.y -= dy / this.scale;
    this.#keep();
  }

  /** @param {number} factor @param {number} x @param {number} y the point of the window that stays where it is */
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const [imageX, imageY] = this.toImage(x, y);
    const smallest = Math.min(this.fitScale(), 1) / 4;
    this.scale = Math.min(Math.max(this.scale * factor, smallest), LARGEST);
    this.x = imageX - x / this.scale;
    this.y = imageY - y / this.scale;
    this.#keep();
  }

  /** Sets the scale at which one pixel of the photograph is one pixel of the screen. */
  oneToOne() {
    this.zoom(1 / this.scale);
  }

  /**
   * Brings a place into the middle of the window if it is not well inside, and shows as little as possible beside the
   * photograph.
   * @param {number} x @param {number} y @returns {boolean} whether the view moved
   */
  show(x, y) {
    const [left, top] = this.toWindow(x, y);
    const inside = left > this.width * 0.05 && left < this.width * 0.95 && top > this.height * 0.05 && top < this.height * 0.95;
    if (inside) return false;
    const before = [this.x, this.y];
    const [wide, high] = [this.width / this.scale, this.height / this.scale];
    this.x = covering(x - wide / 2, wide, this.imageWidth);
    this.y = covering(y - high / 2, high, this.imageHeight);
    this.#keep();
    return before[0] !== this.x || before[1] !== this.y;
  }

  /** The visible part of the photograph in whole pixels. */
  seen() {
    return {
      x0: Math.max(Math.floor(this.x), 0),
      y0: Math.max(Math.floor(this.y), 0),
      x1: Math.min(Math.ceil(this.x + this.width / this.scale), this.imageWidth),
      y1: Math.min(Math.ceil(this.y + this.height / this.scale), this.imageHeight),
    };
  }

  /** Keeps at least a part of the photograph inside the window. */
  #keep() {
    const [wide, high] = [this.width / this.scale, this.height / this.scale];
    const [marginX, marginY] = [Math.min(wide, this.imageWidth) / 4, Math.min(high, this.imageHeight) / 4];
    this.x = Math.min(Math.max(this.x, marginX - wide), this.imageWidth - marginX);
    this.y = Math.min(Math.max(this.y, marginY - high), this.imageHeight - marginY);
    if (this.scale >= PIXELS_FROM) {
      this.x = Math.round(this.x * this.scale) / this.scale;
      this.y = Math.round(this.y * this.scale) / this.scale;
    }
  }
}

/**
 * Where a window begins that shows little beside the photograph, in one direction.
 * @param {number} at where it would begin @param {number} length of the window @param {number} whole length of the photograph
 */
function covering(at, length, whole) {
  const margin = length * 0.02;
  return length >= whole ? (whole - length) / 2 : Math.min(Math.max(at, -margin), whole - length + margin);
}
