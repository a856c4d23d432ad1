/** Cuts a long axis into overlapping windows, so that a large image runs in pieces. */

/** A stretch of an axis, in pixels. */
export interface Window {
  /** What is computed. */
  readonly start: number;
  readonly stop: number;
  /** What is kept of it; the kept stretches of all windows make up the axis. */
  readonly first: number;
  readonly last: number;
}

/**
 * Windows that give the same as the whole axis at once.
 * @param length of the axis in pixels.
 * @param window length of each, at most `length`; more than two margins unless it is all of it.
 * @param margin how far beside a cut results are wrong.
 */
export function cut(length: number, window: number, margin: number): Window[] {
  const windows: Window[] = [];
  let first = 0;
  while (first < length) {
    const start = Math.max(Math.min(first - margin, length - window), 0);
    const stop = start + window;
    const last = stop === length ? length : stop - margin;
    windows.push({ start, stop, first, last });
    first = last;
  }
  return windows;
}

/**
 * A length of windows that divides an axis with little overlap.
 * @param length of the axis in pixels, a multiple of the stride.
 * @param most of a window; one stride more where it is no multiple of it.
 * @param margin see `cut`; a multiple of the stride.
 */
export function even(length: number, most: number, margin: number, stride: number): number {
  if (length <= most) return length;
  const windows = Math.ceil((length - 2 * margin) / (most - 2 * margin));
  const kept = Math.ceil((length - 2 * margin) / windows);
  return 2 * margin + Math.ceil(kept / stride) * stride;
}
