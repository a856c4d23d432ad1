/** What `npm pack` makes, as a project gets it. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { goldenPreviews, WEIGHTS_FILE } from "./repository";

const MAX_DECODER_BYTES = 5000;
const folder = mkdtempSync(join(tmpdir(), "preview-"));
after(() => rmSync(folder, { recursive: true }));

test("the decoder is small", () => {
  const compressed = gzipSync(readFileSync("dist/index.js"), { level: 9 }).length;
  assert.ok(compressed <= MAX_DECODER_BYTES, `${compressed} bytes`);
});

test("an empty project can use the package", () => {
  const { preview, pixels } = goldenPreviews()[8];
  const run = (command: string, ...words: string[]) =>
    execFileSync(command, words, { cwd: folder, encoding: "utf8" });
  // dist/ is built already.
  const packing = ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder];
  const tarball = execFileSync("npm", packing, { encoding: "utf8" }).trim();
  writeFileSync(join(folder, "package.json"), '{"type": "module"}');
  run("npm", "install", "--offline", "--no-audit", "--no-fund", "--silent", tarball);
  const installed = join(folder, "node_modules/tfrnnc-preview");
  assert.deepEqual(readFileSync(join(installed, "dist/decoder.bin")), readFileSync(WEIGHTS_FILE));
  assert.match(readFileSync(join(installed, "LICENSE"), "utf8"), /Apache License/);

  const program = `
    import { readFileSync } from "node:fs";
    import { fileURLToPath } from "node:url";
    import { decodePreview, type Preview, previewColor, readWeights } from "tfrnnc-preview";
    import { weights } from "tfrnnc-preview/weights";
    const file = fileURLToPath(import.meta.resolve("tfrnnc-preview/decoder.bin"));
    const read = readWeights(readFileSync(file));
    const pictures: Preview[] = [weights, read].map((each) => decodePreview("${preview}", each));
    const [red, green, blue]: [number, number, number] = previewColor("${preview}");
    console.log(JSON.stringify([pictures.map(({ rgba }) => [...rgba]), red + green + blue]));
  `;
  writeFileSync(join(folder, "program.ts"), program);
  const types = ["--typeRoots", resolve("node_modules/@types"), "--types", "node"];
  const options = ["--strict", "--module", "nodenext", "--target", "es2022", ...types];
  run(process.execPath, resolve("node_modules/typescript/bin/tsc"), ...options, "program.ts");
  const [pictures] = JSON.parse(run(process.execPath, "program.js"));
  for (const rgba of pictures) {
    assert.deepEqual(
      rgba.filter((_: number, i: number) => i % 4 < 3),
      pixels,
    );
  }
});
