/** The files that Python, Kotlin and TypeScript share. Tests run in web_preview/. */

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const REPOSITORY = resolve("..");
export const WEIGHTS_FILE = join(REPOSITORY, "tfrnnc/presets/preview/decoder.bin");

/** What a decoder must say of a string. */
export interface Golden {
  readonly preview: string;
  readonly width: number;
  readonly height: number;
  readonly color: readonly number[];
  /** Of 32x32 pixels, red, green and blue. */
  readonly pixels: readonly number[];
}

export function readJson<T>(...path: string[]): T {
  return JSON.parse(readFileSync(join(REPOSITORY, ...path), "utf8"));
}

/** The checksum of the weights, as the files that were made with them note it. */
export function weightsChecksum(): string {
  return Buffer.from(readFileSync(WEIGHTS_FILE).subarray(-4).reverse()).toString("hex");
}

/** All golden vectors; `tools/make_preview_vectors.py` makes them. */
export function goldenPreviews(): Golden[] {
  return ["pictures", "cut", "random"].flatMap((name) => {
    const path = ["tests", "golden", "preview", `${name}.json`];
    const { weights_crc32, cases } = readJson<{ weights_crc32: string; cases: Golden[] }>(...path);
    if (weights_crc32 !== weightsChecksum()) {
      throw new Error(`${path.join("/")}: of other weights; run tools/make_preview_vectors.py`);
    }
    return cases;
  });
}
