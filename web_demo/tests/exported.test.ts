/** The files of export/ in LiteRT.js against the golden vectors that Python made. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { codecOfFolder } from "../scripts/litert_in_node";
import {
  type Codec,
  ModelError,
  type Pixels,
  packPlane,
  readHeader,
  StreamError,
  toHex,
  WrongModelError,
} from "../src/codec";
import type { WindowOptions } from "../src/litert/litert_runtime";
import { loadCodec } from "../src/litert/load";
import { parseManifest } from "../src/litert/manifest";
import {
  type ExportedFolder,
  exportedFolders,
  goldenImages,
  levels,
  REPOSITORY,
  random,
  readBytes,
  readJson,
  readPng,
  synthetic,
} from "./repository";

const folders = exportedFolders();
const exportedCodec = ({ path }: ExportedFolder, options?: WindowOptions) =>
  codecOfFolder(join(REPOSITORY, ...path), options);

test("there are exported files", () => {
  assert.ok(folders.length > 1);
});

for (const folder of folders) {
  const codec = exportedCodec(folder);
  for (const golden of goldenImages(folder)) {
    test(`${folder.name} decodes ${golden.name} as Python does`, async () => {
      const { planes } = (await codec).readPlanes(golden.stream);
      assert.deepEqual(planes.map(packPlane).map(toHex), golden.planes.map(toHex));
      let iteration = 0;
      for await (const picture of (await codec).decodeProgressive(golden.stream)) {
        assert.ok(levels(picture, golden.pictures[iteration++]) <= 1);
      }
      assert.equal(iteration, golden.pictures.length);
    });

    test(`${folder.name} encodes ${golden.name} to the same bytes`, async () => {
      const { data, picture } = await (await codec).encode(golden.image);
      assert.equal(toHex(data), toHex(golden.stream));
      assert.ok(levels(picture, golden.pictures[golden.pictures.length - 1]) <= 1);
    });
  }
}

const bySize = (a: ExportedFolder, b: ExportedFolder) => a.size[0] - b.size[0];
const kinds = new Map<string, ExportedFolder[]>();
for (const folder of [...folders].sort(bySize)) {
  const kind = folder.name.replace(/_\d+x\d+$/, "");
  kinds.set(kind, [...(kinds.get(kind) ?? []), folder]);
}

for (const [kind, sizes] of kinds) {
  for (const made of sizes) {
    for (const vectors of sizes.filter((folder) => folder !== made)) {
      test(`${kind} made for ${made.size} reproduces the vectors of ${vectors.size}`, async () => {
        const codec = await exportedCodec(made);
        for (const golden of goldenImages(vectors)) {
          assert.equal(toHex((await codec.encode(golden.image)).data), toHex(golden.stream));
          const picture = await codec.decode(golden.stream);
          assert.ok(levels(picture, golden.pictures[golden.pictures.length - 1]) <= 1);
        }
      });
    }
  }
  const largest = sizes[sizes.length - 1];

  test(`${kind} in windows reproduces the vectors of ${largest.size}`, async () => {
    const windows = { maxPixelsAtOnce: 0, windowSide: 120 };
    const codec = await exportedCodec(largest, windows);
    for (const golden of goldenImages(largest)) {
      assert.equal(toHex((await codec.encode(golden.image)).data), toHex(golden.stream));
      const picture = await codec.decode(golden.stream);
      assert.ok(levels(picture, golden.pictures[golden.pictures.length - 1]) <= 1);
    }
  });
}

for (const [kind, sizes] of kinds) {
  test(`${kind} shows no seams: windows give what the whole image gives`, async () => {
    const image = synthetic(233, 150);
    const whole = await exportedCodec(sizes[0]);
    const pieces = await exportedCodec(sizes[0], { maxPixelsAtOnce: 0, windowSide: 72 });
    const other = pieces.encodeIterations(image, 3);
    for await (const { plane, picture } of whole.encodeIterations(image, 3)) {
      const found = (await other.next()).value;
      assert.deepEqual(found?.plane, plane);
      assert.ok(levels(found.picture, picture) === 0);
    }
  });

  test(`${kind} gives pictures or errors of the codec for damaged streams`, async () => {
    const codec = await exportedCodec(sizes[0]);
    const originals = goldenImages(sizes[0]).map(({ stream }) => stream);
    const next = random(11);
    let pictures = 0;
    for (let i = 0; i < 300; i++) {
      const data = originals[i % originals.length].slice(0, 16 + Math.floor(next() * 200));
      const place = Math.floor(next() * data.length);
      if (next() < 0.8) data[place] ^= 1 << Math.floor(next() * 8);
      try {
        const { width, height } = await codec.decode(data, { allowTruncated: true });
        assert.ok(width > 0 && height > 0);
        pictures++;
      } catch (error) {
        assert.ok(error instanceof StreamError, String(error));
      }
    }
    assert.ok(pictures > 50 && pictures < 300);
  });
}

test("the golden streams of the presets are decoded, or their model is named", async () => {
  // Of 8-bit weights, as the presets' own files; where `make export` was run there are others too.
  const shipped = folders.find((folder) => folder.name.includes("small_"));
  assert.ok(shipped);
  const codec = await exportedCodec(shipped);
  const names = readdirSync(join(REPOSITORY, "tests/golden")).filter((name) =>
    name.endsWith(".rnnc"),
  );
  assert.ok(names.length > 0);
  for (const name of names) {
    const data = readBytes("tests/golden", name);
    const { header } = readHeader(data);
    const known = header.entropyCoded ? codec.entropyModel?.entropyCodedId : codec.runtime.modelId;
    if (toHex(header.modelId) === toHex(known ?? new Uint8Array(0))) {
      const expected = readPng("tests/golden", name.replace(/(_v\d+)?\.rnnc$/, ".png"));
      assert.ok(levels(await codec.decode(data), expected) <= 1, name);
    } else {
      await assert.rejects(codec.decode(data), WrongModelError);
    }
  }
});

test("one codec, used for several sizes at a time", async () => {
  const sizes = [
    [40, 64],
    [96, 24],
    [64, 64],
  ] as const;
  const images = sizes.map(([width, height], seed) => synthetic(width, height, seed + 1));
  const code = async (codec: Codec, image: Pixels) => {
    const { data } = await codec.encode(image, { iterations: 3 });
    return { data, picture: await codec.decode(data) };
  };
  const alone = await exportedCodec(folders[0]);
  const expected = [];
  for (const image of images) expected.push(await code(alone, image));
  const shared = await exportedCodec(folders[0]);
  const found = await Promise.all(images.map((image) => code(shared, image)));
  for (const [i, { data, picture }] of found.entries()) {
    assert.equal(toHex(data), toHex(expected[i].data));
    assert.equal(levels(picture, expected[i].picture), 0);
  }
});

test("models that cannot be run say why", async () => {
  const { path } = folders[0];
  const manifest = readJson<Record<string, unknown>>(...path, "manifest.json");
  const load = (change: object, files: Record<string, Uint8Array> = {}) =>
    loadCodec(async (name) => {
      const text = JSON.stringify({ ...manifest, ...change });
      if (name === "manifest.json") return new TextEncoder().encode(text);
      return files[name] ?? readBytes(...path, name);
    });
  await assert.rejects(load({ size: null }), /no fixed size, as browsers need it/);
  await assert.rejects(load({ encoders: [] }), /no encoders/);
  await assert.rejects(load({ model_id: "00000000" }), /the entropy model is of model/);
  const damaged = { "decoder_1.tflite": new Uint8Array(9) };
  await assert.rejects(load({}, damaged), /decoder_1.tflite is damaged/);
  await assert.rejects(
    loadCodec(async () => undefined),
    /manifest.json is missing/,
  );
  assert.throws(() => parseManifest("{"), ModelError);
});
