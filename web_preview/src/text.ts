/** A preview's string and its bytes; docs/PREVIEW.md describes both. */

import {
  CorruptStreamError,
  ForeignStreamError,
  TruncatedStreamError,
  UnsupportedVersionError,
} from "./errors.js";

export const SIDE = 32; // Of the picture that is decoded.
export const HEADER_BYTES = 3; // The shortest preview is of these alone.
const VERSION = 1;
const MAX_BYTES = 64;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** Chroma by its 4 bits. */
const CHROMA = [-112, -80, -56, -38, -25, -15, -7, 0, 7, 15, 25, 38, 56, 80, 112, 127];

/** Luma, blue and red chroma. */
type Levels = readonly [luma: number, blue: number, red: number];

/** What a string says. */
export interface PreviewData {
  /** Of the picture's shape; the longer of the two is 32. */
  readonly width: number;
  readonly height: number;
  /** Average luma, 0 to 255, blue and red chroma, around 0. */
  readonly average: Levels;
  /** Index of the step size. */
  readonly step: number;
  /** The range-coded coefficients, as many as there are. */
  readonly payload: Uint8Array;
}

/** Reads a string, whole or cut. */
export function readText(text: string): PreviewData {
  if (typeof text !== "string" || !/^[\w-]*$/.test(text)) {
    const shown = String(text).slice(0, 40);
    throw new ForeignStreamError(
      `preview ${shown}: has other characters than A-Z, a-z, 0-9, - and _; give the string that tfrnnc-preview printed`,
    );
  }
  const size = Math.floor((text.length * 6) / 8);
  if (size > MAX_BYTES) {
    throw new CorruptStreamError(
      `preview of ${size} bytes: none has more than ${MAX_BYTES}; give the string that tfrnnc-preview printed`,
    );
  }
  const data = readBytes(text, size);
  const version = data[0] >> 6;
  if (size > 0 && version !== VERSION) {
    throw new UnsupportedVersionError(
      `preview of version ${version}: this release reads version ${VERSION}; update tfrnnc-preview`,
    );
  }
  if (size < HEADER_BYTES) {
    throw new TruncatedStreamError(
      `preview of ${size} bytes: the shortest has ${HEADER_BYTES}, which are 4 characters; cut it less`,
    );
  }
  const isTall = (data[0] & 32) > 0;
  const short = (data[0] & 31) + 1;
  const rest = (data[1] << 8) | data[2];
  const luma = rest >> 11;
  return {
    width: isTall ? short : SIDE,
    height: isTall ? SIDE : short,
    average: [(luma << 3) | (luma >> 2), CHROMA[(rest >> 7) & 15], CHROMA[(rest >> 3) & 15]],
    step: rest & 7,
    payload: data.subarray(HEADER_BYTES),
  };
}

function readBytes(text: string, size: number): Uint8Array {
  const data = new Uint8Array(size);
  for (let i = 0; i < text.length; i++) {
    const six = ALPHABET.indexOf(text[i]);
    const at = (6 * i) >> 3;
    // Of the 16 bits from that byte on; what lies behind the last byte is dropped.
    const shifted = six << (10 - ((6 * i) & 7));
    data[at] |= shifted >> 8;
    data[at + 1] |= shifted & 255;
  }
  return data;
}

/** Writes red, green and blue of such levels; the array itself limits them to 0 and 255. */
export function writeRgb(
  rgb: Uint8ClampedArray,
  at: number,
  luma: number,
  blue: number,
  red: number,
): void {
  rgb[at] = luma + ((359 * red + 128) >> 8);
  rgb[at + 1] = luma - ((88 * blue + 183 * red + 128) >> 8);
  rgb[at + 2] = luma + ((454 * blue + 128) >> 8);
}
