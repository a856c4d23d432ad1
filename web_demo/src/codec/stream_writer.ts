/** Writes streams: a header, then the planes' payload. */

import { concatenate, crc32 } from "./bytes";
import type { BitModel } from "./entropy_model";
import { checksumBytes } from "./format";
import { type Header, headerBytes, planeShape, readHeader, seed } from "./header";
import { type Plane, planeBits } from "./plane";
import { PlaneEncoder } from "./plane_coder";

/** What a stream needs of the model that makes or reads it. */
export interface StreamSpec {
  /** Image pixels between two locations of the latent bits. */
  readonly stride: number;
  /** At each location, for each iteration. */
  readonly bits: number;
  /** Undefined for streams that are not entropy-coded; not used by these. */
  readonly entropyModel?: BitModel | undefined;
}

/** Makes streams, plane by plane. */
export class StreamWriter {
  private readonly encoder: PlaneEncoder;
  private readonly checksumBytes: number;
  private readonly payloads: Uint8Array[] = [];

  /** @param header of the streams; its iterations and open end are set as they turn out. */
  constructor(
    private readonly header: Header,
    spec: StreamSpec,
  ) {
    this.checksumBytes = endChecksumBytes(header, spec);
    const used = header.entropyCoded ? spec.entropyModel : undefined;
    this.encoder = new PlaneEncoder(planeShape(header, spec), used, seed(header), header.adaptive);
  }

  /** How many planes there are so far. */
  get iterations(): number {
    return this.payloads.length;
  }

  /**
   * Appends an iteration's plane, of -1 and +1; in adaptive streams 0 for all bits of the locations
   * that stopped. A plane of zeros ends the payload, and is no iteration.
   */
  add(plane: Plane): void {
    this.encoder.add(plane);
    this.payloads[this.encoder.planes.length - 1] = this.encoder.finish();
  }

  /** The payload of the first `iterations` planes. */
  payload(iterations = this.iterations): Uint8Array {
    return this.payloads[iterations - 1];
  }

  /**
   * How many bytes of a payload it takes to have some iterations whole: known from when they were
   * written, without reading it.
   * @param iterations that end there.
   * @param payload of these or more.
   */
  end(iterations: number, payload: Uint8Array): number {
    return this.encoder.end(iterations, payload);
  }

  /** The stream of the first `iterations` planes. */
  whole(iterations = this.iterations): Uint8Array {
    const header = headerBytes({ ...this.header, iterations, openEnd: false });
    return concatenate(header, this.payload(iterations));
  }

  /**
   * The stream of the first `iterations` planes, cut to at most this size, with an open end;
   * undefined if no payload fits in it.
   */
  cut(size: number, iterations = this.iterations): Uint8Array | undefined {
    const header = { ...this.header, iterations };
    return cutStream(header, this.payload(iterations), this.checksumBytes, size);
  }
}

/**
 * A stream that was cut to at most this size and says so, made without decoding.
 * @param data a stream.
 * @param spec of its model.
 * @returns undefined if no payload fits in it.
 */
export function shorten(data: Uint8Array, spec: StreamSpec, size: number): Uint8Array | undefined {
  const { header, length } = readHeader(data);
  const count = endChecksumBytes(header, spec);
  const end = header.openEnd ? data.length - count : data.length;
  return cutStream(header, data.subarray(length, end), count, size);
}

/** The last bytes of the crc32, the highest first. */
export function endChecksum(data: Uint8Array, count: number): Uint8Array {
  const crc = crc32(data);
  return Uint8Array.from({ length: count }, (_, i) => crc >>> (8 * (count - 1 - i)));
}

function endChecksumBytes(header: Header, spec: StreamSpec): number {
  return header.checked ? checksumBytes(planeBits(planeShape(header, spec))) : 0;
}

function cutStream(
  header: Header,
  payload: Uint8Array,
  count: number,
  size: number,
): Uint8Array | undefined {
  const start = headerBytes({ ...header, openEnd: true });
  const kept = payload.subarray(0, Math.max(0, size - start.length - count));
  if (kept.length === 0) return undefined;
  const content = concatenate(start, kept);
  return concatenate(content, endChecksum(content, count));
}
