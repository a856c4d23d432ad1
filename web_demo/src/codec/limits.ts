/** What an image may cost. */

import { TooLargeError } from "./errors";
import { MAX_PIXELS, MAX_WORK } from "./format";
import { padded, type Size } from "./pixels";

/**
 * Time and memory grow with an image's pixels after padding to the model's stride, and time with the
 * iterations, whether they take bytes or not. The pixels are those of the picture that is shown, also
 * where fewer are coded.
 */
export interface WorkLimits {
  /** Most padded pixels; `MAX_PIXELS` by default. */
  readonly maxPixels?: number | undefined;
  /** Most padded pixels times iterations; `MAX_WORK` by default. */
  readonly maxWork?: number | undefined;
}

/** For what is known to be no more than was decoded or encoded already. */
export const NO_LIMITS: WorkLimits = {
  maxPixels: Number.POSITIVE_INFINITY,
  maxWork: Number.POSITIVE_INFINITY,
};

/**
 * Refuses an image that is too large.
 * @param size of the picture that is shown, in pixels.
 * @param stride to whose multiples its sides are padded.
 * @param iterations that are to be computed.
 * @throws TooLargeError if it costs more than the limits.
 */
export function requireWork(
  size: Size,
  stride: number,
  iterations: number,
  { maxPixels = MAX_PIXELS, maxWork = MAX_WORK }: WorkLimits,
): void {
  const { width, height } = padded(size, stride);
  const pixels = width * height;
  const counted = (value: number) => value.toLocaleString("en");
  const what = `the image has ${size.width}x${size.height} pixels, with padding ${counted(pixels)}`;
  if (pixels > maxPixels) {
    throw new TooLargeError(
      `${what}, more than the limit of ${counted(maxPixels)}; raise maxPixels if you trust it`,
    );
  }
  if (pixels * iterations > maxWork) {
    throw new TooLargeError(
      `${what}, and ${iterations} iterations, more work than the limit of ${counted(maxWork)}; ` +
        "take fewer iterations, or raise maxWork if you trust it",
    );
  }
}
