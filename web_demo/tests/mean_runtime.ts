/** An iteration model whose answers are simple, and the entropy model of tests/golden for its bits. */

import {
  type Decoded,
  EntropyModel,
  fromHex,
  type Plane,
  type Runtime,
  type Size,
} from "../src/codec";
import { emptyPlane } from "../src/codec/plane";
import { readJson } from "./repository";

const GOLDEN = readJson<{ stride: number; bits: number; entropy_model: string }>(
  "tests/golden/v2_container.json",
);
export const ENTROPY_MODEL = new EntropyModel(fromHex(GOLDEN.entropy_model));

/** Codes the mean of each channel over a square, each iteration at half the amplitude. */
export class MeanRuntime implements Runtime {
  readonly modelId = ENTROPY_MODEL.modelId;
  readonly stride = GOLDEN.stride;
  readonly bits = GOLDEN.bits;
  decoded = 0;

  constructor(readonly iterations = ENTROPY_MODEL.iterations) {}

  async encodeIteration(residual: Float32Array, { height, width }: Size) {
    const { stride, bits } = this;
    const plane = emptyPlane({ height: height / stride, width: width / stride, bits });
    const sums = new Float64Array(plane.values.length);
    for (let i = 0; i < residual.length; i++) {
      sums[this.place(i, width, plane)] += residual[i];
    }
    sums.forEach((sum, i) => {
      plane.values[i] = sum >= 0 ? 1 : -1;
    });
    return { plane, states: [] };
  }

  async decodeIteration(
    plane: Plane,
    before: Decoded | undefined,
    iteration: number,
  ): Promise<Decoded> {
    this.decoded++;
    const width = plane.width * this.stride;
    const reconstruction = new Float32Array(plane.height * this.stride * width * 3);
    for (let i = 0; i < reconstruction.length; i++) {
      const bit = plane.values[this.place(i, width, plane)];
      reconstruction[i] = (before?.reconstruction[i] ?? 0) + bit * 0.45 * 0.5 ** iteration;
    }
    return { reconstruction, states: [] };
  }

  private place(i: number, width: number, plane: Plane): number {
    const row = Math.floor(i / 3 / width / this.stride);
    const column = Math.floor((Math.floor(i / 3) % width) / this.stride);
    return (row * plane.width + column) * 3 + (i % 3);
  }
}
