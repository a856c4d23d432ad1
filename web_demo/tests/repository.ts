/** The files that Python, Kotlin and TypeScript share. Tests run in web_demo/. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { PNG } from "pngjs";
import { fromHex } from "../src/codec/bytes";
import type { Pixels } from "../src/codec/pixels";

export const REPOSITORY = resolve("..");

export function readBytes(...path: string[]): Uint8Array {
  return new Uint8Array(readFileSync(join(REPOSITORY, ...path)));
}

export function readJson<T>(...path: string[]): T {
  return JSON.parse(readFileSync(join(REPOSITORY, ...path), "utf8"));
}

export function readPng(...path: string[]): Pixels {
  const { width, height, data } = PNG.sync.read(readFileSync(join(REPOSITORY, ...path)));
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    rgb.set(data.subarray(4 * i, 4 * i + 3), 3 * i);
  }
  return { width, height, data: rgb };
}

/** What a client must reproduce of one image; export/README.md describes it. */
export interface GoldenImage {
  readonly name: string;
  readonly image: Pixels;
  readonly stream: Uint8Array;
  /** Packed planes. */
  readonly planes: readonly Uint8Array[];
  /** After each iteration. */
  readonly pictures: readonly Pixels[];
}

/** A folder of export/ with files of one size. */
export interface ExportedFolder {
  readonly name: string;
  readonly path: readonly string[];
  readonly size: readonly [number, number];
}

/** All folders of export/ that are there. */
export function exportedFolders(): ExportedFolder[] {
  const found: ExportedFolder[] = [];
  for (const model of readdirSync(join(REPOSITORY, "export"), { withFileTypes: true })) {
    if (!model.isDirectory()) continue;
    for (const name of readdirSync(join(REPOSITORY, "export", model.name))) {
      const path = ["export", model.name, name];
      if (!existsSync(join(REPOSITORY, ...path, "manifest.json"))) continue;
      const { size } = readJson<{ size: [number, number] }>(...path, "manifest.json");
      found.push({ name: path.join("/"), path, size });
    }
  }
  return found;
}

export function goldenImages({ path }: ExportedFolder): GoldenImage[] {
  const golden = [...path, "golden"];
  const entries = readJson<{ name: string; bits: string[] }[]>(...golden, "golden.json");
  return entries.map(({ name, bits }) => {
    const image = readPng(...golden, `${name}.png`);
    const all = readPng(...golden, `${name}_steps.png`);
    const size = image.data.length;
    return {
      name,
      image,
      stream: readBytes(...golden, `${name}.rnnc`),
      planes: bits.map(fromHex),
      pictures: bits.map((_, iteration) => ({
        ...image,
        data: all.data.subarray(iteration * size, (iteration + 1) * size),
      })),
    };
  });
}

/** The greatest difference of two pictures in grey levels. */
export function levels(a: Pixels, b: Pixels): number {
  if (a.width !== b.width || a.height !== b.height) return Number.POSITIVE_INFINITY;
  let most = 0;
  for (let i = 0; i < a.data.length; i++) most = Math.max(most, Math.abs(a.data[i] - b.data[i]));
  return most;
}

/** Random numbers from 0 to 1, the same for the same seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A picture of gradients, edges and some noise. */
export function synthetic(width: number, height: number, seed = 1): Pixels {
  const next = random(seed);
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const disc = (x - width / 3) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2 ? 90 : 0;
      for (let channel = 0; channel < 3; channel++) {
        const wave = 60 * Math.sin((x * (channel + 1)) / 17 + y / 23);
        data[i++] = Math.min(Math.max(110 + wave + disc * (channel - 1) + 20 * next(), 0), 255);
      }
    }
  }
  return { width, height, data };
}
