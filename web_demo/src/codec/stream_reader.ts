/** Reads the planes of a stream. */

import {
  ConfigError,
  CorruptStreamError,
  type StreamError,
  TruncatedStreamError,
  WrongModelError,
} from "./errors";
import { checksumBytes, PARTIAL_SHARE, RANGE_BYTES } from "./format";
import { codedSize, type Header, planeShape, readHeader, seed } from "./header";
import { requireWork, type WorkLimits } from "./limits";
import { type Plane, type PlaneShape, planeBits } from "./plane";
import { PlaneDecoder, type SettledPlane } from "./plane_coder";
import { MIN_COST } from "./probabilities";
import { endChecksum, type StreamSpec } from "./stream_writer";

/** What `readPlanes` finds in a stream. */
export interface Planes {
  readonly header: Header;
  /**
   * One for each iteration; the last one has zeros for bits that the stream ends before, and in
   * adaptive streams all have for locations that stopped.
   */
  readonly planes: Plane[];
  /** How many of them are whole. */
  readonly wholeIterations: number;
  /** For each whole iteration, how many bytes of the stream it takes to have it. */
  readonly ends: number[];
}

export interface ReadOptions extends WorkLimits {
  /** Take at most this many; all by default. */
  readonly iterations?: number | undefined;
  /** Take what is there of a stream that was cut, or is damaged from some place on. */
  readonly allowTruncated?: boolean | undefined;
}

/**
 * Reads a stream's planes.
 * @param data a stream.
 * @param spec of the model that made it.
 * @returns at least one plane.
 * @throws TruncatedStreamError if the stream ends before the iterations that its header promises or
 *   that were asked for, and `allowTruncated` is not set or not even an eighth of the first one is
 *   there.
 * @throws CorruptStreamError if it is damaged, and `allowTruncated` is not set or the first
 *   iteration is.
 * @throws TooLargeError if the image costs more than the limits.
 * @throws WrongModelError if the entropy model is missing or has fewer iterations.
 * @throws ForeignStreamError and UnsupportedVersionError as `readHeader`.
 * @throws ConfigError if fewer than one iteration is asked for.
 */
export function readPlanes(data: Uint8Array, spec: StreamSpec, options: ReadOptions = {}): Planes {
  const { header, length } = readHeader(data);
  const wanted = wantedIterations(header, options);
  const coded = codedSize(header);
  const limit = (iterations: number) =>
    requireWork(header, coded, spec.stride, iterations, options);
  // An open end may come before the iterations of the header: those that are read are counted.
  limit(header.openEnd ? 1 : wanted);
  requireEntropyModel(header, spec, wanted);
  const shape = planeShape(header, spec);
  const end = payloadEnd(data, length, header, shape);
  const payload = data.subarray(length, end ?? data.length);
  const decoder = planeDecoder(payload, shape, header, spec);
  const read = decoder ? readAll(decoder, header.openEnd, wanted, limit) : NOTHING;

  const wholeIterations = read.planes.length;
  const { partial, damage } = read;
  const planes = [...read.planes];
  if (partial && isEnough(partial)) planes.push(partial.plane);
  const mayEnd = header.openEnd && end !== undefined && !damage;
  if (planes.length === 0 || !(wholeIterations >= wanted || mayEnd || options.allowTruncated)) {
    const what = end === undefined ? "cut or damaged" : "cut";
    throw incomplete(
      damage ?? `the stream is ${what} after ${data.length} bytes`,
      damage !== undefined,
      `${wholeIterations} of ${header.iterations} iterations are whole`,
      planes.length > 0 ? wholeIterations : undefined,
    );
  }
  const mayGoOn = header.openEnd || options.allowTruncated || wholeIterations < header.iterations;
  const spare = payload.length - (read.ends.at(-1) ?? 0);
  if (!mayGoOn && spare > 0) {
    throw new CorruptStreamError(`the stream has ${spare} bytes after its end`);
  }
  return { header, planes, wholeIterations, ends: read.ends.map((end) => length + end) };
}

