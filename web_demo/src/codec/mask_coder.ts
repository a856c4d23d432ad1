/** Where an iteration is taken: a bit for each location, coded by what its neighbours do. */

import { CERTAIN, EVEN, MASK_CONTEXTS, MASK_SHIFT } from "./format";

/** Probabilities that locations go on, which learn from the masks of one stream. */
export class MaskCoder {
  /** For none, one and both of the neighbours to the left and above going on. */
  private readonly probabilities: number[] = Array(MASK_CONTEXTS).fill(EVEN);

  /**
   * Codes a mask, location by location, row by row.
   * @param before 1 for locations that took the iteration before; the others have no bit.
   * @param width of the grid.
   * @param nextBit takes a location and the probability of a 1; returns the bit, or undefined if
   *   there is no more.
   * @returns 1 for locations that go on; undefined if `nextBit` returned that.
   */
  code(
    before: Uint8Array,
    width: number,
    nextBit: (location: number, probability: number) => number | undefined,
  ): Uint8Array | undefined {
    const mask = new Uint8Array(before.length);
    for (let location = 0; location < mask.length; location++) {
      if (!before[location]) continue;
      const left = location % width > 0 ? mask[location - 1] : 0;
      const above = location >= width ? mask[location - width] : 0;
      const context = left + above;
      const probability = this.probabilities[context];
      const bit = nextBit(location, probability);
      if (bit === undefined) return undefined;
      mask[location] = bit;
      this.probabilities[context] += bit
        ? (CERTAIN - probability) >> MASK_SHIFT
        : -(probability >> MASK_SHIFT);
    }
    return mask;
  }
}
