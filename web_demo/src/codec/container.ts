/** The container: a header, then the planes' code. docs/FORMAT.md describes it. */

import { concatenate, crc32, FieldReader, varint } from "./bytes";
import type { BitModel } from "./entropy_model";
import {
  ConfigError,
  CorruptStreamError,
  ForeignStreamError,
  TooLargeError,
  TruncatedStreamError,
  UnsupportedVersionError,
  WrongModelError,
} from "./errors";
import { type Plane, type PlaneShape, planeBits } from "./plane";
import { checkBytes, PlaneDecoder, PlaneEncoder, type Read } from "./plane_coder";
import { LEAST_COST } from "./probabilities";
import { isVersion1, planeBytes, readOldHeader, readOldPlanes } from "./version_1";

/** Most pixels that are decoded unless the caller allows more; Python's limit. */
export const MAX_PIXELS = 89_478_485;
const MAGIC = [0x52, 0x4e]; // "RN"
const VERSION = 2;
const MAX_SIDE = 2 ** 31 - 1;
/** A last step that is not whole counts from one in so many of its bits. */
const PARTIAL_SHARE = 8;
const ENTROPY_CODED = 0x10;
const CHECKED = 0x20;
const OPEN_END = 0x40;
const DYNAMIC = 0x80;

/** What a stream says of itself. */
export interface Header {
  /** The format's. */
  readonly version: number;
  /** Identity of the model, or of the entropy model where the stream is entropy-coded. */
  readonly modelId: Uint8Array;
  /** Of the image in pixels. */
  readonly width: number;
  readonly height: number;
  /** How many follow; the last one, or more, may be cut if the end is open. */
  readonly steps: number;
  readonly entropyCoded: boolean;
  /** Whether a check follows each step. */
  readonly checked: boolean;
  /** Whether the code may end anywhere. */
  readonly openEnd: boolean;
  /** Whether each location takes its own number of steps. */
  readonly dynamic: boolean;
}

/** What `readPlanes` found. */
export interface Planes {
  readonly header: Header;
  /**
   * One for each step; the last one has zeros for bits that the stream ends before, and in dynamic
   * streams all have for locations that stopped.
   */
  readonly planes: Plane[];
  /** How many of them are whole. */
  readonly wholeSteps: number;
  /** For each whole step, how many bytes of the stream it takes to have it. */
  readonly ends: number[];
}

export interface ReadOptions {
  /** Read so many steps only. */
  readonly steps?: number | undefined;
  /** Take what is there of a stream that was cut, or is damaged from some place on. */
  readonly allowTruncated?: boolean | undefined;
  /** Refuse images of more pixels; `MAX_PIXELS` by default. */
  readonly maxPixels?: number | undefined;
}

/** The header as it stands in a stream of the newest version. */
export function headerBytes(header: Header): Uint8Array {
  const content = concatenate(identity(header), [header.steps]);
  return concatenate(content, [crc32(content) & 0xff]);
}

/** The shape of a step's plane, for a model of this stride and so many bits. */
export function planeShape(header: Header, stride: number, bits: number): PlaneShape {
  return {
    height: Math.ceil(header.height / stride),
    width: Math.ceil(header.width / stride),
    bits,
  };
}

/** Makes streams, plane by plane. */
export class StreamWriter {
  private readonly encoder: PlaneEncoder;
  private readonly checkBytes: number;
  private readonly codes: Uint8Array[] = [];

  /** @param header of the streams; its steps and open end are set as they turn out. */
  constructor(
    private readonly header: Header,
    stride: number,
    bits: number,
    model: BitModel | undefined,
  ) {
    const shape = planeShape(header, stride, bits);
    this.checkBytes = header.checked ? checkBytes(planeBits(shape)) : 0;
    const used = header.entropyCoded ? model : undefined;
    this.encoder = new PlaneEncoder(shape, used, seed(header), header.dynamic);
  }

  /** How many planes there are so far. */
  get steps(): number {
    return this.codes.length;
  }

  /**
   * Appends a step's plane, of -1 and +1; in dynamic streams 0 for all bits of the locations that
   * stopped. A plane of zeros ends the code, and is no step.
   */
  add(plane: Plane): void {
    this.encoder.add(plane);
    this.codes[this.encoder.planes.length - 1] = this.encoder.finish();
  }

  /** The code of the first `steps` planes. */
  code(steps = this.steps): Uint8Array {
    return this.codes[steps - 1];
  }

  /** The stream of the first `steps` planes. */
  whole(steps = this.steps): Uint8Array {
    const header = headerBytes({ ...this.header, steps, openEnd: false });
    return concatenate(header, this.code(steps));
  }

