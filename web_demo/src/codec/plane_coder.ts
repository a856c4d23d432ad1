/** Planes to bytes and back: a range coder under an entropy model, with checksums in between. */

import { crc32 } from "./bytes";
import type { BitModel, Pass } from "./entropy_model";
import { CERTAIN, checksumBytes, EVEN, STORED_PROBABILITY } from "./format";
import { MaskCoder } from "./mask_coder";
import {
  codedLocations,
  emptyPlane,
  type Plane,
  type PlaneShape,
  packPlane,
  planeBits,
} from "./plane";
import { COST_OF_ONE } from "./probabilities";
import { type CoderState, endIn, RangeDecoder, RangeEncoder } from "./range_coder";

/** What encoder and decoder share. */
abstract class PlaneCoder {
  /** Those coded whole. */
  readonly planes: Plane[] = [];
  private crc: number | undefined;
  private readonly masks: MaskCoder | undefined;

  /**
   * @param shape of the planes.
   * @param model of the bits; undefined takes all for equally probable.
   * @param seed what the checksums cover beside the planes; undefined leaves them out.
   * @param adaptive whether locations may stop before the others; a mask before each plane but the
   *   first then tells which go on.
   */
  constructor(
    protected readonly shape: PlaneShape,
    protected readonly model: BitModel | undefined,
    seed: Uint8Array | undefined,
    adaptive: boolean,
  ) {
    this.crc = seed && crc32(seed);
    this.masks = adaptive ? new MaskCoder() : undefined;
  }

  /** Whether a mask comes before the next plane. */
  protected get hasMask(): boolean {
    return this.masks !== undefined && this.planes.length > 0;
  }

  /** Codes the next mask; undefined if `nextBit` returned that. */
  protected mask(
    nextBit: (location: number, probability: number) => number | undefined,
  ): Uint8Array | undefined {
    const before = codedLocations(this.planes[this.planes.length - 1]);
    return this.masks?.code(before, this.shape.width, nextBit);
  }

  protected passes(stored: boolean, plane: Plane, mask: Uint8Array | undefined): Iterable<Pass> {
    if (this.model && !stored) return this.model.passes(this.planes, plane, mask);
    const { height, width, bits } = this.shape;
    const all = Int32Array.from({ length: height * width }, (_, location) => location);
    const locations = mask ? all.filter((location) => mask[location]) : all;
    const probabilities = new Uint16Array(locations.length * bits).fill(EVEN);
    return [{ locations, first: 0, end: bits, probabilities }];
  }

  /** The bits of the checksum after a plane, which covers all planes and masks up to it. */
  protected checksum(plane: Plane, mask: Uint8Array | undefined): number[] {
    if (this.crc === undefined) return [];
    if (mask) {
      const { height, width } = this.shape;
      const packed = packPlane({ height, width, bits: 1, values: Int8Array.from(mask) });
      this.crc = crc32(packed, this.crc);
    }
    const crc = crc32(packPlane(plane), this.crc);
    this.crc = crc;
    const count = 8 * checksumBytes(planeBits(this.shape));
    return Array.from({ length: count }, (_, i) => (crc >>> (count - 1 - i)) & 1);
  }
}

/** Writes planes. */
export class PlaneEncoder extends PlaneCoder {
  private readonly coder = new RangeEncoder();
  /** What the coder was after each plane. */
  private readonly states: CoderState[] = [];

  /**
   * Appends a plane of -1 and +1, and, if adaptive, 0 for all bits of the locations that stopped. A
   * plane of zeros ends the payload, and does not count.
   */
  add(plane: Plane): void {
    let mask: Uint8Array | undefined;
    if (this.hasMask) {
      const goesOn = codedLocations(plane);
      mask = this.mask((location, probability) => {
        this.coder.encode(goesOn[location], probability);
        return goesOn[location];
      });
      if (!mask?.includes(1)) return;
    }
    let ordered = this.ordered(plane, false, mask);
    if (this.model) {
      let cost = 0;
      for (let i = 0; i < ordered.bits.length; i++) {
        const probability = ordered.probabilities[i];
        cost += COST_OF_ONE[ordered.bits[i] ? probability : CERTAIN - probability];
      }
      const stored = cost > ordered.bits.length;
      this.coder.encode(stored, STORED_PROBABILITY);
      if (stored) ordered = this.ordered(plane, true, mask);
    }
    for (let i = 0; i < ordered.bits.length; i++) {
      this.coder.encode(ordered.bits[i], ordered.probabilities[i]);
    }
    this.planes.push(plane);
    for (const bit of this.checksum(plane, mask)) this.coder.encode(bit, EVEN);
    this.states.push(this.coder.state);
  }

