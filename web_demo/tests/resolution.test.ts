/** Images that are reduced before they are encoded: the filter, the measure, and the choice. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ChoosingEncoder,
  Codec,
  ConfigError,
  type Downscale,
  type EncodeOptions,
  type Pixels,
  readHeader,
  StreamError,
  toHex,
} from "../src/codec";
import { concatenate } from "../src/codec/bytes";
import { enlarge } from "../src/codec/enlargement";
import { LEAST_SIDE, MAX_BPP } from "../src/codec/format";
import { squaredError } from "../src/codec/pixels";
import { reduce } from "../src/codec/reduction";
import { blockSsim } from "../src/codec/ssim";
import { ENTROPY_MODEL, MeanRuntime } from "./mean_runtime";
import { synthetic } from "./repository";

/** Images by formulas, of which Python has made what is below. */
const FORMULAS = {
  noise: (i: number) => (i * i * 31 + i * 17) % 251,
  stripes: (i: number, x: number, y: number) =>
    255 * ((Math.floor(x / 7) + Math.floor(y / 5) + (i % 3)) % 2),
};

function formula(name: keyof typeof FORMULAS, width: number, height: number): Pixels {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const place = Math.floor(i / 3);
    return FORMULAS[name](i, place % width, Math.floor(place / width));
  });
  return { width, height, data };
}

/** What Pillow's Lanczos filter makes of them at half the width and height, rounded up. */
// biome-ignore format: a table
const REDUCED = [
  ["noise", 1, 1, "ADCe"],
  ["noise", 2, 1, "KDeF"],
  ["noise", 1, 2, "KDeF"],
  ["noise", 3, 5, "a1WA0LCMk5+1t3p7f3Scqi8e"],
  ["noise", 17, 9, "gFd1lmSjlqaCkJuQs36QekGNi4NwjYhAcMiBnp2JcKuwfY6MYXdCb0VhbIubnblbn5NyJkSCQ3hki4x9sKx1laCOinZ3Sr+6YndskUqPXYiIn5OHgKuTpmWIaF6RT5dyfGCMtUygfIJ0aMKRwpxGkM1nnH8OMlt3ond1kqu0rXmCVoFmNhEg"],
  ["stripes", 17, 9, "BfoFCvUKBfoFf39/+gX6+Qb57RLtEu0SBfoFAP8AAP8AAP8Af39//wD//wD//wD/AP8AAP8Af39/f39/f39/f39/f39/f39/f39/f39/f39//wD//wD//wD/f39/AP8AAP8AAP8A/wD//wD/+gX69Qr1+gX6f39/BfoFBvkGEu0S7RLt+gX6"],
  ["stripes", 16, 6, "BPsECfYJBPsEf39/+wT7+wT76hXqEu0SAP8AAP8AAP8Af39//wD//wD//AP8AP8AeYZ5eYZ5eYZ5f39/hnmGhnmGhXqFeYZ5"],
] as const;

for (const [name, width, height, expected] of REDUCED) {
  test(`reduces as Pillow does: ${name}, ${width}x${height}`, () => {
    const found = reduce(formula(name, width, height));
    assert.deepEqual([found.width, found.height], [Math.ceil(width / 2), Math.ceil(height / 2)]);
    assert.equal(Buffer.from(found.data).toString("base64"), expected);
  });
}

test("SSIM on blocks is that of Python", () => {
  for (const [width, height, expected] of [
    [1, 1, 0.9985705899651075],
    [8, 8, 0.9961694476601114],
    [17, 9, 0.9417540272563735],
    [30, 21, 0.9960759034838945],
  ]) {
    const image = formula("noise", width, height);
    const coarse = { ...image, data: image.data.map((level) => level & 0xf0) };
    assert.ok(Math.abs(blockSsim(image, coarse) - expected) < 1e-9);
    assert.equal(blockSsim(image, image), 1);
  }
});

const codec = new Codec(new MeanRuntime(), ENTROPY_MODEL);
const small = synthetic(91, 61);
const large = synthetic(150, 131);
const downscaleOf = (data: Uint8Array) => readHeader(data).header.downscale;
const loss = (picture: Pixels) => squaredError(large, picture) * (1 - blockSsim(large, picture));

test("a reduced image is coded as the smaller one, and shown at the size of the image", async () => {
  const { data, picture } = await codec.encode(small, { downscale: 2 });
  const { header } = readHeader(data);
  assert.deepEqual([header.width, header.height, header.downscale], [91, 61, 2]);
  const reduced = reduce(small);
  const alone = await codec.encode(reduced, { downscale: 1 });
  const { planes } = codec.readPlanes(data);
  assert.deepEqual(planes, codec.readPlanes(alone.data).planes);
  const shown = await codec.decode(data);
  assert.deepEqual(shown, picture);
  assert.deepEqual(shown, enlarge(alone.picture, small));

  const opened = codec.open(data);
  const steps: Pixels[] = [];
  for await (const step of codec.decodeProgressive(data)) steps.push(step);
  assert.equal(steps.length, planes.length);
  for (const [i, step] of steps.entries()) {
    const iterations = i + 1;
    assert.deepEqual(step, await codec.decode(data, { iterations }));
    const part = await codec.decode(alone.data, { iterations });
    assert.deepEqual(step, enlarge(part, small));
    assert.deepEqual(step, await opened.picture(opened.read(data, { iterations })));
  }
});

