/** The header of a stream; docs/FORMAT.md describes it. */

import { concatenate, crc32, FieldReader, varint } from "./bytes";
import {
  CorruptStreamError,
  ForeignStreamError,
  TruncatedStreamError,
  UnsupportedVersionError,
} from "./errors";
import {
  ADAPTIVE,
  ascii,
  CHECKED,
  DOWNSCALE,
  DOWNSCALE_VERSION,
  ENTROPY_CODED,
  MAGIC,
  MAX_SIDE,
  MODEL_ID_BYTES,
  OPEN_END,
  VERSION,
  VERSION_BITS,
} from "./format";
import type { Size } from "./pixels";
import type { PlaneShape } from "./plane";

const MAGIC_BYTES = ascii(MAGIC);

/** What a stream says of itself. */
export interface Header {
  /** Identity of the model, or of the entropy model where the stream is entropy-coded. */
  readonly modelId: Uint8Array;
  /** Of the picture that is shown, in pixels. */
  readonly width: number;
  readonly height: number;
  /** By how much the image was reduced before it was encoded, in width and height: 1 or 2. */
  readonly downscale: number;
  /** How many follow; the last one, or more, may be cut if the end is open. */
  readonly iterations: number;
  readonly entropyCoded: boolean;
  /** Whether a checksum follows each iteration. */
  readonly checked: boolean;
  /** Whether the payload may end anywhere. */
  readonly openEnd: boolean;
  /** Whether each location takes its own number of iterations. */
  readonly adaptive: boolean;
}

/** The header as it stands in a stream. */
export function headerBytes(header: Header): Uint8Array {
  const content = concatenate(identity(header), [header.iterations]);
  return concatenate(content, [crc32(content) & 0xff]);
}

/** The size of the image that is encoded, which may be smaller than what is shown. */
export function codedSize({
  width,
  height,
  downscale,
}: Pick<Header, "width" | "height" | "downscale">): Size {
  return { height: Math.ceil(height / downscale), width: Math.ceil(width / downscale) };
}

/** The shape of an iteration's plane. */
export function planeShape(
  header: Header,
  { stride, bits }: { readonly stride: number; readonly bits: number },
): PlaneShape {
  const { height, width } = codedSize(header);
  return { height: Math.ceil(height / stride), width: Math.ceil(width / stride), bits };
}

/**
 * Reads the header of a stream, whole or cut, and tells its length in bytes.
 * @throws ForeignStreamError if this is no tfrnnc stream.
 * @throws UnsupportedVersionError if it is of an unknown version, or its downscale is not known.
 * @throws TruncatedStreamError if it ends within the header.
 * @throws CorruptStreamError if the header is damaged.
 */
export function readHeader(data: Uint8Array): { header: Header; length: number } {
  if (data.length === 0) throw new TruncatedStreamError("the stream is empty");
  if (MAGIC_BYTES.some((byte, i) => i < data.length && data[i] !== byte)) {
    throw new ForeignStreamError(`not a tfrnnc stream: it does not begin with '${MAGIC}'`);
  }
  const reader = new FieldReader(data, MAGIC_BYTES.length);
  const [first] = reader.take(1);
  const version = first & VERSION_BITS;
  if (version !== VERSION && version !== DOWNSCALE_VERSION) {
    const known = `versions ${VERSION} and ${DOWNSCALE_VERSION}`;
    throw unsupported(`format version ${version}`, known);
  }
  const modelId = reader.take(MODEL_ID_BYTES);
  const width = reader.varint();
  const height = reader.varint();
  const downscale = version === DOWNSCALE_VERSION ? reader.take(1)[0] : 1;
  const [iterations, checksum] = reader.take(2);
  if ((crc32(data.subarray(0, reader.offset - 1)) & 0xff) !== checksum) {
    throw new CorruptStreamError("the stream is damaged: its header is wrong");
  }
  if (version === DOWNSCALE_VERSION && downscale !== DOWNSCALE) {
    throw unsupported(`a downscale of ${downscale}`, `only that of ${DOWNSCALE}`);
  }
  if (!(width > 0 && width <= MAX_SIDE && height > 0 && height <= MAX_SIDE && iterations)) {
    throw new CorruptStreamError(
      `the header makes no sense: ${width}x${height} pixels, ${iterations} iterations`,
    );
  }
  const header = {
    modelId,
    width,
    height,
    downscale,
    iterations,
    entropyCoded: (first & ENTROPY_CODED) > 0,
    checked: (first & CHECKED) > 0,
    openEnd: (first & OPEN_END) > 0,
    adaptive: (first & ADAPTIVE) > 0,
  };
  return { header, length: reader.offset };
}

function unsupported(what: string, known: string): UnsupportedVersionError {
  return new UnsupportedVersionError(
    `${what} is not known to this decoder, which reads ${known}; a newer tfrnnc may read it`,
  );
}

/** What the checksums cover beside the planes; undefined if there are none. */
export function seed(header: Header): Uint8Array | undefined {
  return header.checked ? identity({ ...header, openEnd: false }) : undefined;
}

/** The part of the header that the checksums after the iterations cover, but for the open end. */
function identity(header: Header): Uint8Array {
  const flags =
    (header.entropyCoded ? ENTROPY_CODED : 0) |
    (header.checked ? CHECKED : 0) |
    (header.openEnd ? OPEN_END : 0) |
    (header.adaptive ? ADAPTIVE : 0);
  const { modelId, width, height, downscale } = header;
  const version = downscale === 1 ? VERSION : DOWNSCALE_VERSION;
  return concatenate(
    MAGIC_BYTES,
    [version | flags],
    modelId,
    varint(width),
    varint(height),
    downscale === 1 ? [] : [downscale],
  );
}
