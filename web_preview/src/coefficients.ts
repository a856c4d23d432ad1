/** The coefficients of a preview's payload; docs/PREVIEW.md describes them. */

import { RangeDecoder } from "./range_decoder.js";
import type { PreviewWeights } from "./read_weights.js";
import type { PreviewData } from "./text.js";

/** Rows and columns of frequencies. */
export const LOW = 16;
const LEVEL_LIMIT = 40;
const VALUE_LIMIT = 4095;
const LAST_BASE = 21;
const CONTEXTS = 15;
const EVEN = 32768; // The probability of a sign.
/**
 * Frequencies lie in a map with two rows and columns around them that are 0, as those are that have
 * not been read: the columns to the right are those to the left of the row below.
 */
const COLUMN = 3;
const ROW = COLUMN * (LOW + 2);
/** Where the neighbours are in such a map; the first two weigh 2. */
const NEIGHBOURS = [
  -ROW,
  -COLUMN,
  -ROW - COLUMN,
  -2 * ROW,
  -2 * COLUMN,
  ROW - COLUMN,
  COLUMN - ROW,
] as const;

/** The dequantised coefficients that the bytes settle, the others 0: (row, column, channel). */
export function readCoefficients(data: PreviewData, weights: PreviewWeights): Int32Array {
  const { place, scale, stepSize, expected, probability, reconstruction } = weights;
  const values = new Int32Array(3 * LOW * LOW);
  const decoder = new RangeDecoder(data.payload);
  const contexts = new Contexts();
  for (let k = 0; k < place.length; k++) {
    const channel = place[k] % 3;
    const base = Math.min(Math.max(scale[k] - data.step, 0), LAST_BASE);
    const kind = 2 * base + Math.min(channel, 1);
    const context = CONTEXTS * kind + contexts.of(place[k]);
    const level = readLevel(decoder, probability, 3 * context);
    if (level === undefined) break;
    const magnitude = Math.abs(level);
    contexts.add(place[k], magnitude, expected[base]);
    if (magnitude === 0) continue;
    const above = magnitude > 1 ? 1 : 0;
    const parts = 128 * (magnitude - 1) + reconstruction[2 * kind + above];
    const value = (stepSize[3 * data.step + channel] * parts + 64) >> 7;
    values[place[k]] = Math.sign(level) * Math.min(value, VALUE_LIMIT);
  }
  return values;
}

/** A quantised coefficient of the probabilities from `at` on; undefined if it is not settled. */
function readLevel(decoder: RangeDecoder, probability: Int32Array, at: number): number | undefined {
  const isZero = decoder.decode(probability[at]);
  if (isZero !== false) return isZero && 0;
  const isNegative = decoder.decode(EVEN);
  if (isNegative === undefined) return undefined;
  let isLast = decoder.decode(probability[at + 1]);
  let magnitude = 1;
  while (isLast === false) {
    magnitude++;
    isLast = magnitude === LEVEL_LIMIT || decoder.decode(probability[at + 2]);
  }
  return isLast && (isNegative ? -magnitude : magnitude);
}

/** Sums of magnitudes, and of what was expected of them, near a coefficient and of all before it. */
class Contexts {
  private readonly magnitudes = new Int32Array(ROW * (LOW + 4));
  private readonly expected = new Int32Array(ROW * (LOW + 4));
  private sum = 128;
  private expectedSum = 128;

  /** The context of the coefficient at a place, from 0 to 14. */
  of(place: number): number {
    const { magnitudes, expected } = this;
    const at = padded(place);
    let near = 10;
    let due = 10;
    for (let i = 0; i < NEIGHBOURS.length; i++) {
      const other = at + NEIGHBOURS[i];
      const weight = i < 2 ? 2 : 1;
      near += weight * magnitudes[other];
      due += weight * expected[other];
    }
    for (let other = at - (place % 3); other < at; other++) {
      near += 2 * magnitudes[other];
      due += 2 * expected[other];
    }
    const local =
      Number(4 * near >= due) +
      Number(10 * near >= 7 * due) +
      Number(5 * near >= 7 * due) +
      Number(2 * near >= 5 * due);
    const global =
      Number(4 * this.sum >= 3 * this.expectedSum) + Number(4 * this.sum >= 5 * this.expectedSum);
    return 3 * local + global;
  }

  /** Says what the coefficient at a place is. */
  add(place: number, magnitude: number, expected: number): void {
    const limited = 64 * Math.min(magnitude, 4);
    this.magnitudes[padded(place)] = limited;
    this.expected[padded(place)] = expected;
    this.sum += limited;
    this.expectedSum += expected;
  }
}

function padded(place: number): number {
  return place + 2 * ROW + 2 * COLUMN + 2 * COLUMN * Math.floor(place / (COLUMN * LOW));
}
