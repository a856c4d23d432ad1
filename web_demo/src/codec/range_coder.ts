/**
 * A binary range coder: bits of known probability to bytes, and as many back as bytes allow.
 *
 * It is LZMA's, with 16-bit probabilities. Its numbers are unsigned and have 32 bits, `low` one
 * more: JavaScript's numbers hold them, but its shifts take them for signed.
 */

import { CorruptStreamError } from "./errors";
import { INITIAL_RANGE, PROBABILITY_BITS, RANGE_BYTES, RANGE_MIN } from "./format";

const LIMIT = INITIAL_RANGE + 1;
/** The value of the first of a number's bytes. */
const TOP = 256 ** (RANGE_BYTES - 1);

/** What an encoder is at some point: its output so far is a number from `low` up. */
export interface CoderState {
  /** Bytes that have gone out. */
  readonly size: number;
  /** What comes after them, at least; above 32 bits if it carries into them. */
  readonly low: number;
  /** How much more it may be, this number excluded. */
  readonly range: number;
}

/**
 * How many bytes of an encoder's output it takes to settle all bits up to a point.
 * @param state of the encoder at that point.
 * @param data its output after that point or a later one.
 */
export function endIn({ size, low, range }: CoderState, data: Uint8Array): number {
  const position = size + RANGE_BYTES;
  const code = (numberAt(data, size, RANGE_BYTES) - low + 2 * LIMIT) % LIMIT;
  return settledSize(data, position, code, range);
}

/** Writes bits, each with its probability. */
export class RangeEncoder {
  private low = 0;
  private range = INITIAL_RANGE;
  private out: number[] = [];

  /** What the encoder is now. */
  get state(): CoderState {
    return { size: this.out.length, low: this.low, range: this.range };
  }

  /** Appends a bit; the probability is 65536 times the chance that it is 1, from 1 to 65535. */
  encode(bit: boolean | number, probability: number): void {
    const bound = (this.range >>> PROBABILITY_BITS) * probability;
    if (bit) {
      this.range = bound;
    } else {
      this.low += bound;
      this.range -= bound;
    }
    while (this.range < RANGE_MIN) {
      if (this.low >= LIMIT) {
        carry(this.out);
        this.low -= LIMIT;
      }
      this.out.push(Math.floor(this.low / TOP));
      this.low = (this.low % TOP) * 256;
      this.range *= 256;
    }
  }

  /** The bytes so far and the fewest that settle every bit; more bits can be appended after it. */
  finish(): Uint8Array {
    const out = this.out.slice();
    const end = this.low + this.range;
    let count = 0;
    let value = 0;
    for (; count <= RANGE_BYTES; count++) {
      const unit = 256 ** (RANGE_BYTES - count);
      value = Math.ceil(this.low / unit) * unit;
      if (value + unit <= end) break;
    }
    if (value >= LIMIT) {
      carry(out);
      value -= LIMIT;
    }
    for (let i = 0; i < count; i++) {
      out.push(Math.floor(value / (TOP / 256 ** i)) & 0xff);
    }
    return Uint8Array.from(out);
  }
}

/**
 * Reads bits back from what `RangeEncoder.finish` gave, or from the first bytes of it.
 * @throws CorruptStreamError if no encoder writes such bytes.
 */
export class RangeDecoder {
  private code = 0;
  private range = INITIAL_RANGE;
  private position = RANGE_BYTES;

  constructor(private readonly data: Uint8Array) {
    for (let i = 0; i < RANGE_BYTES; i++) this.code = this.code * 256 + (data[i] ?? 0);
    // From here on the code stays below the range.
    if (this.code >= this.range) {
      throw new CorruptStreamError("the stream is damaged: its payload begins with ff ff ff ff");
    }
  }

  /** The next bit, 0 or 1; undefined if the data ends before it is settled. */
  decode(probability: number): number | undefined {
    const bound = (this.range >>> PROBABILITY_BITS) * probability;
    const missing = this.position - this.data.length;
    if (missing > 0) {
      // Whatever the missing bytes are, read as zeros so far, the bit must be the same.
      const most = this.code + 256 ** missing;
      if (most > bound && (this.code < bound || most > this.range)) return undefined;
    }
    let bit = 1;
    if (this.code < bound) {
      this.range = bound;
    } else {
      bit = 0;
      this.code -= bound;
      this.range -= bound;
    }
    while (this.range < RANGE_MIN) {
      this.code = this.code * 256 + (this.data[this.position] ?? 0);
      this.range *= 256;
      this.position++;
    }
    return bit;
  }

  /** How many of the bytes it takes to settle the bits read so far. */
  get used(): number {
    return settledSize(this.data, this.position, this.code, this.range);
  }
}

/** How many bytes settle the bits that were read by a decoder with these numbers. */
function settledSize(data: Uint8Array, position: number, code: number, range: number): number {
  for (let spare = RANGE_BYTES; spare > 0; spare--) {
    const known = code - numberAt(data, position - spare, spare);
    if (known >= 0 && known + 256 ** spare <= range) return position - spare;
  }
  return position;
}

/** The number that some bytes make, the highest first; bytes past the end are zeros. */
function numberAt(data: Uint8Array, position: number, count: number): number {
  let number = 0;
  for (let i = position; i < position + count; i++) number = number * 256 + (data[i] ?? 0);
  return number;
}

function carry(out: number[]): void {
  let position = out.length - 1;
  while (out[position] === 0xff) out[position--] = 0;
  out[position]++;
}
