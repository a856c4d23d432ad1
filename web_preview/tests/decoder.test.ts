/** The decoder against the golden vectors that Python made. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { PNG } from "pngjs";
import {
  CorruptStreamError,
  decodePreview,
  ForeignStreamError,
  ModelError,
  previewColor,
  previewDataURL,
  readWeights,
  StreamError,
  TruncatedStreamError,
  UnsupportedVersionError,
} from "../src/index.js";
import { goldenPreviews, WEIGHTS_FILE } from "./repository";

const file = new Uint8Array(readFileSync(WEIGHTS_FILE));
const weights = readWeights(file);
const golden = goldenPreviews();

/** A string of any characters to be had from a seed. */
function noise(seed: number): string {
  let state = seed;
  const next = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const letters = "AXYZabz019-_+= \n\0é";
  // Most begin as a preview does.
  const start = next(4) ? "X" : "";
  return start + Array.from({ length: next(100) }, () => letters[next(next(3) ? 11 : 18)]).join("");
}

test("pixels, colours and shapes are Python's", () => {
  assert.ok(golden.length > 25);
  for (const { preview, width, height, color, pixels } of golden) {
    const found = decodePreview(preview, weights);
    assert.deepEqual([...found.rgba.filter((_, i) => i % 4 < 3)], pixels, preview);
    assert.ok(found.rgba.every((value, i) => i % 4 < 3 || value === 255));
    assert.equal(found.aspectRatio, width / height);
    assert.deepEqual([found.width, found.height], [32, 32]);
    assert.deepEqual(previewColor(preview), color);
    assert.deepEqual(previewColor(preview.slice(0, 4)), color);
  }
});

test("a character that fills no byte does not matter", () => {
  const { preview } = golden.filter(({ preview }) => preview.length === 85).at(-1) ?? golden[0];
  for (const [whole, more] of [
    [4, 5],
    [8, 9],
  ]) {
    const expected = decodePreview(preview.slice(0, whole), weights);
    assert.deepEqual(decodePreview(preview.slice(0, more), weights), expected);
  }
});

test("the PNG is the picture in its shape", () => {
  for (const { preview, width, height, pixels } of golden) {
    const url = previewDataURL(preview, weights);
    assert.ok(url.startsWith("data:image/png;base64,"));
    const png = PNG.sync.read(Buffer.from(url.slice(url.indexOf(",") + 1), "base64"));
    assert.deepEqual([png.width, png.height], [width, height]);
    const found = [...png.data.filter((_, i) => i % 4 < 3)];
    if (width === 32 && height === 32) assert.deepEqual(found, pixels);
    const mean = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length;
    assert.ok(Math.abs(mean(found) - mean(pixels)) < 1);
  }
});

test("what is no preview is refused as by Python, in the same order", () => {
  const cases: [unknown, new (message: string) => StreamError, RegExp][] = [
    ["", TruncatedStreamError, /of 0 bytes/],
    ["X", TruncatedStreamError, /of 0 bytes/],
    ["X__", TruncatedStreamError, /of 2 bytes/],
    ["AAAA", UnsupportedVersionError, /version 0/],
    ["AA", UnsupportedVersionError, /version 0/],
    ["____", UnsupportedVersionError, /version 3/],
    ["X+__", ForeignStreamError, /characters/],
    ["X___\n", ForeignStreamError, /characters/],
    ["X___==", ForeignStreamError, /characters/],
    ["Xé__", ForeignStreamError, /characters/],
    [`${"X".repeat(10_000)}!`, ForeignStreamError, /characters/],
    ["X".repeat(87), CorruptStreamError, /of 65 bytes/],
    ["A".repeat(87), CorruptStreamError, /of 65 bytes/],
    ["X".repeat(1_000_000), CorruptStreamError, /of 750000 bytes/],
    [null, ForeignStreamError, /null/],
    [undefined, ForeignStreamError, /undefined/],
    [["X___"], ForeignStreamError, /X___/],
  ];
  for (const [text, kind, message] of cases) {
    for (const call of [decodePreview, previewColor, previewDataURL]) {
      assert.throws(
        () => call(text as string, weights),
        (error) => {
          assert.ok(error instanceof kind, `${text} gave ${error}`);
          assert.match(error.message, message);
          return error.message.length < 200 && error.name === kind.name;
        },
      );
    }
  }
});

test("a payload that no encoder writes is refused; its average colour can be read", () => {
  for (const text of ["X_________", `X___${"_".repeat(40)}`]) {
    for (const call of [decodePreview, previewDataURL]) {
      assert.throws(() => call(text, weights), CorruptStreamError);
    }
    assert.deepEqual(previewColor(text), previewColor(text.slice(0, 4)));
  }
  assert.equal(decodePreview("X_______-_", weights).rgba.length, 4 * 32 * 32);
});

test("any string is read or refused", () => {
  let read = 0;
  for (let seed = 0; seed < 1000; seed++) {
    const text = noise(seed);
    try {
      assert.equal(decodePreview(text, weights).rgba.length, 4 * 32 * 32);
      read++;
    } catch (error) {
      assert.ok(error instanceof StreamError, `${JSON.stringify(text)}: ${error}`);
    }
  }
  assert.ok(read > 20 && read < 900, `${read} were read`);
});

test("damaged weights are refused", () => {
  assert.throws(() => readWeights(new Uint8Array()), ModelError);
  assert.throws(() => readWeights(file.subarray(0, -1)), ModelError);
  assert.throws(() => readWeights(new TextEncoder().encode("<!doctype html>")), ModelError);
  for (let place = 0; place < file.length; place += place < 12 ? 1 : 997) {
    const damaged = file.slice();
    damaged[place] ^= 1;
    assert.throws(() => readWeights(damaged), ModelError, `byte ${place}`);
  }
  const { preview } = golden[0];
  const fromBuffer = readWeights(file.buffer.slice(0));
  assert.deepEqual(decodePreview(preview, fromBuffer), decodePreview(preview, weights));
});
