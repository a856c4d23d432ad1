/** Rate control, bare streams and progress, with step models whose answers are simple. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Codec,
  ConfigError,
  type Decoded,
  EntropyModel,
  fromHex,
  ImageError,
  ModelError,
  type Pixels,
  type Plane,
  psnr,
  readHeader,
  type Size,
  type StepModels,
  StreamWriter,
  TruncatedStreamError,
  toHex,
  WrongModelError,
} from "../src/codec";
import { concatenate } from "../src/codec/bytes";
import { toFloats, toPixels } from "../src/codec/pixels";
import { emptyPlane } from "../src/codec/plane";
import { cut, even } from "../src/codec/windows";
import { levels, random, readJson, synthetic } from "./repository";

const GOLDEN = readJson<{ stride: number; bits: number; entropy_model: string }>(
  "tests/golden/v2_container.json",
);
const ENTROPY_MODEL = new EntropyModel(fromHex(GOLDEN.entropy_model));

/** Codes the mean of each channel over a square, each step at half the amplitude. */
class MeanModels implements StepModels {
  readonly modelId = ENTROPY_MODEL.codecId;
  readonly stride = GOLDEN.stride;
  readonly bits = GOLDEN.bits;
  decoded = 0;

  constructor(readonly steps = ENTROPY_MODEL.steps) {}

  async encodeStep(residual: Float32Array, { height, width }: Size) {
    const { stride, bits } = this;
    const plane = emptyPlane({ height: height / stride, width: width / stride, bits });
    const sums = new Float64Array(plane.values.length);
    for (let i = 0; i < residual.length; i++) {
      sums[this.place(i, width, plane)] += residual[i];
    }
    sums.forEach((sum, i) => {
      plane.values[i] = sum >= 0 ? 1 : -1;
    });
    return { plane, states: [] };
  }

  async decodeStep(plane: Plane, before: Decoded | undefined, step: number): Promise<Decoded> {
    this.decoded++;
    const width = plane.width * this.stride;
    const reconstruction = new Float32Array(plane.height * this.stride * width * 3);
    for (let i = 0; i < reconstruction.length; i++) {
      const bit = plane.values[this.place(i, width, plane)];
      reconstruction[i] = (before?.reconstruction[i] ?? 0) + bit * 0.45 * 0.5 ** step;
    }
    return { reconstruction, states: [] };
  }

  private place(i: number, width: number, plane: Plane): number {
    const row = Math.floor(i / 3 / width / this.stride);
    const column = Math.floor((Math.floor(i / 3) % width) / this.stride);
    return (row * plane.width + column) * 3 + (i % 3);
  }
}

/** Those whose pictures grow brighter with each step, even where there are no bits. */
class BrighterModels extends MeanModels {
  readonly independent = true;

  override async decodeStep(plane: Plane, before: Decoded | undefined, step: number) {
    const { reconstruction, states } = await super.decodeStep(plane, before, step);
    return { reconstruction: reconstruction.map((value) => value + 0.05), states };
  }
}

const image = synthetic(90, 61);
const codec = new Codec(new MeanModels(), ENTROPY_MODEL);

test("in dynamic streams a location that stopped stays as it was", async () => {
  const models = new BrighterModels();
  const codec = new Codec(models, ENTROPY_MODEL);
  const steps: { plane: Plane; picture: Pixels }[] = [];
  for await (const step of codec.encodeSteps(image)) steps.push(step);
  const [first, second] = steps;
  const { height, width, bits, values } = second.plane;
  const next = random(4);
  const goesOn = Array.from({ length: height * width }, () => next() < 0.5);
  const { header } = readHeader(codec.sharedHeader(image.width, image.height));
  const settings = { ...header, checked: true, openEnd: false, dynamic: true };
  const writer = new StreamWriter(settings, models.stride, bits, ENTROPY_MODEL);
  writer.add(first.plane);
  const left = values.map((bit, i) => (goesOn[Math.floor(i / bits)] ? bit : 0));
  writer.add({ height, width, bits, values: left });
  const data = writer.whole();

  const picture = await codec.decode(data);
  for (let i = 0; i < picture.data.length; i++) {
    const row = Math.floor(i / 3 / image.width / models.stride);
    const column = Math.floor((Math.floor(i / 3) % image.width) / models.stride);
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
  const others = new Codec(new MeanModels(), ENTROPY_MODEL);
  const shown = await others.decode(data);
  const blank = { height, width, bits, values: left };
  const before = await others.models.decodeStep(first.plane, undefined, 0);
  const { reconstruction } = await others.models.decodeStep(blank, before, 1);
  const size = { height: height * models.stride, width: width * models.stride };
  assert.equal(levels(toPixels(reconstruction, size, image), shown), 0);
});

test("any number of bytes gives the best stream that fits, and decodes to its picture", async () => {
  const encoder = codec.encoder(image);
  const whole = await encoder.fit();
  assert.equal(encoder.steps, 2);
  assert.deepEqual(encoder.sizes.at(-1), whole.data.length);
  let quality = 0;
  let first: number | undefined;
  for (let maxBytes = 0; maxBytes <= whole.data.length + 1; maxBytes++) {
    try {
      const { data, picture, wholeSteps } = await encoder.fit(maxBytes);
      first ??= maxBytes;
      assert.ok(data.length <= maxBytes);
      assert.equal(levels(await codec.decode(data), picture), 0);
      const found = codec.readPlanes(data);
      assert.equal(found.wholeSteps, wholeSteps);
      const reached = psnr(image, picture);
      assert.ok(reached > quality - 1, `${maxBytes} bytes: ${reached} dB after ${quality} dB`);
      quality = Math.max(quality, reached);
      const alone = await codec.encode(image, { maxBytes });
      assert.equal(toHex(alone.data), toHex(data));
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error));
      assert.equal(first, undefined, `${maxBytes} bytes are enough`);
      assert.match(error.message, /are too few for 90x61 pixels: the first step takes/);
    }
  }
  assert.equal(first, await encoder.leastBytes());
  assert.ok(first < encoder.sizes[0] / 2);
});

