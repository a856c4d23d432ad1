/** Pixels, and their way to the models' range and back. */

import { ImageError } from "./errors";
import { PIXEL_SCALE } from "./format";

/** An image: RGB, row by row, 8 bits each, without alpha. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** (height, width, 3). */
  readonly data: Uint8Array;
}

/** Height and width in pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

const OFFSET = Math.fround(PIXEL_SCALE);
const TO_LEVELS = Math.fround(255 / (2 * PIXEL_SCALE));
const FLOATS = Float32Array.from({ length: 256 }, (_, level) =>
  Math.fround(Math.fround(level * Math.fround((2 * PIXEL_SCALE) / 255)) - OFFSET),
);

/** RGB of a canvas's RGBA. @throws ImageError if a pixel is not opaque. */
export function fromRgba({
  width,
  height,
  data,
}: Pick<ImageData, "width" | "height" | "data">): Pixels {
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    if (data[from + 3] !== 255) {
      throw new ImageError("the image is transparent in places; draw it on a background first");
    }
    rgb[to] = data[from];
    rgb[to + 1] = data[from + 1];
    rgb[to + 2] = data[from + 2];
  }
  return { width, height, data: rgb };
}

/** RGBA for a canvas's `ImageData`. */
export function toRgba({ width, height, data }: Pixels): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    rgba[to] = data[from];
    rgba[to + 1] = data[from + 1];
    rgba[to + 2] = data[from + 2];
  }
  return rgba;
}

/** Sides that are multiples of the stride. */
export function padded({ width, height }: Size, stride: number): Size {
  return {
    height: Math.ceil(height / stride) * stride,
    width: Math.ceil(width / stride) * stride,
  };
}

/**
 * Floats in [-0.9, 0.9], (height, width, 3) of `size`: the last row and column are repeated, as
 * Python's codec does.
 */
export function toFloats(pixels: Pixels, size: Size): Float32Array {
  const floats = new Float32Array(size.height * size.width * 3);
  let to = 0;
  for (let y = 0; y < size.height; y++) {
    const row = Math.min(y, pixels.height - 1) * pixels.width;
    for (let x = 0; x < size.width; x++) {
      const from = (row + Math.min(x, pixels.width - 1)) * 3;
      for (let channel = 0; channel < 3; channel++) {
        floats[to++] = FLOATS[pixels.data[from + channel]];
      }
    }
  }
  return floats;
}

/** Back to pixels: the nearest levels, clipped to 0 to 255; `image` cuts the padding off. */
export function toPixels(floats: Float32Array, size: Size, image: Size): Pixels {
  const { width, height } = image;
  const data = new Uint8Array(width * height * 3);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const from = y * size.width * 3;
    for (let i = 0; i < width * 3; i++) {
      const level = Math.fround(Math.fround(floats[from + i] + OFFSET) * TO_LEVELS);
      data[to++] = Math.min(Math.max(roundHalfToEven(level), 0), 255);
    }
  }
  return { width, height, data };
}

/** Sum of the squared differences of two pictures of one size. */
export function squaredError(a: Pixels, b: Pixels): number {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += (a.data[i] - b.data[i]) ** 2;
  return sum;
}

/** Peak signal-to-noise ratio in decibels; infinite for equal pictures. */
export function psnr(a: Pixels, b: Pixels): number {
  return 10 * Math.log10((255 ** 2 * a.data.length) / squaredError(a, b));
}

function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const above = value - below;
  return above < 0.5 || (above === 0.5 && below % 2 === 0) ? below : below + 1;
}
