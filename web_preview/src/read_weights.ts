/** The decoder's file, `decoder.bin`: tables and weights; docs/PREVIEW.md describes it. */

import { crc32 } from "./crc32.js";
import { ModelError } from "./errors.js";

const MAGIC = 0x54465056; // "TFPV"
const FILE_VERSION = 1;
const HEADER_BYTES = 5;
const CHECKSUM_BYTES = 4;
/** How a number of each table is read, its bytes, and how many there are, in the file's order. */
const TABLES = {
  place: ["getUint16", 2, 330],
  scale: ["getInt8", 1, 330],
  stepSize: ["getUint16", 2, 8 * 3],
  expected: ["getUint16", 2, 22],
  probability: ["getUint16", 2, 22 * 2 * 15 * 3],
  reconstruction: ["getUint8", 1, 22 * 2 * 2],
  basis: ["getInt16", 2, 16 * 32],
} as const;
/** Inputs and outputs of each layer, 3x3 convolutions, in the file's order. */
const LAYERS = { first: [50, 40], second: [40, 40], output: [40, 48] } as const;

/** A convolution in whole numbers. */
export interface Layer {
  /** How many bits the sums are shifted to the right. */
  readonly shift: number;
  /** Added to the sums before, half of the last place that stays included. */
  readonly bias: Int32Array;
  /** (row, column, input, output). */
  readonly kernel: Int8Array;
}

/** What the decoder has learned; `readWeights` reads it, `tfrnnc-preview/weights` holds it. */
export type PreviewWeights = Readonly<
  Record<keyof typeof TABLES, Int32Array> & Record<keyof typeof LAYERS, Layer>
>;

/**
 * Reads the content of `decoder.bin`.
 *
 * @throws ModelError if it is damaged, cut or of another version.
 */
export function readWeights(content: ArrayBuffer | Uint8Array): PreviewWeights {
  const bytes = new Uint8Array(content); // A copy of an array: it cannot change under the layers.
  check(bytes);
  const view = new DataView(bytes.buffer);
  let at = HEADER_BYTES;
  const tables = Object.entries(TABLES).map(([name, [read, width, count]]) => {
    const values = new Int32Array(count);
    for (let i = 0; i < count; i++, at += width) values[i] = view[read](at, true);
    return [name, values];
  });
  const layers = Object.entries(LAYERS).map(([name, [inputs, outputs]]) => {
    const shift = bytes[at++];
    const bias = new Int32Array(outputs);
    for (let i = 0; i < outputs; i++, at += 4) {
      bias[i] = view.getInt32(at, true) + ((1 << shift) >> 1);
    }
    const kernel = new Int8Array(bytes.buffer, at, 9 * inputs * outputs);
    at += kernel.length;
    return [name, { shift, bias, kernel }];
  });
  return Object.fromEntries([...tables, ...layers]);
}

function check(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer);
  const end = bytes.length - CHECKSUM_BYTES;
  let size = HEADER_BYTES;
  for (const [, width, count] of Object.values(TABLES)) size += width * count;
  for (const [inputs, outputs] of Object.values(LAYERS)) size += 1 + (4 + 9 * inputs) * outputs;
  if (end !== size || view.getInt32(0) !== MAGIC || bytes[4] !== FILE_VERSION) {
    throw new ModelError(
      `the weights of ${bytes.length} bytes are none of this version; serve the decoder.bin of this package`,
    );
  }
  if (view.getInt32(end, true) !== crc32(bytes.subarray(0, end))) {
    throw new ModelError("the weights are damaged; serve the decoder.bin of this package");
  }
}
