/** What the codec needs of whatever runs a model. */

import type { Size } from "./pixels";
import type { Plane } from "./plane";

/** A recurrent model's memory between iterations, as tensors. */
export type States = Float32Array[];

/** The iterations of a trained model. Sizes are multiples of the stride. */
export interface Runtime {
  /** Identity of its weights, as streams carry it; 4 bytes. */
  readonly modelId: Uint8Array;
  /** Pixels between two locations of the latent bits. */
  readonly stride: number;
  /** Bits at each location, for each iteration. */
  readonly bits: number;
  /** Most iterations that it can encode. */
  readonly iterations: number;
  /**
   * Whether what a location of the latent bits shows depends on its own bits alone; not if left out. In
   * adaptive streams a location that stopped then stays as it was.
   */
  readonly independent?: boolean;

  /**
   * A residual, (height, width, 3), to a plane of -1 and +1.
   * @param states undefined at first, then what the iteration before returned.
   * @param iteration counted from zero.
   */
  encodeIteration(
    residual: Float32Array,
    size: Size,
    states: States | undefined,
    iteration: number,
  ): Promise<{ plane: Plane; states: States }>;

  /**
   * A plane to the picture after the iteration, (height, width, 3).
   * @param before what the iteration before returned; undefined at first.
   * @param iteration counted from zero.
   */
  decodeIteration(plane: Plane, before: Decoded | undefined, iteration: number): Promise<Decoded>;
}

/** A picture in floats, and the decoder's memory after it. */
export interface Decoded {
  readonly reconstruction: Float32Array;
  readonly states: States;
}
