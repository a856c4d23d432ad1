import { CorruptStreamError } from "./errors.js";

const START = 4; // Bytes that are read before the first decision.
const LEAST_RANGE = 2 ** 24;

/** Reads decisions of known probability, as far as the bytes settle them; zeros follow the bytes. */
export class RangeDecoder {
  private code = 0;
  private range = 0xffffffff;
  private position = 0;

  constructor(private readonly data: Uint8Array) {
    while (this.position < START) this.readByte();
    if (this.code >= this.range) {
      throw new CorruptStreamError("the preview is damaged: its payload begins with ff ff ff ff");
    }
  }

  /** Whether the next decision is 1, the probability of that in 65536ths; undefined if not settled. */
  decode(probability: number): boolean | undefined {
    const bound = (this.range >>> 16) * probability;
    const missing = this.position - this.data.length;
    const isOne = this.code < bound;
    // Whatever the missing bytes are, read as zeros so far, the decision must be the same.
    if (missing > 0 && this.code + 256 ** missing > (isOne ? bound : this.range)) return undefined;
    if (isOne) this.range = bound;
    else {
      this.code -= bound;
      this.range -= bound;
    }
    for (; this.range < LEAST_RANGE; this.range *= 256) this.readByte();
    return isOne;
  }

  private readByte(): void {
    this.code = this.code * 256 + (this.data[this.position++] ?? 0);
  }
}
