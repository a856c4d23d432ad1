/**
 * The decoder in whole numbers; docs/PREVIEW.md describes it.
 *
 * A feature map is an array (row, column, channel) of 10x10 places: the 8x8 of the network, and
 * around them the nearest edge again, so that no loop asks where it is.
 */

import { readCoefficients } from "./coefficients.js";
import type { Layer, PreviewWeights } from "./read_weights.js";
import { HEADER_BYTES, type PreviewData, SIDE, writeRgb } from "./text.js";
import { inverseDct } from "./transform.js";

const GRID = 8;
const PADDED = GRID + 2;
const BLOCK = SIDE / GRID;
const BLOCK_CHANNELS = 3 * BLOCK * BLOCK;
const SIZE = 3; // Rows and columns of a kernel.
const ACTIVATION_LIMIT = 1023;
const TOGETHER = 8; // Outputs that are summed at once.

/** The 32x32 pixels, red, green, blue and opaque alpha. */
export function decodePixels(data: PreviewData, weights: PreviewWeights) {
  const rgba = beforeNetwork(data, weights);
  if (data.payload.length === 0) return rgba;
  let x = convolve(networkInput(rgba, data), weights.first, 0);
  x = convolve(x, weights.second, 0);
  x = convolve(x, weights.output);
  eachPixel(BLOCK_CHANNELS, (pixel, channel) => {
    // The array itself limits to 0 and 255.
    for (let i = 0; i < 3; i++) rgba[pixel + i] += x[channel + i];
  });
  return rgba;
}

/** What the coefficients alone give. */
function beforeNetwork(data: PreviewData, weights: PreviewWeights): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(4 * SIDE * SIDE).fill(255);
  const changes = inverseDct(readCoefficients(data, weights), weights.basis);
  const [luma, blue, red] = data.average;
  for (let i = 0, at = 0; i < rgba.length; i += 4, at += 3) {
    writeRgb(rgba, i, luma + changes[at], blue + changes[at + 1], red + changes[at + 2]);
  }
  return rgba;
}

/** The picture as blocks of pixels, and what the network is told of the preview. */
function networkInput(rgba: Uint8ClampedArray, { step, payload }: PreviewData): Int32Array {
  const channels = BLOCK_CHANNELS + 2;
  const map = new Int32Array(PADDED * PADDED * channels);
  eachPixel(channels, (pixel, channel) => {
    for (let i = 0; i < 3; i++) map[channel + i] = 4 * (rgba[pixel + i] - 128);
  });
  for (let at = BLOCK_CHANNELS; at < map.length; at += channels) {
    map[at] = 64 * step - 224;
    map[at + 1] = 8 * (HEADER_BYTES + payload.length) - 256;
  }
  repeatEdges(map, channels);
  return map;
}

/** Calls with the index of each pixel in an array of 4 numbers each, and of its red in a map. */
function eachPixel(channels: number, call: (pixel: number, channel: number) => void): void {
  for (let y = 0, pixel = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++, pixel += 4) {
      const place = ((y >> 2) + 1) * PADDED + (x >> 2) + 1;
      call(pixel, place * channels + 3 * ((y & 3) * BLOCK + (x & 3)));
    }
  }
}

/** A convolution and the activations behind it, which are `least` at least. */
function convolve(input: Int32Array, layer: Layer, least = -ACTIVATION_LIMIT): Int32Array {
  const inputs = input.length / (PADDED * PADDED);
  const outputs = layer.bias.length;
  const map = new Int32Array(PADDED * PADDED * outputs);
  const sums = new Int32Array(TOGETHER);
  for (let place = 0; place < GRID * GRID; place++) {
    const centre = ((place >> 3) + 1) * PADDED + (place & 7) + 1;
    const corner = (centre - PADDED - 1) * inputs;
    for (let output = 0; output < outputs; output += TOGETHER) {
      sumEight(layer, output, input, corner, sums);
      for (let i = 0; i < TOGETHER; i++) {
        map[centre * outputs + output + i] = limit(sums[i] >> layer.shift, least);
      }
    }
  }
  repeatEdges(map, outputs);
  return map;
}

/**
 * The sums of eight outputs at one place: each value is read once for all of them. It is a function
 * of its own because engines compile what is called often sooner than a long loop.
 */
function sumEight(
  { bias, kernel }: Layer,
  output: number,
  input: Int32Array,
  corner: number,
  sums: Int32Array,
): void {
  const outputs = bias.length;
  const row = input.length / PADDED;
  // The neighbours in a row lie side by side: each row of a kernel is one sum of products.
  const run = (SIZE * row) / PADDED;
  let a = bias[output];
  let b = bias[output + 1];
  let c = bias[output + 2];
  let d = bias[output + 3];
  let e = bias[output + 4];
  let f = bias[output + 5];
  let g = bias[output + 6];
  let h = bias[output + 7];
  let weight = output;
  for (let i = 0; i < SIZE; i++) {
    const end = corner + i * row + run;
    for (let at = end - run; at < end; at++, weight += outputs) {
      const value = input[at];
      // Many are 0; and 0 times less than 0 is -0, with which engines count slowly.
      if (value === 0) continue;
      a = (a + value * kernel[weight]) | 0;
      b = (b + value * kernel[weight + 1]) | 0;
      c = (c + value * kernel[weight + 2]) | 0;
      d = (d + value * kernel[weight + 3]) | 0;
      e = (e + value * kernel[weight + 4]) | 0;
      f = (f + value * kernel[weight + 5]) | 0;
      g = (g + value * kernel[weight + 6]) | 0;
      h = (h + value * kernel[weight + 7]) | 0;
    }
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
  sums[4] = e;
  sums[5] = f;
  sums[6] = g;
  sums[7] = h;
}

function limit(value: number, least: number): number {
  if (value < least) return least;
  if (value > ACTIVATION_LIMIT) return ACTIVATION_LIMIT;
  return value;
}

function repeatEdges(map: Int32Array, channels: number): void {
  const row = PADDED * channels;
  for (let start = row; start < map.length - row; start += row) {
    map.copyWithin(start, start + channels, start + 2 * channels);
    map.copyWithin(start + row - channels, start + row - 2 * channels, start + row - channels);
  }
  map.copyWithin(0, row, 2 * row);
  map.copyWithin(map.length - row, map.length - 2 * row, map.length - row);
}
