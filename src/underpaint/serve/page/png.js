/**
 * Reads the numbers in a PNG of one channel. The decoder of the browser would give colours, which several classes may
 * share. Bit depths 1, 2, 4 and 8, grey or palette, not interlaced: PNG specification, sections 7 to 12.
 */

/** @typedef {{width: number, height: number, values: Uint8Array}} Numbers */

/** @param {ArrayBuffer} file @returns {Promise<Numbers>} */
export async function readPng(file) {
  const view = new DataView(file);
  if (view.byteLength < 33 || view.getUint32(0) !== 0x89504e47) throw new Error("not a PNG");
  const width = view.getUint32(16);
  const height = view.getUint32(20);
  const depth = view.getUint8(24);
  const colours = view.getUint8(25);
  if (![1, 2, 4, 8].includes(depth) || (colours !== 0 && colours !== 3) || view.getUint8(28) !== 0) {
    throw new Error("not a PNG of one channel");
  }
  const packed = await inflate(new Blob(parts(file, view)));
  return { width, height, values: unfilter(packed, width, height, depth) };
}

/** The parts with the data. @param {ArrayBuffer} file @param {DataView} view */
function parts(file, view) {
  const found = [];
  for (let at = 8; at + 12 <= view.byteLength; at += 12 + view.getUint32(at)) {
    if (view.getUint32(at + 4) === 0x49444154) found.push(new Uint8Array(file, at + 8, view.getUint32(at)));
  }
  return found;
}

/** @param {Blob} blob */
async function inflate(blob) {
  const stream = blob.stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** @param {Uint8Array} packed @param {number} width @param {number} height @param {number} depth */
function unfilter(packed, width, height, depth) {
  const stride = Math.ceil((width * depth) / 8);
  if (packed.length < (stride + 1) * height) throw new Error("the PNG is cut off");
  const rows = new Uint8Array(stride * height);
  for (let row = 0; row < height; row++) {
    const from = row * (stride + 1);
    const to = row * stride;
    const kind = packed[from];
    for (let i = 0; i < stride; i++) {
      const left = i > 0 ? rows[to + i - 1] : 0;
      const up = row > 0 ? rows[to + i - stride] : 0;
      const corner = row > 0 && i > 0 ? rows[to + i - stride - 1] : 0;
      rows[to + i] = packed[from + 1 + i] + predicted(kind, left, up, corner);
    }
  }
  return depth === 8 ? rows : spread(rows, width, height, depth, stride);
}

/** @param {number} kind @param {number} left @param {number} up @param {number} corner */
function predicted(kind, left, up, corner) {
  if (kind === 0) return 0;
  if (kind === 1) return left;
  if (kind === 2) return up;
  if (kind === 3) return (left + up) >> 1;
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/** @param {Uint8Array} rows @param {number} width @param {number} height @param {number} depth @param {number} stride */
function spread(rows, width, height, depth, stride) {
  const values = new Uint8Array(width * height);
  const each = 8 / depth;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const byte = rows[y * stride + Math.floor(x / each)];
      values[y * width + x] = (byte >> (8 - depth * ((x % each) + 1))) & ((1 << depth) - 1);
    }
  }
  return values;
}
