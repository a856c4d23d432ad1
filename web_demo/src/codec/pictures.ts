/** Planes to pictures, iteration by iteration. */

import { enlarge } from "./enlargement";
import { codedSize, type Header } from "./header";
import { type Pixels, padded, toPixels } from "./pixels";
import { codedLocations, type Plane } from "./plane";
import type { Decoded, Runtime } from "./runtime";
import type { Planes } from "./stream_reader";

/**
 * Decodes a plane. In adaptive streams a location without bits in it stays as it was, if the model's
 * locations are independent.
 * @param before what the iteration before gave; undefined at first.
 */
async function decodeIteration(
  runtime: Runtime,
  header: Header,
  plane: Plane,
  before: Decoded | undefined,
  iteration: number,
): Promise<Decoded> {
  const decoded = await runtime.decodeIteration(plane, before, iteration);
  if (!header.adaptive || !runtime.independent || !before) return decoded;
  const { stride } = runtime;
  const row = 3 * stride * plane.width;
  const goesOn = codedLocations(plane);
  for (let location = 0; location < goesOn.length; location++) {
    if (goesOn[location]) continue;
    const corner =
      stride * (Math.floor(location / plane.width) * row + 3 * (location % plane.width));
    for (let from = corner; from < corner + stride * row; from += row) {
      const kept = before.reconstruction.subarray(from, from + 3 * stride);
      decoded.reconstruction.set(kept, from);
    }
  }
  return decoded;
}

/**
 * The picture that is shown: without the padding, and enlarged where the image was reduced.
 * @param reconstruction of all planes' locations, (height, width, 3).
 */
export function toPicture(reconstruction: Float32Array, header: Header, stride: number): Pixels {
  const coded = codedSize(header);
  const picture = toPixels(reconstruction, padded(coded, stride), coded);
  return header.downscale === 1 ? picture : enlarge(picture, header);
}

/** Yields the picture after each plane. */
export async function* decodeIterations(
  runtime: Runtime,
  { header, planes }: Planes,
): AsyncGenerator<Pixels> {
  let decoded: Decoded | undefined;
  for (const [iteration, plane] of planes.entries()) {
    decoded = await decodeIteration(runtime, header, plane, decoded, iteration);
    yield toPicture(decoded.reconstruction, header, runtime.stride);
  }
}

/**
 * Decodes one image again and again, cut at different places, and remembers the decoder's states
 * after whole iterations: a picture then takes as little as an iteration.
 */
export class PictureCache {
  private readonly kept = new Map<number, Decoded>(); // by the number of whole iterations

  /**
   * @param runtime that decode.
   * @param budget bytes of states that are remembered; those of the last two iterations always are.
   */
  constructor(
    private readonly runtime: Runtime,
    private readonly budget: number,
  ) {}

  /** The picture after the last of the planes, which must be those of the one image. */
  async picture({ header, planes, wholeIterations }: Planes): Promise<Pixels> {
    let done = Math.min(wholeIterations, planes.length);
    while (done > 0 && !this.kept.has(done)) done--;
    let decoded = this.kept.get(done);
    for (let iteration = done; iteration < planes.length; iteration++) {
      decoded = await decodeIteration(this.runtime, header, planes[iteration], decoded, iteration);
      if (iteration < wholeIterations) this.remember(iteration + 1, decoded);
    }
    if (!decoded) throw new RangeError("there are no planes");
    return toPicture(decoded.reconstruction, header, this.runtime.stride);
  }

  /** Decodes the plane of the next iteration, all those before it being whole. */
  async next(plane: Plane, iteration: number): Promise<Decoded> {
    const decoded = await this.runtime.decodeIteration(plane, this.kept.get(iteration), iteration);
    this.remember(iteration + 1, decoded);
    return decoded;
  }

  private remember(iterations: number, decoded: Decoded): void {
    this.kept.set(iterations, decoded);
    let bytes = 0;
    for (const each of this.kept.values()) {
      bytes += [each.reconstruction, ...each.states].reduce(
        (sum, part) => sum + part.byteLength,
        0,
      );
    }
    const each = bytes / this.kept.size;
    // The fewer iterations, the sooner they are decoded again.
    for (const old of [...this.kept.keys()].sort((a, b) => a - b)) {
      if (bytes <= this.budget) return;
      if (old === iterations || old === iterations - 1) continue;
      this.kept.delete(old);
      bytes -= each;
    }
  }
}
