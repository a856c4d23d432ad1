/** The fields of headers, and checksums. */

import { CorruptStreamError, TruncatedStreamError } from "./errors";

/** Takes fields from the front of a header. */
export class FieldReader {
  constructor(
    readonly data: Uint8Array,
    public offset: number,
  ) {}

  /**
   * The next bytes.
   * @throws TruncatedStreamError if there are not as many.
   */
  take(count: number): Uint8Array {
    if (this.offset + count > this.data.length) {
      throw new TruncatedStreamError(
        `the stream is cut within its header, after ${this.data.length} bytes; get the rest`,
      );
    }
    this.offset += count;
    return this.data.slice(this.offset - count, this.offset);
  }

  /**
   * The next number, as `varint` writes it.
   * @throws TruncatedStreamError if it is cut.
   * @throws CorruptStreamError if it takes more than five bytes, or more than it needs.
   */
  varint(): number {
    let value = 0;
    for (let group = 0; group < 5; group++) {
      const byte = this.take(1)[0];
      value += (byte & 0x7f) * 2 ** (7 * group); // Up to 35 bits: too many for shifts.
      if (byte < 0x80) {
        if (byte === 0 && group > 0) {
          throw new CorruptStreamError("the header is damaged: a number has idle bytes");
        }
        return value;
      }
    }
    throw new CorruptStreamError("the header is damaged: a number is too long");
  }
}

/** A number, seven bits to a byte, the least significant first; the last byte is below 128. */
export function varint(value: number): number[] {
  const encoded: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    encoded.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  encoded.push(rest);
  return encoded;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) {
    value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  }
  return value;
});

/** The crc32 of zlib and PNG; `before` is that of the bytes before these. */
export function crc32(data: ArrayLike<number>, before = 0): number {
  let crc = ~before;
  for (let i = 0; i < data.length; i++) {
    crc = CRC_TABLE[(crc ^ data[i]) & 0xff] ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

export function toHex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function concatenate(...parts: ArrayLike<number>[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

export function same(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}
