/** What the codec needs of whatever runs a model. */

import type { Size } from "./pixels";
import type { Plane } from "./plane";

/** A recurrent model's memory between steps, as tensors. */
export type States = Float32Array[];

/** The steps of a trained model. Sizes are multiples of the stride. */
export interface StepModels {
  /** Identity of its weights, as streams carry it; 4 bytes. */
  readonly modelId: Uint8Array;
  /** Pixels between two locations of the code. */
  readonly stride: number;
  /** Bits at each location, for each step. */
  readonly bits: number;
  /** Most steps that it can encode. */
  readonly steps: number;
  /**
   * Whether what a location of the code shows depends on its own bits alone; not if left out. In
   * dynamic streams a location that stopped then stays as it was.
   */
  readonly independent?: boolean;

  /**
   * A residual, (height, width, 3), to a plane of -1 and +1.
   * @param states undefined at first, then what the step before returned.
   * @param step counted from zero.
   */
  encodeStep(
    residual: Float32Array,
    size: Size,
    states: States | undefined,
    step: number,
  ): Promise<{ plane: Plane; states: States }>;

  /**
   * A plane to the picture after the step, (height, width, 3).
   * @param before what the step before returned; undefined at first.
   * @param step counted from zero.
   */
  decodeStep(plane: Plane, before: Decoded | undefined, step: number): Promise<Decoded>;
}

/** A picture in floats, and the decoder's memory after it. */
export interface Decoded {
  readonly reconstruction: Float32Array;
  readonly states: States;
}