  /**
   * The stream of the first `steps` planes, cut to at most so many bytes, with an open end;
   * undefined if no code fits in them.
   */
  cut(size: number, steps = this.steps): Uint8Array | undefined {
    return cutStream({ ...this.header, steps }, this.code(steps), this.checkBytes, size);
  }
}

/**
 * A stream that was cut to at most so many bytes and says so, made without decoding.
 * @param data a stream of version 2.
 * @param found what `readPlanes` found in it.
 * @param model stride and bits of its model.
 * @returns undefined if no code fits in the bytes.
 */
export function shorten(
  data: Uint8Array,
  found: Planes,
  model: { readonly stride: number; readonly bits: number },
  size: number,
): Uint8Array | undefined {
  const { header } = found;
  const count = header.checked
    ? checkBytes(planeBits(planeShape(header, model.stride, model.bits)))
    : 0;
  const end = header.openEnd ? data.length - count : data.length;
  return cutStream(header, data.subarray(readHeader(data).length, end), count, size);
}

function cutStream(
  header: Header,
  code: Uint8Array,
  count: number,
  size: number,
): Uint8Array | undefined {
  const start = headerBytes({ ...header, openEnd: true });
  const kept = code.subarray(0, Math.max(0, size - start.length - count));
  if (kept.length === 0) return undefined;
  const content = concatenate(start, kept);
  return concatenate(content, endCheck(content, count));
}

/**
 * Reads the header of a stream, whole or cut, and tells its length in bytes.
 * @throws ForeignStreamError if this is no tfrnnc stream.
 * @throws UnsupportedVersionError if it is of an unknown version.
 * @throws TruncatedStreamError if it ends within the header.
 * @throws CorruptStreamError if the header is damaged.
 */
export function readHeader(data: Uint8Array): { header: Header; length: number } {
  if (isVersion1(data)) {
    const { header, length } = readOldHeader(data);
    const flags = { entropyCoded: false, checked: false, openEnd: false, dynamic: false };
    return { header: { ...header, ...flags, version: 1 }, length };
  }
  if (data.length === 0) throw new TruncatedStreamError("the stream is empty");
  if (MAGIC.some((byte, i) => i < data.length && data[i] !== byte)) {
    throw new ForeignStreamError("not a tfrnnc stream: it does not begin with 'RN'");
  }
  const reader = new FieldReader(data, MAGIC.length);
  const [first] = reader.take(1);
  const version = first & 0x0f;
  if (version !== VERSION) {
    throw new UnsupportedVersionError(
      `format version ${version} is not known to this decoder, which reads versions 1 and ` +
        `${VERSION}; a newer tfrnnc may read it`,
    );
  }
  const modelId = reader.take(4);
  const width = reader.varint();
  const height = reader.varint();
  const [steps, check] = reader.take(2);
  if ((crc32(data.subarray(0, reader.offset - 1)) & 0xff) !== check) {
    throw new CorruptStreamError("the stream is damaged: its header is wrong");
  }
  if (!(width > 0 && width <= MAX_SIDE && height > 0 && height <= MAX_SIDE && steps)) {
    throw new CorruptStreamError(
      `the header makes no sense: ${width}x${height} pixels, ${steps} steps`,
    );
  }
  const header = {
    version,
    modelId,
    width,
    height,
    steps,
    entropyCoded: (first & ENTROPY_CODED) > 0,
    checked: (first & CHECKED) > 0,
    openEnd: (first & OPEN_END) > 0,
    dynamic: (first & DYNAMIC) > 0,
  };
  return { header, length: reader.offset };
}

/**
 * Reads a stream's planes.
 * @param data a stream.
 * @param stride of the model that made it.
 * @param bits of that model, at each location.
 * @param model that it was entropy-coded with; not used if it was not.
 * @returns at least one plane.
 * @throws TruncatedStreamError if the stream ends before the steps asked for, and `allowTruncated`
 *   is not set or not even an eighth of the first step is there.
 * @throws ConfigError if it never had as many steps as asked for.
 * @throws CorruptStreamError if it is damaged, and `allowTruncated` is not set or the first step is.
 * @throws TooLargeError if the image has more than `maxPixels`.
 * @throws WrongModelError if a stream of version 1 is of another stride or number of bits, or the
 *   entropy model is missing or has fewer steps.
 * @throws ForeignStreamError and UnsupportedVersionError as `readHeader`.
 */