test("a stream of a reduced image may be cut at every byte, and shortened", async () => {
  const { data } = await codec.encode(small, { downscale: 2 });
  const opened = codec.open(data);
  let pictures = 0;
  for (let size = 0; size < data.length; size++) {
    try {
      const { width, height } = await codec.decode(data.subarray(0, size), {
        allowTruncated: true,
      });
      assert.deepEqual([width, height], [91, 61]);
      pictures++;
    } catch (error) {
      assert.ok(pictures === 0 && error instanceof StreamError, `${size} bytes: ${error}`);
    }
    const shorter = opened.shorten(size);
    if (!shorter || size < opened.minBytes()) continue;
    assert.ok(shorter.length <= size);
    assert.equal(downscaleOf(shorter), 2);
    const shown = await codec.decode(shorter);
    assert.deepEqual(shown, await opened.picture(opened.read(shorter)));
  }
  assert.ok(pictures > data.length / 2);
});

test("the better of two resolutions is taken, where half of it may pay", async () => {
  const most = Math.floor((MAX_BPP * large.width * large.height) / 8);
  const encoder = codec.encoder(large);
  const encode = async (downscale: Downscale, maxBytes: number) => {
    const encoded = await codec.encode(large, { downscale, maxBytes });
    assert.ok(encoded.data.length <= maxBytes);
    assert.deepEqual(await codec.decode(encoded.data), encoded.picture);
    return encoded;
  };
  const taken = new Set<number>();
  for (let maxBytes = await encoder.minBytes(); maxBytes < 400; maxBytes += 7) {
    const best = await encode("auto", maxBytes);
    const half = await encode(2, maxBytes);
    assert.equal(downscaleOf(half.data), 2);
    let expected = half;
    try {
      const whole = await encode(1, maxBytes);
      if (loss(whole.picture) <= loss(half.picture)) expected = whole;
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error));
    }
    assert.equal(toHex(best.data), toHex(expected.data), `${maxBytes} bytes`);
    taken.add(downscaleOf(best.data));
    // What the page shows of it, whole and cut.
    const fitted = await encoder.fit(maxBytes);
    assert.equal(toHex(fitted.data), toHex(best.data));
    const planes = encoder.read(fitted.data, { allowTruncated: true });
    assert.deepEqual(await encoder.picture(planes), best.picture);
  }
  assert.deepEqual([...taken].sort(), [1, 2]);
  await assert.rejects(encoder.fit((await encoder.minBytes()) - 1), ConfigError);
  assert.ok(most > 400);
});

test("half the resolution is not tried without a limit, above it, and for small images", async () => {
  const tried: number[] = [];
  const encoderOf = (image: Pixels) =>
    new ChoosingEncoder(image, "auto", (downscale) => {
      tried.push(downscale);
      return codec.encoder(image, { downscale: 1 }) as never;
    });
  const side = LEAST_SIDE;
  const rate = (MAX_BPP * side * side) / 8;
  for (const [width, height, maxBytes, expected] of [
    [side, side, undefined, [1]],
    [side, side, rate + 1, [1]],
    [side, side, rate, [1, 2]],
    [side - 1, 2 * side, rate, [1]],
    [2 * side, side - 1, rate, [1]],
  ] as const) {
    tried.length = 0;
    await encoderOf(synthetic(width, height)).fit(maxBytes);
    assert.deepEqual(tried, expected, `${width}x${height}, ${maxBytes} bytes`);
  }
});

test("bits per pixel are those of the picture that is shown", async () => {
  const options: EncodeOptions = { bpp: 0.05 };
  const { data } = await codec.encode(large, options);
  assert.equal(downscaleOf(data), 2);
  const maxBytes = Math.floor((0.05 * 150 * 131) / 8);
  assert.ok(data.length <= maxBytes);
  assert.equal(toHex(data), toHex((await codec.encode(large, { maxBytes })).data));
});

test("headerless payloads are reduced only where that is asked for", async () => {
  for (const [downscale, expected] of [
    [undefined, 1],
    ["auto", 1],
    [1, 1],
    [2, 2],
  ] as const) {
    const options = { headerless: true, maxBytes: 40, ...(downscale && { downscale }) };
    const { data, picture } = await codec.encode(large, options);
    const header = codec.sharedHeader(150, 131, true, expected);
    assert.deepEqual(await codec.decode(concatenate(header, data)), picture);
  }
});

test("a downscale that there is none of", () => {
  for (const downscale of [0, 3, 1.5, "half", Number.NaN]) {
    assert.throws(
      () => codec.encoder(small, { downscale: downscale as Downscale }),
      /downscale must be 1, 2 or "auto", not/,
    );
  }
});
