/** Where a step is taken: a bit for each location, coded by what its neighbours do. */

import { EVEN } from "./range_coder";

/** A probability goes this part of the way, 1 in 2^SHIFT, to what was seen. */
const SHIFT = 5;

/** Probabilities that locations go on, which learn from the masks of one stream. */
export class MaskCoder {
  /** For none, one and both of the neighbours to the left and above going on. */
  private readonly probabilities = [EVEN, EVEN, EVEN];

  /**
   * Codes a mask, location by location, row by row.
   * @param before 1 for locations that took the step before; the others have no bit.
   * @param width of the grid.
   * @param nextBit takes a location and the probability of a 1; returns the bit, or undefined if
   *   there is no more.
   * @returns 1 for locations that go on; undefined if `nextBit` returned that.
   */
  code(
    before: Uint8Array,
    width: number,
    nextBit: (cell: number, probability: number) => number | undefined,
  ): Uint8Array | undefined {
    const mask = new Uint8Array(before.length);
    for (let cell = 0; cell < mask.length; cell++) {
      if (!before[cell]) continue;
      const left = cell % width > 0 ? mask[cell - 1] : 0;
      const above = cell >= width ? mask[cell - width] : 0;
      const context = left + above;
      const probability = this.probabilities[context];
      const bit = nextBit(cell, probability);
      if (bit === undefined) return undefined;
      mask[cell] = bit;
      this.probabilities[context] += bit ? (65536 - probability) >> SHIFT : -(probability >> SHIFT);
    }
    return mask;
  }
}