export function readPlanes(
  data: Uint8Array,
  stride: number,
  bits: number,
  model: BitModel | undefined,
  options: ReadOptions = {},
): Planes {
  const { steps, allowTruncated = false, maxPixels = MAX_PIXELS } = options;
  const { header, length } = readHeader(data);
  if (header.width * header.height > maxPixels) {
    throw new TooLargeError(
      `the image has ${header.width}x${header.height} pixels, more than the limit of ` +
        `${maxPixels.toLocaleString("en")}; raise the limit (maxPixels) if you trust it`,
    );
  }
  const wanted = steps ?? header.steps;
  if (!(Number.isInteger(wanted) && wanted >= 1 && wanted <= header.steps)) {
    throw new ConfigError(`steps must be from 1 to ${header.steps} for this stream, not ${wanted}`);
  }
  const shape = planeShape(header, stride, bits);
  if (header.version === 1) {
    const planes = readOldPlanes(data, stride, bits, wanted, allowTruncated);
    const ends = planes.map((_, step) => length + planeBytes(shape) * (step + 1));
    return { header, planes, wholeSteps: planes.length, ends };
  }
  if (header.entropyCoded && !model) {
    throw new WrongModelError(
      "the stream is entropy-coded, but there is no entropy model; load the model's",
    );
  }
  if (header.entropyCoded && model && wanted > model.steps) {
    throw new WrongModelError(
      `the stream has ${header.steps} steps, but the entropy model only ${model.steps}`,
    );
  }
  const size = planeBits(shape);
  let code = data.subarray(length);
  let endIsWrong = false;
  if (header.openEnd && header.checked) {
    const count = checkBytes(size);
    const content = data.subarray(0, data.length - count);
    const right = endCheck(content, count).every((byte, i) => byte === data[content.length + i]);
    if (code.length > count && right) code = code.subarray(0, code.length - count);
    else endIsWrong = true;
  }
  let whole: Plane[] = [];
  let ends: number[] = [];
  let partial: Read | undefined;
  let damage: CorruptStreamError | undefined;
  // Before memory is taken for planes, they are held against the bytes that there are.
  if ((8 * code.length + 32) / LEAST_COST >= size / PARTIAL_SHARE) {
    const used = header.entropyCoded ? model : undefined;
    const decoder = new PlaneDecoder(code, shape, used, seed(header), header.dynamic);
    whole = decoder.planes;
    ends = decoder.ends.slice();
    try {
      while (whole.length < wanted && !partial) {
        const before = whole.length;
        const read = decoder.read();
        if (!read) {
          if (header.openEnd) break;
          throw new CorruptStreamError(
            `the stream is damaged: no location takes step ${before + 1}`,
          );
        }
        if (whole.length === before) partial = read;
      }
    } catch (error) {
      if (!(error instanceof CorruptStreamError)) throw error;
      damage = error;
    }
    ends = decoder.ends;
  }
  const wholeSteps = whole.length;
  const planes = [...whole];
  if (partial && partial.settled * PARTIAL_SHARE >= partial.size) planes.push(partial.plane);
  const mayEnd = header.openEnd && steps === undefined && !endIsWrong;
  const complete = wholeSteps >= wanted || (mayEnd && !damage);
  if (planes.length === 0 || !(complete || allowTruncated)) {
    const found = `${wholeSteps} of ${header.steps} steps are whole`;
    const remedy = "decode those with allowTruncated";
    if (damage) {
      throw new CorruptStreamError(
        `${damage.message}; ${found}; ${planes.length ? remedy : "get another"}`,
      );
    }
    const what = endIsWrong ? "cut or damaged" : "cut";
    throw new TruncatedStreamError(
      `the stream is ${what} after ${data.length} bytes, ${found}; ` +
        `${planes.length ? remedy : "get more"}`,
      wholeSteps,
    );
  }
  const mayGoOn = header.openEnd || allowTruncated || wholeSteps < header.steps;
  const spare = code.length - (ends.at(-1) ?? 0);
  if (!mayGoOn && spare > 0) {
    throw new CorruptStreamError(`the stream has ${spare} bytes after its end`);
  }
  return { header, planes, wholeSteps, ends: ends.map((end) => length + end) };
}

/** The part of the header that the checks after the steps cover, but for the open end. */
function identity(header: Header): Uint8Array {
  const flags =
    (header.entropyCoded ? ENTROPY_CODED : 0) |
    (header.checked ? CHECKED : 0) |
    (header.openEnd ? OPEN_END : 0) |
    (header.dynamic ? DYNAMIC : 0);
  return concatenate(
    MAGIC,
    [VERSION | flags],
    header.modelId,
    varint(header.width),
    varint(header.height),
  );
}

/** What the checks cover beside the planes. */
function seed(header: Header): Uint8Array | undefined {
  return header.checked ? identity({ ...header, openEnd: false }) : undefined;
}

/** The last bytes of the crc32, the highest first. */
function endCheck(data: Uint8Array, count: number): Uint8Array {
  const crc = crc32(data);
  return Uint8Array.from({ length: count }, (_, i) => crc >>> (8 * (count - 1 - i)));
}
