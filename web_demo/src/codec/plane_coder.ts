/** Planes to bytes and back: a range coder under an entropy model, with checks in between. */

import { crc32 } from "./bytes";
import type { BitModel, Pass } from "./entropy_model";
import { CorruptStreamError } from "./errors";
import { MaskCoder } from "./mask_coder";
import { emptyPlane, type Plane, type PlaneShape, packPlane, planeBits, taken } from "./plane";
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
  private readonly masks: MaskCoder | undefined;

  /**
   * @param shape of the planes.
   * @param model of the bits; undefined takes all for equally probable.
   * @param seed what the checks cover beside the planes; undefined leaves the checks out.
   * @param dynamic whether locations may stop before the others; a mask before each plane but the
   *   first then tells which go on.
   */
  constructor(
    protected readonly shape: PlaneShape,
    protected readonly model: BitModel | undefined,
    seed: Uint8Array | undefined,
    dynamic: boolean,
  ) {
    this.crc = seed && crc32(seed);
    this.masks = dynamic ? new MaskCoder() : undefined;
  }

  /** Whether a mask comes before the next plane. */
  protected get hasMask(): boolean {
    return this.masks !== undefined && this.planes.length > 0;
  }

  /** Codes the next mask; undefined if `nextBit` returned that. */
  protected mask(
    nextBit: (cell: number, probability: number) => number | undefined,
  ): Uint8Array | undefined {
    const before = taken(this.planes[this.planes.length - 1]);
    return this.masks?.code(before, this.shape.width, nextBit);
  }

  protected passes(stored: boolean, plane: Plane, mask: Uint8Array | undefined): Iterable<Pass> {
    if (this.model && !stored) return this.model.passes(this.planes, plane, mask);
    const { height, width, bits } = this.shape;
    const all = Int32Array.from({ length: height * width }, (_, cell) => cell);
    const cells = mask ? all.filter((cell) => mask[cell]) : all;
    const probabilities = new Uint16Array(cells.length * bits).fill(EVEN);
    return [{ cells, first: 0, end: bits, probabilities }];
  }

  /** The bits of the check after a plane, which covers all planes and masks up to it. */
  protected check(plane: Plane, mask: Uint8Array | undefined): number[] {
    if (this.crc === undefined) return [];
    if (mask) {
      const { height, width } = this.shape;
      const packed = packPlane({ height, width, bits: 1, values: Int8Array.from(mask) });
      this.crc = crc32(packed, this.crc);
    }
    const crc = crc32(packPlane(plane), this.crc);
    this.crc = crc;
    const count = 8 * checkBytes(planeBits(this.shape));
    return Array.from({ length: count }, (_, i) => (crc >>> (count - 1 - i)) & 1);
  }
}

/** Writes planes. */
export class PlaneEncoder extends PlaneCoder {
  private readonly coder = new RangeEncoder();

  /**
   * Appends a plane of -1 and +1, and, if dynamic, 0 for all bits of the locations that stopped. A
   * plane of zeros ends the code, and does not count.
   */
  add(plane: Plane): void {
    let mask: Uint8Array | undefined;
    if (this.hasMask) {
      const goesOn = taken(plane);
      mask = this.mask((cell, probability) => {
        this.coder.encode(goesOn[cell], probability);
        return goesOn[cell];
      });
      if (!mask?.includes(1)) return;
    }
    let ordered = this.ordered(plane, false, mask);
    if (this.model) {
      let cost = 0;
      for (let i = 0; i < ordered.bits.length; i++) {
        const probability = ordered.probabilities[i];
        cost += COST_OF_ONE[ordered.bits[i] ? probability : 65536 - probability];
      }
      const stored = cost > ordered.bits.length;
      this.coder.encode(stored, STORED);
      if (stored) ordered = this.ordered(plane, true, mask);
    }
    for (let i = 0; i < ordered.bits.length; i++) {
      this.coder.encode(ordered.bits[i], ordered.probabilities[i]);
    }
    this.planes.push(plane);
    for (const bit of this.check(plane, mask)) this.coder.encode(bit, EVEN);
  }

  /** The fewest bytes that hold all planes so far; more can be added. */
  finish(): Uint8Array {
    return this.coder.finish();
  }

  /** The bits in the order of coding, and the probabilities that they are 1. */
  private ordered(plane: Plane, stored: boolean, mask: Uint8Array | undefined) {
    const known = emptyPlane(this.shape);
    const bits = new Uint8Array(plane.values.length);
    const probabilities = new Uint16Array(plane.values.length);
    let count = 0;
    for (const pass of this.passes(stored, known, mask)) {
      probabilities.set(pass.probabilities, count);
      for (const cell of pass.cells) {
        for (let bit = pass.first; bit < pass.end; bit++) {
          const place = cell * this.shape.bits + bit;
          known.values[place] = plane.values[place];
          bits[count++] = plane.values[place] > 0 ? 1 : 0;
        }
      }
    }
    return { bits: bits.subarray(0, count), probabilities: probabilities.subarray(0, count) };
  }
}

/** What was read of a plane. */
export interface Read {
  /** 0 where the data ends too early to tell the bit, and at locations that stopped. */
  readonly plane: Plane;
  /** How many of its bits the data tells. */
  readonly settled: number;
  /** How many there are. */
  readonly size: number;
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
    dynamic: boolean,
  ) {
    super(shape, model, seed, dynamic);
    this.coder = new RangeDecoder(data);
  }

  /**
   * Reads a plane. One that is whole counts as read; after one that is not, none can be.
   * @returns undefined where a mask ends the code.
   * @throws CorruptStreamError if the check after it fails.
   */
  read(): Read | undefined {
    const plane = emptyPlane(this.shape);
    let settled = 0;
    let size = planeBits(this.shape);
    let mask: Uint8Array | undefined;
    if (this.hasMask) {
      mask = this.mask((_, probability) => this.coder.decode(probability));
      if (!mask) return { plane, settled, size };
      size = this.shape.bits * mask.reduce((sum, bit) => sum + bit, 0);
      if (size === 0) return undefined;
    }
    const stored = this.model ? this.coder.decode(STORED) : 0;
    if (stored === undefined) return { plane, settled, size };
    for (const pass of this.passes(stored === 1, plane, mask)) {
      let index = 0;
      for (const cell of pass.cells) {
        for (let bit = pass.first; bit < pass.end; bit++) {
          const found = this.coder.decode(pass.probabilities[index++]);
          if (found === undefined) return { plane, settled, size };
          plane.values[cell * this.shape.bits + bit] = found ? 1 : -1;
          settled++;
        }
      }
    }
    for (const expected of this.check(plane, mask)) {
      const found = this.coder.decode(EVEN);
      if (found === undefined) return { plane, settled, size };
      if (found !== expected) {
        const step = this.planes.length + 1;
        throw new CorruptStreamError(`the stream is damaged: step ${step} is wrong`);
      }
    }
    this.planes.push(plane);
    this.ends.push(this.coder.used);
    return { plane, settled, size };
  }
}
