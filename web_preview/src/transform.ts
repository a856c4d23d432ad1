/** The inverse DCT in whole numbers; docs/PREVIEW.md describes it. */

import { LOW } from "./coefficients.js";
import { SIDE } from "./text.js";

const COLUMN_LIMIT = 8191;

/**
 * Coefficients to the differences from the average colour.
 *
 * @param values (row, column, channel) of 16x16 frequencies.
 * @param basis (frequency, place).
 * @returns (row, column, channel) of 32x32 pixels, in Y, Cb and Cr.
 */
export function inverseDct(values: Int32Array, basis: Int32Array): Int32Array {
  const columns = multiply(values, basis, 3 * LOW, 1);
  for (let i = 0; i < columns.length; i++) {
    columns[i] = Math.min(Math.max((columns[i] + 32) >> 6, -COLUMN_LIMIT), COLUMN_LIMIT);
  }
  const pixels = multiply(columns, basis, 3, SIDE);
  for (let i = 0; i < pixels.length; i++) pixels[i] = (pixels[i] + 2048) >> 12;
  return pixels;
}

/** Sums over 16 frequencies, `across` numbers side by side in each, for `count` such arrays. */
function multiply(input: Int32Array, basis: Int32Array, across: number, count: number): Int32Array {
  const output = new Int32Array(count * SIDE * across);
  for (let i = 0; i < input.length; i++) {
    const value = input[i];
    if (value === 0) continue;
    const frequency = Math.floor(i / across) % LOW;
    const start = Math.floor(i / across / LOW) * SIDE * across + (i % across);
    for (let place = 0; place < SIDE; place++) {
      output[start + place * across] += value * basis[frequency * SIDE + place];
    }
  }
  return output;
}
