/** The files of export/ in LiteRT.js against the golden vectors that Python made. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { packPlane, toHex } from "../src/codec";
import { exportedCodec } from "./litert";
import { type ExportedFolder, exportedFolders, goldenImages, levels } from "./repository";

const folders = exportedFolders();

test("there are exported files", () => {
  assert.ok(folders.length > 1);
});

for (const folder of folders) {
  const codec = exportedCodec(folder);
  for (const golden of goldenImages(folder)) {
    test(`${folder.name} decodes ${golden.name} as Python does`, async () => {
      const { planes } = (await codec).readPlanes(golden.stream);
      assert.deepEqual(planes.map(packPlane).map(toHex), golden.planes.map(toHex));
      let step = 0;
      for await (const picture of (await codec).decodeProgressive(golden.stream)) {
        assert.ok(levels(picture, golden.pictures[step++]) <= 1);
      }
      assert.equal(step, golden.pictures.length);
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
