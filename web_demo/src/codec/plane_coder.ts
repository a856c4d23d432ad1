/** Planes to bytes and back: a range coder under an entropy model, with checks in between. */

import { crc32 } from "./bytes";
import type { BitModel, Pass } from "./entropy_model";
import { CorruptStreamError } from "./errors";
import { emptyPlane, type Plane, type PlaneShape, packPlane, planeBits } from "./plane";
import { COST_OF_ONE } from "./probabilities";
import { EVEN, RangeDecoder, RangeEncoder } from "./range_coder";

/** The probability of a plane being stored as it is, because the model would make it grow. */
const STORED = 1024;

/** Bytes of the check that follows a plane of so many bits. */
export function checkBytes(bits: number): number {
  return bits <= 2048 ? 1 : 4;
}

/** What encoder and decoder share. */
abstract class PlaneCoder {
  /** Those coded whole. */
  readonly planes: Plane[] = [];
  private crc: number | undefined;

  /**
   * @param shape of the planes.
   * @param model of the bits; undefined takes all for equally probable.
   * @param seed what the checks cover beside the planes; undefined leaves the checks out.
   */
  constructor(
    protected readonly shape: PlaneShape,
    protected readonly model: BitModel | undefined,
    seed: Uint8Array | undefined,
  ) {
    this.crc = seed && crc32(seed);
  }

  protected passes(stored: boolean, plane: Plane): Iterable<Pass> {
    if (this.model && !stored) return this.model.passes(this.planes, plane);
    const { height, width, bits } = this.shape;
    return [
      {
        cells: Int32Array.from({ length: height * width }, (_, cell) => cell),
        first: 0,
        end: bits,
        probabilities: new Uint16Array(height * width * bits).fill(EVEN),
      },
    ];
  }

  /** The bits of the check after a plane, which covers all planes up to it. */
  protected check(plane: Plane): number[] {
    if (this.crc === undefined) return [];
    const crc = crc32(packPlane(plane), this.crc);
    this.crc = crc;
    const count = 8 * checkBytes(planeBits(this.shape));
    return Array.from({ length: count }, (_, i) => (crc >>> (count - 1 - i)) & 1);
  }
}

/** Writes planes. */
export class PlaneEncoder extends PlaneCoder {
  private readonly coder = new RangeEncoder();

  /** Appends a plane of -1 and +1. */
  add(plane: Plane): void {
    let ordered = this.ordered(plane, false);
    if (this.model) {
      let cost = 0;
      for (let i = 0; i < ordered.bits.length; i++) {
        const probability = ordered.probabilities[i];
        cost += COST_OF_ONE[ordered.bits[i] ? probability : 65536 - probability];
      }
      const stored = cost > ordered.bits.length;
      this.coder.encode(stored, STORED);
      if (stored) ordered = this.ordered(plane, true);
    }
    for (let i = 0; i < ordered.bits.length; i++) {
      this.coder.encode(ordered.bits[i], ordered.probabilities[i]);
    }
    this.planes.push(plane);
    for (const bit of this.check(plane)) this.coder.encode(bit, EVEN);
  }

  /** The fewest bytes that hold all planes so far; more can be added. */
  finish(): Uint8Array {
    return this.coder.finish();
  }

  /** The bits in the order of coding, and the probabilities that they are 1. */
  private ordered(plane: Plane, stored: boolean) {
    const known = emptyPlane(this.shape);
    const bits = new Uint8Array(plane.values.length);
    const probabilities = new Uint16Array(plane.values.length);
    let count = 0;
    for (const pass of this.passes(stored, known)) {
      probabilities.set(pass.probabilities, count);
      for (const cell of pass.cells) {
        for (let bit = pass.first; bit < pass.end; bit++) {
          const place = cell * this.shape.bits + bit;
          known.values[place] = plane.values[place];
          bits[count++] = plane.values[place] > 0 ? 1 : 0;
        }
      }
    }
    return { bits, probabilities };
  }
}

/** Reads planes from what `PlaneEncoder.finish` gave, or the first bytes of it. */
export class PlaneDecoder extends PlaneCoder {
  /** For each whole plane, how many bytes it takes to have it whole. */
  readonly ends: number[] = [];
  private readonly coder: RangeDecoder;

  constructor(
    data: Uint8Array,
    shape: PlaneShape,
    model: BitModel | undefined,
    seed: Uint8Array | undefined,
  ) {
    super(shape, model, seed);
    this.coder = new RangeDecoder(data);
  }

  /**
   * Reads a plane. One that is whole counts as read; after one that is not, none can be.
   * @returns the plane, 0 where the data ends too early to tell the bit, and how many are settled.
   * @throws CorruptStreamError if the check after it fails.
   */
  read(): { plane: Plane; settled: number } {
    const plane = emptyPlane(this.shape);
    let settled = 0;
    const stored = this.model ? this.coder.decode(STORED) : 0;
    if (stored === undefined) return { plane, settled };
    for (const pass of this.passes(stored === 1, plane)) {
      let index = 0;
      for (const cell of pass.cells) {
        for (let bit = pass.first; bit < pass.end; bit++) {
          const found = this.coder.decode(pass.probabilities[index++]);
          if (found === undefined) return { plane, settled };
          plane.values[cell * this.shape.bits + bit] = found ? 1 : -1;
          settled++;
        }
      }
    }
    for (const expected of this.check(plane)) {
      const found = this.coder.decode(EVEN);
      if (found === undefined) return { plane, settled };
      if (found !== expected) {
        const step = this.planes.length + 1;
        throw new CorruptStreamError(`the stream is damaged: step ${step} is wrong`);
      }
    }
    this.planes.push(plane);
    this.ends.push(this.coder.used);
    return { plane, settled };
  }
}