test("steps and bits per pixel are limits too", async () => {
  const one = await codec.encode(image, { steps: 1 });
  assert.equal(one.wholeSteps, 1);
  assert.equal(codec.readPlanes(one.data).header.steps, 1);
  const { data } = await codec.encode(image, { bpp: 0.1 });
  assert.ok(data.length <= (0.1 * 90 * 61) / 8);
  for (const options of [{ steps: 0 }, { steps: 3 }, { steps: 1.5 }, { bpp: 0 }, { bpp: -1 }]) {
    await assert.rejects(codec.encode(image, options), ConfigError);
  }
});

test("one header serves many images", async () => {
  const header = codec.sharedHeader(90, 61);
  for (const seed of [1, 2, 3]) {
    const picture = synthetic(90, 61, seed);
    for (const options of [
      {},
      { steps: 1 },
      { maxBytes: 20 },
      { maxBytes: 40 },
      { maxBytes: 60 },
    ]) {
      const code = await codec.encode(picture, { ...options, header: false });
      assert.ok(code.data.length <= (options.maxBytes ?? 1e9));
      const decoded = await codec.decode(concatenate(header, code.data));
      assert.equal(levels(decoded, code.picture), 0);
    }
  }
  // To end after a step takes the bytes of the longer code.
  const all = (await codec.encode(image, { header: false })).data;
  const one = (await codec.encode(image, { header: false, steps: 1 })).data;
  assert.equal(toHex(one), toHex(all.subarray(0, one.length)));
});

test("streams without the entropy model, and of other models", async () => {
  const { data } = await codec.encode(image, { entropyCoding: false });
  const plain = new Codec(new MeanModels(5));
  assert.equal(levels(await plain.decode(data), await codec.decode(data)), 0);
  const coded = (await codec.encode(image)).data;
  await assert.rejects(plain.decode(coded), WrongModelError);
  const five = (await plain.encode(image)).data;
  await assert.rejects(codec.decode(five), /has 5 steps, but the model only 2/);
  assert.equal((await codec.decode(five, { steps: 2 })).width, 90);
  assert.throws(() => new Codec(new MeanModels(5), ENTROPY_MODEL), ModelError);
});

test("an opened stream shows each of its parts, with little work", async () => {
  const models = new MeanModels(5);
  const deep = new Codec(models);
  const { data } = await deep.encode(image);
  const opened = deep.open(data);
  await opened.picture(opened.found);
  models.decoded = 0;
  const { ends } = opened.found;
  for (const end of [...ends].reverse()) {
    const found = opened.read(data.subarray(0, end), { allowTruncated: true });
    const picture = await opened.picture(found);
    const expected = await new Codec(new MeanModels(5)).decode(data, { steps: found.wholeSteps });
    assert.equal(levels(picture, expected), 0);
  }
  assert.equal(models.decoded, 0);
  const short = opened.shorten(ends[2] + 3);
  assert.ok(short && short.length <= ends[2] + 3);
  assert.ok((await deep.decode(short)).width === 90);
  assert.equal(opened.shorten(5), undefined);
  const least = opened.leastBytes();
  assert.ok(await deep.decode(opened.shorten(least) as Uint8Array));
  await assert.rejects(deep.decode(opened.shorten(least - 1) as Uint8Array), TruncatedStreamError);
  assert.equal(opened.shorten(1e9), data);
});

test("states that do not fit in the budget are computed again", async () => {
  const models = new MeanModels(6);
  const deep = new Codec(models);
  const { data } = await deep.encode(image);
  const opened = deep.open(data, {}, 0);
  const pictures: Pixels[] = [];
  for await (const picture of deep.decodeProgressive(data)) pictures.push(picture);
  for (const steps of [6, 1, 3, 6, 2, 5, 4]) {
    const part = data.subarray(0, opened.found.ends[steps - 1]);
    const picture = await opened.picture(opened.read(part, { allowTruncated: true }));
    assert.equal(levels(picture, pictures[steps - 1]), 0, `${steps} steps`);
  }
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
