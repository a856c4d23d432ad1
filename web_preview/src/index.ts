/** Decodes tfrnnc previews: pictures in 8 to 64 bytes that a page shows at once. */

import { decodePixels } from "./decoder.js";
import { toPng } from "./png.js";
import type { PreviewWeights } from "./read_weights.js";
import { readText, SIDE, writeRgb } from "./text.js";

export * from "./errors.js";
export { type PreviewWeights, readWeights } from "./read_weights.js";

/** A picture; `new ImageData(rgba, width, height)` takes it. */
export interface Preview {
  readonly width: 32;
  readonly height: 32;
  /** The whole picture, stretched to a square: row by row, four bytes a pixel. */
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
  /** Width by height of the shape to show it in. */
  readonly aspectRatio: number;
}

/**
 * The picture of a preview, the same pixels as Python's.
 *
 * @param text from `tfrnnc-preview`, whole or cut.
 * @throws StreamError if it is no preview.
 */
export function decodePreview(text: string, weights: PreviewWeights): Preview {
  const data = readText(text);
  const rgba = decodePixels(data, weights);
  return { width: SIDE, height: SIDE, rgba, aspectRatio: data.width / data.height };
}

/**
 * The average colour of a preview, red, green and blue from 0 to 255. Takes the first 4 characters
 * only, and no weights. As CSS: `rgb(${previewColor(text)})`.
 *
 * @throws StreamError if it is no preview.
 */
export function previewColor(text: string): [red: number, green: number, blue: number] {
  const rgb = new Uint8ClampedArray(3);
  writeRgb(rgb, 0, ...readText(text).average);
  return [rgb[0], rgb[1], rgb[2]];
}

/**
 * The picture of a preview as the URL of a PNG file in the picture's shape, 32 pixels on the longer
 * side, for `src` and `background-image`.
 *
 * @throws StreamError if it is no preview.
 */
export function previewDataURL(text: string, weights: PreviewWeights): string {
  const data = readText(text);
  const { width, height } = data;
  const png = toPng(width, height, shrink(decodePixels(data, weights), width, height));
  return `data:image/png;base64,${btoa(String.fromCharCode(...png))}`;
}

/** The square reduced to a shape: each pixel is the average of what it covers. */
function shrink(rgba: Uint8ClampedArray, width: number, height: number): Uint8ClampedArray {
  if (width === height) return rgba;
  const shrunk = new Uint8ClampedArray(4 * width * height);
  const isTall = width < height;
  // Along the shorter side; the other one has all of its 32 pixels.
  const count = isTall ? width : height;
  const [step, across] = isTall ? [4, 4 * width] : [4 * width, 4];
  const [sourceStep, sourceAcross] = isTall ? [4, 4 * SIDE] : [4 * SIDE, 4];
  const covered = SIDE / count;
  for (let i = 0; i < count; i++) {
    const [start, end] = [i * covered, Math.min((i + 1) * covered, SIDE)];
    for (let j = 0; j < 4 * SIDE; j++) {
      const offset = (j >> 2) * sourceAcross + (j & 3);
      let sum = 0;
      for (let k = Math.floor(start); k < end; k++) {
        const share = Math.min(k + 1, end) - Math.max(k, start);
        sum += share * rgba[offset + k * sourceStep];
      }
      shrunk[i * step + (j >> 2) * across + (j & 3)] = sum / covered;
    }
  }
  return shrunk;
}
