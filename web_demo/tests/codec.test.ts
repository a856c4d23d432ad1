/** Rate control, headerless streams and progress, with iteration models whose answers are simple. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Codec,
  ConfigError,
  type Decoded,
  type Encoded,
  ImageError,
  ModelError,
  type Pixels,
  type Plane,
  psnr,
  readHeader,
  StreamWriter,
  TooLargeError,
  TruncatedStreamError,
  toHex,
  WrongModelError,
} from "../src/codec";
import { concatenate } from "../src/codec/bytes";
import { toFloats, toPixels } from "../src/codec/pixels";
import { cut, even } from "../src/codec/windows";
import { ENTROPY_MODEL, MeanRuntime } from "./mean_runtime";
import { levels, random, synthetic } from "./repository";

/** Those whose pictures grow brighter with each iteration, even where there are no bits. */
class BrighterRuntime extends MeanRuntime {
  readonly independent = true;

  override async decodeIteration(plane: Plane, before: Decoded | undefined, iteration: number) {
    const { reconstruction, states } = await super.decodeIteration(plane, before, iteration);
    return { reconstruction: reconstruction.map((value) => value + 0.05), states };
  }
}

const image = synthetic(90, 61);
const codec = new Codec(new MeanRuntime(), ENTROPY_MODEL);
const { stride } = codec.runtime;

test("in adaptive streams a location that stopped stays as it was", async () => {
  const runtime = new BrighterRuntime();
  const codec = new Codec(runtime, ENTROPY_MODEL);
  const taken: { plane: Plane; picture: Pixels }[] = [];
  for await (const iteration of codec.encodeIterations(image)) taken.push(iteration);
  const [first, second] = taken;
  const { height, width, bits, values } = second.plane;
  const next = random(4);
  const goesOn = Array.from({ length: height * width }, () => next() < 0.5);
  const { header } = readHeader(codec.sharedHeader(image.width, image.height));
  const settings = { ...header, checked: true, openEnd: false, adaptive: true };
  const writer = new StreamWriter(settings, { stride, bits, entropyModel: ENTROPY_MODEL });
  writer.add(first.plane);
  const left = values.map((bit, i) => (goesOn[Math.floor(i / bits)] ? bit : 0));
  writer.add({ height, width, bits, values: left });
  const data = writer.whole();

  const picture = await codec.decode(data);
  for (let i = 0; i < picture.data.length; i++) {
    const row = Math.floor(i / 3 / image.width / runtime.stride);
    const column = Math.floor((Math.floor(i / 3) % image.width) / runtime.stride);
    const expected = goesOn[row * width + column] ? second.picture : first.picture;
    assert.equal(picture.data[i], expected.data[i]);
  }
  const opened = codec.open(data);
  for (let size = data.length; size > 40; size -= 5) {
    const cut = data.subarray(0, size);
    const found = opened.read(cut, { allowTruncated: true });
    const shown = await codec.decode(cut, { allowTruncated: true });
    assert.equal(levels(await opened.picture(found), shown), 0);
    const shorter = opened.shorten(size);
    assert.ok(shorter && shorter.length <= size);
    await codec.decode(shorter);
  }

  // Where locations depend on each other the missing bits are zeros, and no more.
  const others = new Codec(new MeanRuntime(), ENTROPY_MODEL);
  const shown = await others.decode(data);
  const blank = { height, width, bits, values: left };
  const before = await others.runtime.decodeIteration(first.plane, undefined, 0);
  const { reconstruction } = await others.runtime.decodeIteration(blank, before, 1);
  const size = { height: height * runtime.stride, width: width * runtime.stride };
  assert.equal(levels(toPixels(reconstruction, size, image), shown), 0);
});

test("any number of bytes gives the best stream that fits, and decodes to its picture", async () => {
  const encoder = codec.encoder(image);
  const whole = await encoder.fit();
  assert.equal(encoder.iterations, 2);
  assert.deepEqual(encoder.sizes.at(-1), whole.data.length);
  let quality = 0;
  let first: number | undefined;
  for (let maxBytes = 0; maxBytes <= whole.data.length + 1; maxBytes++) {
    try {
      const { data, picture, wholeIterations } = await encoder.fit(maxBytes);
      first ??= maxBytes;
      assert.ok(data.length <= maxBytes);
      assert.equal(levels(await codec.decode(data), picture), 0);
      const found = codec.readPlanes(data);
      assert.equal(found.wholeIterations, wholeIterations);
      const reached = psnr(image, picture);
      assert.ok(reached > quality - 1, `${maxBytes} bytes: ${reached} dB after ${quality} dB`);
      quality = Math.max(quality, reached);
      const alone = await codec.encode(image, { maxBytes });
      assert.equal(toHex(alone.data), toHex(data));
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error));
      assert.equal(first, undefined, `${maxBytes} bytes are enough`);
      assert.match(error.message, /are too few for 90x61 pixels: the first iteration takes/);
    }
  }
  assert.equal(first, await encoder.minBytes());
  assert.ok(first < encoder.sizes[0] / 2);
});

