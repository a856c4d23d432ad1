/**
 * Makes the example that the page opens with: a photo, its stream, and what the first few thousand
 * bytes of that show, so that the page shows it before it loads the model.
 * `make_example PHOTO MODEL OUTPUT`; build.mjs bundles and calls it.
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { PNG } from "pngjs";
import { fromRgba, type Pixels, toHex, toRgba } from "../src/codec";
import type { ExampleInfo } from "../src/page/example";
import { codecOfFolder } from "./litert_in_node";

/** The page opens at the end of the first iteration of no fewer bytes. */
const START_BYTES = 2500;

const [photo, model, output] = process.argv.slice(2);

function writePng(path: string, picture: Pixels): void {
  const { width, height } = picture;
  const png = new PNG({ width, height });
  png.data = Buffer.from(toRgba(picture));
  writeFileSync(path, PNG.sync.write(png, { colorType: 2 }));
}

/** The stream with a number of whole iterations: cut, it takes a few bytes more than their end. */
function shortest(iterations: number): Uint8Array {
  for (let size = ends[iterations - 1]; ; size++) {
    const part = stream.shorten(size) ?? data;
    if (stream.read(part, { allowTruncated: true }).wholeIterations >= iterations) return part;
  }
}

const { width, height, data: rgba } = PNG.sync.read(readFileSync(photo));
const image = fromRgba({ width, height, data: new Uint8ClampedArray(rgba) });
const codec = await codecOfFolder(model);
const { data } = await codec.encode(image);
const stream = codec.open(data);
const { ends } = stream.planes;
const iterations = 1 + ends.findIndex((end) => end >= START_BYTES) || ends.length;
const start = shortest(iterations);
const planes = stream.read(start);
const info: ExampleInfo = {
  name: basename(photo),
  modelId: toHex(codec.runtime.modelId),
  iterations: codec.maxIterations,
  minBytes: stream.minBytes(),
  sizes: ends,
  wholeIterations: planes.wholeIterations,
};
mkdirSync(output, { recursive: true });
writeFileSync(join(output, "example.json"), JSON.stringify(info));
writeFileSync(join(output, "whole.rnnc"), data);
writeFileSync(join(output, "start.rnnc"), start);
writePng(join(output, "start.png"), await stream.picture(planes));
writePng(join(output, "original.png"), image);
console.log(`${info.name}: ${start.length} of ${data.length} bytes`);
