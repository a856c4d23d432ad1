/** Enlarges decoded pictures by two. Every client does so to the same levels. */

import { ENLARGEMENT_SHIFT, ENLARGEMENT_TAPS } from "./format";
import type { Pixels, Size } from "./pixels";

const [OUTER, INNER, CENTRE, OTHER] = ENLARGEMENT_TAPS;
/** How far beside a pixel those are that two of the larger picture are made of. */
const REACH = 2;
/** How many rows these two are made of together. */
const ROWS = 2 * REACH + 1;
const CHANNELS = 3;
const ROUNDING = 2 ** (ENLARGEMENT_SHIFT - 1);

/**
 * A picture of twice the width and height, or a column or row less where its size is odd.
 * @param picture of half the size, rounded up.
 * @param size of the result in pixels.
 */
export function enlarge(picture: Pixels, { width, height }: Size): Pixels {
  const data = new Uint8Array(width * height * CHANNELS);
  const clipped = new Uint8ClampedArray(data.buffer);
  const last = picture.height - 1;
  // Rows are made wider once each; five of them at a time make two that are shown.
  const wide = Array.from({ length: ROWS }, () => new Int32Array(2 * picture.width * CHANNELS));
  const line = new Int32Array((picture.width + 2 * REACH) * CHANNELS);
  const rowAt = (y: number) => wide[Math.min(Math.max(y, 0), last) % ROWS];
  let made = 0;
  for (let y = 0; y <= last; y++) {
    for (; made <= Math.min(y + REACH, last); made++) widen(picture, made, line, wide[made % ROWS]);
    const rows = [-2, -1, 0, 1, 2].map((offset) => rowAt(y + offset));
    const start = 2 * y * width * CHANNELS;
    const end = start + width * CHANNELS;
    blend(rows.slice(0, 4), clipped.subarray(start, end));
    if (2 * y + 1 < height) {
      blend(rows.slice(1).reverse(), clipped.subarray(end, end + width * CHANNELS));
    }
  }
  return { width, height, data };
}

/** Doubles a row's width, without rounding. @param line room for it with its edges repeated. */
function widen({ width, data }: Pixels, y: number, line: Int32Array, row: Int32Array): void {
  const start = y * width * CHANNELS;
  const edge = REACH * CHANNELS;
  line.set(data.subarray(start, start + width * CHANNELS), edge);
  for (let i = 0; i < edge; i++) {
    line[i] = data[start + (i % CHANNELS)];
    line[line.length - edge + i] = data[start + (width - 1) * CHANNELS + (i % CHANNELS)];
  }
  for (let x = 0, from = 0, to = 0; x < width; x++, to += CHANNELS) {
    for (let channel = 0; channel < CHANNELS; channel++, from++, to++) {
      const before = line[from + CHANNELS];
      const centre = CENTRE * line[from + 2 * CHANNELS];
      const after = line[from + 3 * CHANNELS];
      row[to] = OUTER * line[from] + INNER * before + centre + OTHER * after;
      row[to + CHANNELS] =
        OTHER * before + centre + INNER * after + OUTER * line[from + 4 * CHANNELS];
    }
  }
}

/** Four widened rows to one that is shown, as wide as `to`. */
function blend([a, b, c, d]: readonly Int32Array[], to: Uint8ClampedArray): void {
  for (let i = 0; i < to.length; i++) {
    to[i] =
      (OUTER * a[i] + INNER * b[i] + CENTRE * c[i] + OTHER * d[i] + ROUNDING) >> ENLARGEMENT_SHIFT;
  }
}