test("iterations and bits per pixel are limits too", async () => {
  const one = await codec.encode(image, { iterations: 1 });
  assert.equal(one.wholeIterations, 1);
  assert.equal(codec.readPlanes(one.data).header.iterations, 1);
  const { data } = await codec.encode(image, { bpp: 0.1 });
  assert.ok(data.length <= (0.1 * 90 * 61) / 8);
  for (const options of [
    { iterations: 0 },
    { iterations: 3 },
    { iterations: 1.5 },
    { bpp: 0 },
    { bpp: -1 },
  ]) {
    await assert.rejects(codec.encode(image, options), ConfigError);
  }
});

test("one header serves many images", async () => {
  const header = codec.sharedHeader(90, 61);
  for (const seed of [1, 2, 3]) {
    const picture = synthetic(90, 61, seed);
    for (const options of [
      {},
      { iterations: 1 },
      { maxBytes: 20 },
      { maxBytes: 40 },
      { maxBytes: 60 },
    ]) {
      const encoded = await codec.encode(picture, { ...options, headerless: true });
      assert.ok(encoded.data.length <= (options.maxBytes ?? 1e9));
      const decoded = await codec.decode(concatenate(header, encoded.data));
      assert.equal(levels(decoded, encoded.picture), 0);
    }
  }
  // To end after an iteration takes the bytes of the longer payload.
  const all = (await codec.encode(image, { headerless: true })).data;
  const one = (await codec.encode(image, { headerless: true, iterations: 1 })).data;
  assert.equal(toHex(one), toHex(all.subarray(0, one.length)));
});

test("streams without the entropy model, and of other models", async () => {
  const { data } = await codec.encode(image, { entropyCoding: false });
  const plain = new Codec(new MeanRuntime(5));
  assert.equal(levels(await plain.decode(data), await codec.decode(data)), 0);
  const coded = (await codec.encode(image)).data;
  await assert.rejects(plain.decode(coded), WrongModelError);
  const five = (await plain.encode(image)).data;
  await assert.rejects(codec.decode(five), /has 5 iterations, but the model only 2/);
  assert.equal((await codec.decode(five, { iterations: 2 })).width, 90);
  assert.throws(() => new Codec(new MeanRuntime(5), ENTROPY_MODEL), ModelError);
});

test("an opened stream shows each of its parts, with little work", async () => {
  const runtime = new MeanRuntime(5);
  const deep = new Codec(runtime);
  const { data } = await deep.encode(image);
  const opened = deep.open(data);
  await opened.picture(opened.planes);
  runtime.decoded = 0;
  const { ends } = opened.planes;
  for (const end of [...ends].reverse()) {
    const found = opened.read(data.subarray(0, end), { allowTruncated: true });
    const picture = await opened.picture(found);
    const expected = await new Codec(new MeanRuntime(5)).decode(data, {
      iterations: found.wholeIterations,
    });
    assert.equal(levels(picture, expected), 0);
  }
  assert.equal(runtime.decoded, 0);
  const short = opened.shorten(ends[2] + 3);
  assert.ok(short && short.length <= ends[2] + 3);
  assert.ok((await deep.decode(short)).width === 90);
  assert.equal(opened.shorten(5), undefined);
  const least = opened.minBytes();
  assert.ok(await deep.decode(opened.shorten(least) as Uint8Array));
  await assert.rejects(deep.decode(opened.shorten(least - 1) as Uint8Array), TruncatedStreamError);
  assert.equal(opened.shorten(1e9), data);
});

