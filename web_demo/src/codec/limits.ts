/** What an image may cost. */

import { TooLargeError } from "./errors";
import { MAX_PIXELS, MAX_WORK } from "./format";
import { padded, type Size } from "./pixels";

/**
 * Memory grows with the pixels of the picture that is shown, and time with those that are coded and
 * with the iterations, whether they take bytes or not. Pixels count after padding to the model's stride.
 */
export interface WorkLimits {
  /** Most padded pixels of the picture that is shown; `MAX_PIXELS` by default. */
  readonly maxPixels?: number | undefined;
  /** Most padded pixels that are coded, times iterations; `MAX_WORK` by default. */
  readonly maxWork?: number | undefined;
}

/** For what is known to be no more than was decoded or encoded already. */
export const NO_LIMITS: WorkLimits = {
  maxPixels: Number.POSITIVE_INFINITY,
  maxWork: Number.POSITIVE_INFINITY,
};

/**
 * Refuses an image that is too large.
 * @param shown size of the picture that is shown, in pixels.
 * @param coded size of the image that is coded, a quarter of it at half the resolution.
 * @param stride to whose multiples the sides are padded.
 * @param iterations that are to be computed.
 * @throws TooLargeError if it costs more than the limits.
 */
export function requireWork(
  shown: Size,
  coded: Size,
  stride: number,
  iterations: number,
  { maxPixels = MAX_PIXELS, maxWork = MAX_WORK }: WorkLimits,
): void {
  const pixels = paddedPixels(shown, stride);
  if (pixels > maxPixels) {
    throw new TooLargeError(
      `the image has ${shown.width}x${shown.height} pixels, with padding ${counted(pixels)}, more ` +
        `than the limit of ${counted(maxPixels)}; raise maxPixels if you trust it`,
    );
  }
  const codedPixels = paddedPixels(coded, stride);
  if (codedPixels * iterations > maxWork) {
    throw new TooLargeError(
      `${coded.width}x${coded.height} pixels are coded, with padding ${counted(codedPixels)}, and ` +
        `${iterations} iterations, more work than the limit of ${counted(maxWork)}; ` +
        "take fewer iterations, or raise maxWork if you trust it",
    );
  }
}

function paddedPixels(size: Size, stride: number): number {
  const { width, height } = padded(size, stride);
  return width * height;
}

function counted(value: number): string {
  return value.toLocaleString("en");
}