/** How many iterations of a stream are to be read. */
export function wantedIterations(header: Header, { iterations }: ReadOptions): number {
  const wanted = iterations ?? header.iterations;
  if (!(Number.isInteger(wanted) && wanted >= 1)) {
    throw new ConfigError(`iterations must be a whole number from 1 on, not ${wanted}`);
  }
  return Math.min(wanted, header.iterations);
}

function requireEntropyModel(header: Header, { entropyModel }: StreamSpec, wanted: number): void {
  if (!header.entropyCoded) return;
  if (!entropyModel) {
    throw new WrongModelError(
      "the stream is entropy-coded, but there is no entropy model; load the model's",
    );
  }
  if (wanted > entropyModel.iterations) {
    throw new WrongModelError(
      `the stream has ${header.iterations} iterations, but the entropy model only ` +
        `${entropyModel.iterations}; load the model that made it`,
    );
  }
}

/** Where the payload ends before the checksum of an open end; undefined if that is wrong. */
function payloadEnd(
  data: Uint8Array,
  start: number,
  header: Header,
  shape: PlaneShape,
): number | undefined {
  if (!(header.openEnd && header.checked)) return data.length;
  const end = data.length - checksumBytes(planeBits(shape));
  if (end <= start) return undefined;
  const expected = endChecksum(data.subarray(0, end), data.length - end);
  return expected.every((byte, i) => byte === data[end + i]) ? end : undefined;
}

interface PayloadRead {
  /** Those that are whole, and how many bytes of the payload each of them takes. */
  readonly planes: readonly Plane[];
  readonly ends: readonly number[];
  /** The one that the payload ends within. */
  readonly partial?: SettledPlane;
  readonly damage?: string;
}

const NOTHING: PayloadRead = { planes: [], ends: [] };

/** Undefined if the payload has too few bytes for a plane, before memory is taken for one. */
function planeDecoder(
  payload: Uint8Array,
  shape: PlaneShape,
  header: Header,
  { entropyModel }: StreamSpec,
): PlaneDecoder | undefined {
  const mostBits = (8 * (payload.length + RANGE_BYTES)) / MIN_COST;
  if (mostBits < planeBits(shape) / PARTIAL_SHARE) return undefined;
  const model = header.entropyCoded ? entropyModel : undefined;
  return new PlaneDecoder(payload, shape, model, seed(header), header.adaptive);
}

/** @param limit refuses a number of iterations that are more work than is allowed. */
function readAll(
  decoder: PlaneDecoder,
  openEnd: boolean,
  wanted: number,
  limit: (iterations: number) => void,
): PayloadRead {
  const { planes, ends } = decoder;
  while (planes.length < wanted) {
    const number = planes.length + 1;
    limit(number);
    const outcome = decoder.read();
    if (outcome.kind === "partial") return { planes, ends, partial: outcome };
    if (outcome.kind === "wrong") {
      return { planes, ends, damage: `the stream is damaged: iteration ${number} is wrong` };
    }
    if (outcome.kind === "end") {
      if (openEnd) break;
      const damage = `the stream is damaged: no location takes iteration ${number}`;
      return { planes, ends, damage };
    }
  }
  return { planes, ends };
}

/** Whether a plane that is not whole counts as an iteration. */
function isEnough({ settled, size }: SettledPlane): boolean {
  return settled * PARTIAL_SHARE >= size;
}

/** @param decodable how many iterations are whole; undefined if nothing can be decoded. */
function incomplete(
  what: string,
  isDamaged: boolean,
  whole: string,
  decodable: number | undefined,
): StreamError {
  const partial = "decode what is there with allowTruncated";
  if (isDamaged) {
    const remedy = decodable === undefined ? "get another" : partial;
    return new CorruptStreamError(`${what}; ${whole}; ${remedy}`);
  }
  const remedy = decodable === undefined ? "get more of it" : partial;
  return new TruncatedStreamError(`${what}, ${whole}; ${remedy}`, decodable ?? 0);
}