test("states that do not fit in the budget are computed again", async () => {
  const runtime = new MeanRuntime(6);
  const deep = new Codec(runtime);
  const { data } = await deep.encode(image);
  const opened = deep.open(data, {}, 0);
  const pictures: Pixels[] = [];
  for await (const picture of deep.decodeProgressive(data)) pictures.push(picture);
  for (const iterations of [6, 1, 3, 6, 2, 5, 4]) {
    const part = data.subarray(0, opened.planes.ends[iterations - 1]);
    const picture = await opened.picture(opened.read(part, { allowTruncated: true }));
    assert.equal(levels(picture, pictures[iterations - 1]), 0, `${iterations} iterations`);
  }
});

test("encoding has the limits of decoding", async () => {
  // 90x61 pixels are 96x64 at a stride of 8.
  const limits = { maxPixels: 96 * 64, maxWork: 2 * 96 * 64 };
  const { data } = await codec.encode(image, limits);
  await codec.decode(data, limits);
  for (const lower of [{ maxPixels: 96 * 64 - 1 }, { maxWork: 2 * 96 * 64 - 1 }]) {
    await assert.rejects(codec.encode(image, lower), TooLargeError);
    assert.throws(() => codec.encoder(image, lower), TooLargeError);
    await assert.rejects(codec.decode(data, lower), TooLargeError);
    assert.throws(() => codec.open(data, lower), TooLargeError);
  }
  const maxWork = 96 * 64;
  await codec.encode(image, { maxWork, iterations: 1 });
  await codec.decode(data, { maxWork, iterations: 1 });
});

test("at most as many iterations as asked for", async () => {
  const { data } = await codec.encode(image, { iterations: 1 });
  assert.equal(levels(await codec.decode(data, { iterations: 9 }), await codec.decode(data)), 0);
});

test("calls that are under way at a time take turns", async () => {
  const deep = new Codec(new MeanRuntime(6));
  const expected = await deep.encoder(image).fit();
  const encoder = deep.encoder(image);
  const sizes = [400, 100, 300, 5000, 200];
  const fits = await Promise.all([
    encoder.iterate(),
    encoder.minBytes(),
    encoder.iterate(),
    ...sizes.map((size) => encoder.fit(size)),
  ]);
  assert.equal(encoder.iterations, 6);
  assert.equal(toHex((await encoder.fit()).data), toHex(expected.data));
  for (const [i, size] of sizes.entries()) {
    const alone = await deep.encode(image, { maxBytes: size });
    assert.equal(toHex((fits[3 + i] as Encoded).data), toHex(alone.data));
  }
  // A call that failed keeps none of the others from going on.
  const mixed = await Promise.allSettled([encoder.fit(1), encoder.fit(400)]);
  assert.deepEqual(
    mixed.map(({ status }) => status),
    ["rejected", "fulfilled"],
  );
});

test("images whose values are not those of their size", () => {
  const data = new Uint8Array(11);
  assert.throws(() => codec.encoder({ width: 2, height: 2, data }), ImageError);
  assert.throws(() => codec.encoder({ width: 0, height: 2, data: new Uint8Array(0) }), ImageError);
});

test("all levels survive the models' range, and padding repeats edges", () => {
  const data = Uint8Array.from({ length: 256 * 3 }, (_, i) => i / 3);
  const ramp = { width: 32, height: 8, data };
  assert.deepEqual(toPixels(toFloats(ramp, ramp), ramp, ramp).data, data);
  const small = { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 4, 5, 6) };
  const wide = toPixels(
    toFloats(small, { width: 3, height: 2 }),
    { width: 3, height: 2 },
    {
      width: 3,
      height: 2,
    },
  );
  assert.deepEqual([...wide.data], [1, 2, 3, 4, 5, 6, 4, 5, 6, 1, 2, 3, 4, 5, 6, 4, 5, 6]);
});

test("windows make up the axis", () => {
  const next = random(2);
  for (let i = 0; i < 2000; i++) {
    const stride = [1, 4, 8][i % 3];
    const margin = stride * Math.floor(next() * 4);
    const most = 2 * margin + stride * (1 + Math.floor(next() * 20));
    const length = stride * (1 + Math.floor(next() * 300));
    const window = even(length, most, margin, stride);
    assert.ok(window % stride === 0 && window <= Math.max(most, 0));
    let place = 0;
    for (const { start, stop, first, last } of cut(length, window, margin)) {
      assert.equal(first, place);
      assert.ok(start >= 0 && stop <= length && stop - start === window && last > first);
      assert.ok(start === 0 || first - start >= margin);
      assert.ok(stop === length || stop - last >= margin);
      place = last;
    }
    assert.equal(place, length);
  }
});