  /** After a number of planes, how many bytes of a payload of no fewer it takes to have them. */
  end(iterations: number, payload: Uint8Array): number {
    return endIn(this.states[iterations - 1], payload);
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
      for (const location of pass.locations) {
        for (let bit = pass.first; bit < pass.end; bit++) {
          const place = location * this.shape.bits + bit;
          known.values[place] = plane.values[place];
          bits[count++] = plane.values[place] > 0 ? 1 : 0;
        }
      }
    }
    return { bits: bits.subarray(0, count), probabilities: probabilities.subarray(0, count) };
  }
}

/** What was read of a plane. */
export interface SettledPlane {
  /** 0 where the data ends too early to tell the bit, and at locations that stopped. */
  readonly plane: Plane;
  /** How many of its bits the data tells. */
  readonly settled: number;
  /** How many there are. */
  readonly size: number;
}

/** How the reading of a plane ended. */
export type PlaneOutcome =
  /** The plane and the checksum after it are there and right; the next one can be read. */
  | { readonly kind: "whole" }
  /** The data ends within the plane, the mask before it or the checksum after it. */
  | ({ readonly kind: "partial" } & SettledPlane)
  /** The checksum after the plane is wrong. */
  | { readonly kind: "wrong" }
  /** A mask says that no location goes on: there is no further plane. */
  | { readonly kind: "end" };

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
    adaptive: boolean,
  ) {
    super(shape, model, seed, adaptive);
    this.coder = new RangeDecoder(data);
  }

  /** Reads a plane. Only after one that is whole there is a next one. */
  read(): PlaneOutcome {
    const size = planeBits(this.shape);
    if (!this.hasMask) return this.readBits(size, undefined);
    const mask = this.mask((_, probability) => this.coder.decode(probability));
    if (!mask) return { kind: "partial", plane: emptyPlane(this.shape), settled: 0, size };
    const locations = mask.reduce((sum, bit) => sum + bit, 0);
    if (locations === 0) return { kind: "end" };
    return this.readBits(this.shape.bits * locations, mask);
  }

  private readBits(size: number, mask: Uint8Array | undefined): PlaneOutcome {
    const plane = emptyPlane(this.shape);
    const stored = this.model ? this.coder.decode(STORED_PROBABILITY) : 0;
    if (stored === undefined) return { kind: "partial", plane, settled: 0, size };
    const settled = this.readPasses(this.passes(stored === 1, plane, mask), plane);
    if (settled < size) return { kind: "partial", plane, settled, size };
    for (const expected of this.checksum(plane, mask)) {
      const bit = this.coder.decode(EVEN);
      if (bit === undefined) return { kind: "partial", plane, settled, size };
      if (bit !== expected) return { kind: "wrong" };
    }
    this.planes.push(plane);
    this.ends.push(this.coder.used);
    return { kind: "whole" };
  }

  /** Fills in a plane's bits; returns how many the data settles. */
  private readPasses(passes: Iterable<Pass>, plane: Plane): number {
    let settled = 0;
    for (const pass of passes) {
      let index = 0;
      for (const location of pass.locations) {
        for (let channel = pass.first; channel < pass.end; channel++) {
          const bit = this.coder.decode(pass.probabilities[index++]);
          if (bit === undefined) return settled;
          plane.values[location * this.shape.bits + channel] = bit ? 1 : -1;
          settled++;
        }
      }
    }
    return settled;
  }
}
