/** Streams of version 1, which are still read: planes as they are, eight bits to a byte. */

import { FieldReader, same } from "./bytes";
import { CorruptStreamError, TruncatedStreamError, WrongModelError } from "./errors";
import { type Plane, type PlaneShape, planeBits, unpackPlane } from "./plane";

const START = [0x52, 0x4e, 0x4e, 0x43, 0x01]; // "RNNC" and the version
const MAX_SIDE = 2 ** 31 - 1;

/** What a stream says of itself. */
export interface OldHeader {
  readonly modelId: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly stride: number;
  readonly bits: number;
  readonly steps: number;
}

/** Whether a stream, whole or cut, is of version 1. */
export function isVersion1(data: Uint8Array): boolean {
  return data.length > 2 && same(data.subarray(0, START.length), START.slice(0, data.length));
}

/** Bytes of one step. */
export function planeBytes(shape: PlaneShape): number {
  return Math.ceil(planeBits(shape) / 8);
}

/** Reads the header, and tells its length; throws as `readHeader` of the container. */
export function readOldHeader(data: Uint8Array): { header: OldHeader; length: number } {
  const reader = new FieldReader(data, 0);
  reader.take(START.length);
  const modelId = reader.take(4);
  const width = reader.varint();
  const height = reader.varint();
  const [stride, bits, steps] = reader.take(3);
  const sides = width > 0 && width <= MAX_SIDE && height > 0 && height <= MAX_SIDE;
  if (!(sides && stride && bits && steps)) {
    throw new CorruptStreamError(
      `the header is damaged: ${width}x${height} pixels, ${bits} bits at stride ${stride}, ` +
        `${steps} steps`,
    );
  }
  return { header: { modelId, width, height, stride, bits, steps }, length: reader.offset };
}

/** Reads the planes; as `readPlanes` of the container. */
export function readOldPlanes(
  data: Uint8Array,
  stride: number,
  bits: number,
  wanted: number,
  allowTruncated: boolean,
): Plane[] {
  const { header, length } = readOldHeader(data);
  if (header.stride !== stride || header.bits !== bits) {
    throw new WrongModelError(
      `the stream has ${header.bits} bits at stride ${header.stride}, but the model has ` +
        `${bits} at stride ${stride}; load the model that made it`,
    );
  }
  const shape = {
    height: Math.ceil(header.height / stride),
    width: Math.ceil(header.width / stride),
    bits,
  };
  const size = planeBytes(shape);
  const whole = length + header.steps * size;
  const available = Math.floor((data.length - length) / size);
  if (data.length > whole) {
    throw new CorruptStreamError(
      `the stream has ${data.length} bytes, but its header says ${whole}`,
    );
  }
  if (available < wanted && !(allowTruncated && available)) {
    const remedy = available ? "decode those with allowTruncated" : "get more";
    throw new TruncatedStreamError(
      `the stream is cut: ${data.length} of ${whole} bytes, ${available} of ${header.steps} ` +
        `steps whole; ${remedy}`,
      available,
    );
  }
  return Array.from({ length: Math.min(wanted, available) }, (_, step) => {
    const start = length + step * size;
    return unpackPlane(data.subarray(start, start + size), shape);
  });
}
