/** Enlarges decoded pictures by two. Every client does so to the same levels. */

import { ENLARGEMENT_SHIFT, ENLARGEMENT_TAPS } from "./format";
import type { Pixels, Size } from "./pixels";

/** How far beside a pixel those are that two of the larger picture are made of. */
const REACH = 2;
/** How many rows these two are made of together. */
const ROWS = 2 * REACH + 1;
const CHANNELS = 3;

/**
 * A picture of twice the width and height, or a column or row less where its size is odd.
 * @param picture of half the size, rounded up.
 * @param size of the result in pixels.
 */
export function enlarge(picture: Pixels, { width, height }: Size): Pixels {
  const row = width * CHANNELS;
  const data = new Uint8Array(height * row);
  const clipped = new Uint8ClampedArray(data.buffer);
  const last = picture.height - 1;
  // Rows are made wider once each; five of them at a time make two that are shown.
  const wide = Array.from({ length: ROWS }, () => new Int32Array(2 * picture.width * CHANNELS));
  const line = new Uint8Array((picture.width + 2 * REACH) * CHANNELS);
  let made = 0;
  for (let y = 0; y <= last; y++) {
    for (; made <= Math.min(y + REACH, last); made++) widen(picture, made, line, wide[made % ROWS]);
    const at = (offset: number) => wide[Math.min(Math.max(y + offset, 0), last) % ROWS];
    const even = 2 * y * row;
    blend(at(-2), at(-1), at(0), at(1), clipped.subarray(even, even + row));
    if (2 * y + 1 < height) {
      blend(at(2), at(1), at(0), at(-1), clipped.subarray(even + row, even + 2 * row));
    }
  }
  return { width, height, data };
}

/** Doubles a row's width, without rounding. @param line room for it with its edges repeated. */
function widen({ width, data }: Pixels, y: number, line: Uint8Array, row: Int32Array): void {
  const start = y * width * CHANNELS;
  const end = start + width * CHANNELS;
  line.set(data.subarray(start, end), REACH * CHANNELS);
  for (let pixel = 0; pixel < REACH; pixel++) {
    line.set(data.subarray(start, start + CHANNELS), pixel * CHANNELS);
    line.set(data.subarray(end - CHANNELS, end), (width + REACH + pixel) * CHANNELS);
  }
  const [outer, inner, centre, other] = ENLARGEMENT_TAPS;
  for (let channel = 0; channel < CHANNELS; channel++) {
    let [a, b, c, d] = [0, 1, 2, 3].map((pixel) => line[pixel * CHANNELS + channel]);
    let to = channel;
    for (let from = 4 * CHANNELS + channel; from < line.length; from += CHANNELS) {
      const e = line[from];
      row[to] = outer * a + inner * b + centre * c + other * d;
      row[to + CHANNELS] = other * b + centre * c + inner * d + outer * e;
      [a, b, c, d] = [b, c, d, e];
      to += 2 * CHANNELS;
    }
  }
}

/** Four widened rows to one that is shown, as wide as `to`. */
function blend(
  a: Int32Array,
  b: Int32Array,
  c: Int32Array,
  d: Int32Array,
  to: Uint8ClampedArray,
): void {
  const [outer, inner, centre, other] = ENLARGEMENT_TAPS;
  const rounding = 2 ** (ENLARGEMENT_SHIFT - 1);
  for (let i = 0; i < to.length; i++) {
    const sum = outer * a[i] + inner * b[i] + centre * c[i] + other * d[i];
    to[i] = (sum + rounding) >> ENLARGEMENT_SHIFT;
  }
}
