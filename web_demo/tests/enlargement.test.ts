/** The enlargement of decoded pictures against tests/golden, and against its formula. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pixels } from "../src/codec";
import { enlarge } from "../src/codec/enlargement";
import { random, readJson } from "./repository";

interface GoldenPicture {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly coded: string;
  readonly enlarged: string;
}

const GOLDEN = readJson<GoldenPicture[]>("tests/golden/enlargement.json");
const bytes = (text: string) => new Uint8Array(Buffer.from(text, "base64"));
const half = (side: number) => Math.ceil(side / 2);

/** An axis of docs/FORMAT.md, pixel by pixel: `n` pixels become 2n. */
function doubled(n: number, s: (place: number) => number): number[] {
  const at = (place: number) => s(Math.min(Math.max(place, 0), n - 1));
  const out: number[] = [];
  for (let i = 0; i < n; i++) {
    out.push(-3 * at(i - 2) + 29 * at(i - 1) + 111 * at(i) - 9 * at(i + 1));
    out.push(-9 * at(i - 1) + 111 * at(i) + 29 * at(i + 1) - 3 * at(i + 2));
  }
  return out;
}

function byTheFormula(picture: Pixels, width: number, height: number): Uint8Array {
  const data = new Uint8Array(width * height * 3);
  for (let channel = 0; channel < 3; channel++) {
    const rows = Array.from({ length: picture.height }, (_, y) =>
      doubled(picture.width, (x) => picture.data[(y * picture.width + x) * 3 + channel]),
    );
    for (let x = 0; x < width; x++) {
      const column = doubled(picture.height, (y) => rows[y][x]);
      for (let y = 0; y < height; y++) {
        const level = Math.floor((column[y] + 8192) / 16384);
        data[(y * width + x) * 3 + channel] = Math.min(Math.max(level, 0), 255);
      }
    }
  }
  return data;
}

test("there are golden pictures of all kinds of sizes", () => {
  const sizes = new Set(GOLDEN.map(({ width, height }) => `${width}x${height}`));
  for (const size of ["1x1", "2x1", "1x2", "3x5", "17x9", "64x48"])
    assert.ok(sizes.has(size), size);
});

for (const { name, width, height, coded, enlarged } of GOLDEN) {
  test(`enlarges the golden picture: ${name}`, () => {
    const picture = { width: half(width), height: half(height), data: bytes(coded) };
    const found = enlarge(picture, { width, height });
    assert.deepEqual(found, { width, height, data: bytes(enlarged) });
    assert.deepEqual(byTheFormula(picture, width, height), found.data);
  });
}

test("enlarges pictures of any size as the formula says", () => {
  const next = random(6);
  for (let i = 0; i < 200; i++) {
    const [width, height] = [1 + Math.floor(next() * 24), 1 + Math.floor(next() * 24)];
    const size = { width: half(width), height: half(height) };
    // Black and white clip most.
    const level = () => (i % 2 ? 255 * Math.round(next()) : next() * 256);
    const data = Uint8Array.from({ length: size.width * size.height * 3 }, level);
    const before = data.slice();
    const found = enlarge({ ...size, data }, { width, height });
    assert.deepEqual(found.data, byTheFormula({ ...size, data }, width, height));
    assert.deepEqual(data, before);
  }
});

test("one level stays what it is", () => {
  for (const level of [0, 1, 127, 254, 255]) {
    const data = new Uint8Array(7 * 4 * 3).fill(level);
    const found = enlarge({ width: 7, height: 4, data }, { width: 13, height: 8 });
    assert.ok(found.data.every((each) => each === level));
    assert.equal(found.data.length, 13 * 8 * 3);
  }
});
