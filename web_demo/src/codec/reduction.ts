/** Reduces images by two before they are encoded, to the same levels as Pillow's Lanczos filter. */

import { DOWNSCALE } from "./format";
import type { Pixels } from "./pixels";

/** Lobes of the filter on either side of its middle. */
const LOBES = 3;
/** How far it reaches, in pixels of the image. */
const REACH = LOBES * DOWNSCALE;
/** Weights are integers; their sum is about 2^PRECISION. */
const PRECISION = 22;
const CHANNELS = 3;

/**
 * An image of half the width and height, rounded up. The last column or row of an odd side is taken
 * twice.
 */
export function reduce({ width, height, data }: Pixels): Pixels {
  const half = { width: Math.ceil(width / DOWNSCALE), height: Math.ceil(height / DOWNSCALE) };
  const narrow = halve(data, { count: height, length: width, each: CHANNELS });
  return {
    ...half,
    data: halve(narrow, { count: 1, length: height, each: half.width * CHANNELS }),
  };
}

/** How levels lie in memory: (count, length, each), where `length` is the axis to be halved. */
interface Layout {
  readonly count: number;
  readonly length: number;
  readonly each: number;
}

function halve(levels: Uint8Array, { count, length, each }: Layout): Uint8Array {
  const half = Math.ceil(length / DOWNSCALE);
  const taps = Array.from({ length: half }, (_, place) => tapsOf(place, half));
  const halved = new Uint8ClampedArray(count * half * each);
  for (let outer = 0, to = 0; outer < count; outer++) {
    const start = outer * length * each;
    for (const { first, weights } of taps) {
      const offsets = weights.map((_, tap) => start + Math.min(first + tap, length - 1) * each);
      for (let inner = 0; inner < each; inner++) {
        let sum = 2 ** (PRECISION - 1);
        for (let tap = 0; tap < weights.length; tap++) {
          sum += weights[tap] * levels[offsets[tap] + inner];
        }
        halved[to++] = sum >> PRECISION;
      }
    }
  }
  return new Uint8Array(halved.buffer);
}

/** The pixels from `first` on that go into a place of a halved axis, and how much of each. */
interface Taps {
  readonly first: number;
  readonly weights: Int32Array;
}

function tapsOf(place: number, half: number): Taps {
  const first = Math.max(DOWNSCALE * place - REACH + 1, 0);
  const end = Math.min(DOWNSCALE * (place + 1) + REACH - 1, DOWNSCALE * half);
  const middle = DOWNSCALE * (place + 0.5);
  const weights = Float64Array.from({ length: end - first }, (_, tap) =>
    lanczos((first + tap + 0.5 - middle) / DOWNSCALE),
  );
  const sum = weights.reduce((total, weight) => total + weight, 0);
  // Halves round away from zero.
  const rounded = Int32Array.from(weights, (weight) => {
    const exact = (weight / sum) * 2 ** PRECISION;
    return Math.trunc(exact + 0.5 * Math.sign(exact));
  });
  return { first, weights: rounded };
}

function lanczos(distance: number): number {
  return sinc(distance) * sinc(distance / LOBES);
}

function sinc(distance: number): number {
  return Math.sin(Math.PI * distance) / (Math.PI * distance);
}
