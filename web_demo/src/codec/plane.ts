/** The bits of one iteration. */

export interface PlaneShape {
  /** Rows and columns of locations, and bits at each of them. */
  readonly height: number;
  readonly width: number;
  readonly bits: number;
}

/**
 * An iteration's bits: -1 and +1, and 0 for those that are not known, or are of locations that stopped;
 * row by row, (height, width, bits).
 */
export interface Plane extends PlaneShape {
  readonly values: Int8Array;
}

/** How many bits a plane has. */
export function planeBits(shape: PlaneShape): number {
  return shape.height * shape.width * shape.bits;
}

/** A plane of which nothing is known. */
export function emptyPlane({ height, width, bits }: PlaneShape): Plane {
  return { height, width, bits, values: new Int8Array(height * width * bits) };
}

/** For each location whether it has bits that are known, 1 or 0. */
export function codedLocations({ values, bits }: Plane): Uint8Array {
  const mask = new Uint8Array(values.length / bits);
  for (let i = 0; i < values.length; i++) {
    if (values[i] !== 0) mask[Math.floor(i / bits)] = 1;
  }
  return mask;
}

/** The bits eight to a byte, the first one highest, 1 for +1; what is left of the last byte is 0. */
export function packPlane(plane: Plane): Uint8Array {
  const { values } = plane;
  const packed = new Uint8Array(Math.ceil(values.length / 8));
  for (let i = 0; i < values.length; i++) {
    if (values[i] > 0) packed[i >> 3] |= 0x80 >> (i & 7);
  }
  return packed;
}
