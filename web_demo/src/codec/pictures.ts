/** Planes to pictures, step by step. */

import type { Header, Planes } from "./container";
import { type Pixels, padded, toPixels } from "./pixels";
import { type Plane, taken } from "./plane";
import type { Decoded, StepModels } from "./step_models";

/**
 * Decodes a plane. In dynamic streams a location without bits in it stays as it was, if the model's
 * locations are independent.
 * @param before what the step before gave; undefined at first.
 */
async function decodeStep(
  models: StepModels,
  header: Header,
  plane: Plane,
  before: Decoded | undefined,
  step: number,
): Promise<Decoded> {
  const decoded = await models.decodeStep(plane, before, step);
  if (!header.dynamic || !models.independent || !before) return decoded;
  const { stride } = models;
  const row = 3 * stride * plane.width;
  const goesOn = taken(plane);
  for (let cell = 0; cell < goesOn.length; cell++) {
    if (goesOn[cell]) continue;
    const corner = stride * (Math.floor(cell / plane.width) * row + 3 * (cell % plane.width));
    for (let from = corner; from < corner + stride * row; from += row) {
      const kept = before.reconstruction.subarray(from, from + 3 * stride);
      decoded.reconstruction.set(kept, from);
    }
  }
  return decoded;
}

/** Yields the picture after each plane. */
export async function* decodeSteps(
  models: StepModels,
  { header, planes }: Planes,
): AsyncGenerator<Pixels> {
  const size = padded(header, models.stride);
  let decoded: Decoded | undefined;
  for (const [step, plane] of planes.entries()) {
    decoded = await decodeStep(models, header, plane, decoded, step);
    yield toPixels(decoded.reconstruction, size, header);
  }
}

/**
 * Decodes one image again and again, cut at different places, and remembers the decoder's states
 * after whole steps: a picture then takes as little as a step.
 */
export class PictureCache {
  private readonly kept = new Map<number, Decoded>(); // by the number of whole steps

  /**
   * @param models that decode.
   * @param budget bytes of states that are remembered; those of the last two steps always are.
   */
  constructor(
    private readonly models: StepModels,
    private readonly budget: number,
  ) {}

  /** The picture after the last of the planes, which must be those of the one image. */
  async picture({ header, planes, wholeSteps }: Planes): Promise<Pixels> {
    let done = Math.min(wholeSteps, planes.length);
    while (done > 0 && !this.kept.has(done)) done--;
    let decoded = this.kept.get(done);
    for (let step = done; step < planes.length; step++) {
      decoded = await decodeStep(this.models, header, planes[step], decoded, step);
      if (step < wholeSteps) this.remember(step + 1, decoded);
    }
    if (!decoded) throw new RangeError("there are no planes");
    return toPixels(decoded.reconstruction, padded(header, this.models.stride), header);
  }

  /** Decodes the plane of the next step, all those before it being whole. */
  async next(plane: Plane, step: number): Promise<Decoded> {
    const decoded = await this.models.decodeStep(plane, this.kept.get(step), step);
    this.remember(step + 1, decoded);
    return decoded;
  }

  private remember(steps: number, decoded: Decoded): void {
    this.kept.set(steps, decoded);
    let bytes = 0;
    for (const each of this.kept.values()) {
      bytes += [each.reconstruction, ...each.states].reduce(
        (sum, part) => sum + part.byteLength,
        0,
      );
    }
    const each = bytes / this.kept.size;
    // The fewer steps, the sooner they are decoded again.
    for (const old of [...this.kept.keys()].sort((a, b) => a - b)) {
      if (bytes <= this.budget) return;
      if (old === steps || old === steps - 1) continue;
      this.kept.delete(old);
      bytes -= each;
    }
  }
}
