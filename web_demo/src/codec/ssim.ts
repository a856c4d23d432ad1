/** Structural similarity as the paper measures it. */

import type { Pixels } from "./pixels";

/** Side of a block in pixels. */
const BLOCK = 8;
/** Keep the terms of luminance and of structure from dividing by nothing. */
const C1 = (0.01 * 255) ** 2;
const C2 = (0.03 * 255) ** 2;

/**
 * SSIM without smoothing, on blocks from the top left corner that do not overlap, the mean over blocks
 * and channels; those at the right and lower edge are measured as far as they go. At most 1.
 */
export function blockSsim(reference: Pixels, picture: Pixels): number {
  const { width, height } = reference;
  let sum = 0;
  let count = 0;
  for (let top = 0; top < height; top += BLOCK) {
    for (let left = 0; left < width; left += BLOCK) {
      for (let channel = 0; channel < 3; channel++) {
        sum += ssimOfBlock(reference, picture, top, left, channel);
        count++;
      }
    }
  }
  return sum / count;
}

function ssimOfBlock(
  { width, height, data }: Pixels,
  picture: Pixels,
  top: number,
  left: number,
  channel: number,
): number {
  const [bottom, right] = [Math.min(top + BLOCK, height), Math.min(left + BLOCK, width)];
  let [x, y, xx, yy, xy] = [0, 0, 0, 0, 0];
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const at = (row * width + column) * 3 + channel;
      const a = data[at];
      const b = picture.data[at];
      x += a;
      y += b;
      xx += a * a;
      yy += b * b;
      xy += a * b;
    }
  }
  const count = (bottom - top) * (right - left);
  const [meanX, meanY] = [x / count, y / count];
  const luminance = (2 * meanX * meanY + C1) / (meanX ** 2 + meanY ** 2 + C1);
  const spread = xx / count - meanX ** 2 + yy / count - meanY ** 2;
  return (luminance * (2 * (xy / count - meanX * meanY) + C2)) / (spread + C2);
}
