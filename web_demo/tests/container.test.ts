/** The container against tests/golden, and against damage. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ConfigError,
  CorruptStreamError,
  EntropyModel,
  ForeignStreamError,
  fromHex,
  type Header,
  ModelError,
  NO_LIMITS,
  type Plane,
  packPlane,
  type ReadOptions,
  readHeader,
  readPlanes,
  StreamError,
  StreamWriter,
  TfrnncError,
  TooLargeError,
  TruncatedStreamError,
  toHex,
  UnsupportedVersionError,
  WrongModelError,
} from "../src/codec";
import { concatenate, crc32 } from "../src/codec/bytes";
import { DOWNSCALE_VERSION, VERSION_BITS } from "../src/codec/format";
import { headerBytes, planeShape } from "../src/codec/header";
import { emptyPlane, planeBits } from "../src/codec/plane";
import { RangeDecoder, RangeEncoder } from "../src/codec/range_coder";
import { shorten } from "../src/codec/stream_writer";
import { random, readJson } from "./repository";

interface GoldenStream {
  readonly name: string;
  readonly stream: string;
  readonly width: number;
  readonly height: number;
  readonly iterations: number;
  readonly model_id: string;
  readonly entropy_coded: boolean;
  readonly checked: boolean;
  readonly open_end: boolean;
  readonly adaptive: boolean;
  readonly downscale: number;
  readonly whole_iterations: number;
  readonly ends: number[];
  readonly positive: string[];
  readonly known: string[];
}

const GOLDEN = readJson<{
  stride: number;
  bits: number;
  entropy_model: string;
  streams: GoldenStream[];
  refused: { name: string; stream: string; error: string }[];
}>("tests/golden/v2_container.json");
const MODEL = new EntropyModel(fromHex(GOLDEN.entropy_model));

const SPEC = { stride: GOLDEN.stride, bits: GOLDEN.bits, entropyModel: MODEL };

const read = (data: Uint8Array, options?: ReadOptions) => readPlanes(data, SPEC, options);
const positive = (plane: Plane) => toHex(packPlane(plane));
const known = (plane: Plane) =>
  positive({ ...plane, values: plane.values.map((bit) => (bit ? 1 : -1)) });
const stream = (name: string) => {
  const found = GOLDEN.streams.find((each) => each.name === name);
  assert.ok(found, name);
  return fromHex(found.stream);
};

for (const { name, stream, error } of GOLDEN.refused) {
  test(`refuses: ${name}`, () => {
    assert.throws(
      () => {
        const data = fromHex(stream);
        const { header } = readHeader(data);
        if (toHex(header.modelId) !== toHex(MODEL.entropyCodedId)) throw new WrongModelError(name);
        read(data);
      },
      (found: unknown) => found instanceof StreamError && found.name === error,
    );
  });
}

for (const golden of GOLDEN.streams) {
  test(`reads the golden stream: ${golden.name}`, () => {
    const { header, planes, wholeIterations, ends } = read(fromHex(golden.stream));
    assert.deepEqual(
      {
        width: header.width,
        height: header.height,
        iterations: header.iterations,
        model_id: toHex(header.modelId),
        entropy_coded: header.entropyCoded,
        checked: header.checked,
        open_end: header.openEnd,
        adaptive: header.adaptive,
        downscale: header.downscale,
        whole_iterations: wholeIterations,
        ends,
        positive: planes.map(positive),
        known: planes.map(known),
      },
      Object.fromEntries(
        Object.entries(golden).filter(([name]) => name !== "name" && name !== "stream"),
      ),
    );
  });

  test(`writes the golden stream: ${golden.name}`, () => {
    const data = fromHex(golden.stream);
    // The planes of a cut stream are those of the whole one.
    const uncut = golden.adaptive ? "adaptive, entropy-coded" : "entropy-coded";
    const source = golden.whole_iterations < golden.positive.length ? stream(uncut) : data;
    const { header } = read(data);
    const writer = new StreamWriter(header, SPEC);
    const { planes } = read(source);
    for (const plane of planes) writer.add(plane);
    if (golden.name.endsWith("none goes on")) writer.add(emptyPlane(planes[0]));
    const headerless = concatenate(headerBytes(header), writer.payload());
    const written = header.checked
      ? header.openEnd
        ? writer.cut(data.length)
        : writer.whole()
      : headerless;
    assert.equal(toHex(written ?? new Uint8Array(0)), golden.stream);
    const { length } = readHeader(data);
    const ends = golden.ends.map((_, i) => length + writer.end(i + 1, writer.payload()));
    assert.deepEqual(ends, golden.ends);
  });
}

for (const golden of GOLDEN.streams) {
  test(`cut at every byte: ${golden.name}`, () => {
    const data = fromHex(golden.stream);
    const all = read(data);
    let before = 0;
    const every = data.length > 400 ? 7 : 1; // The large stream takes its time.
    for (let end = 0; end < data.length; end += end < 40 ? 1 : every) {
      const cut = data.subarray(0, end);
      // Where the payload may end anywhere and nothing is checked, a cut stream is a whole one.
      const mayEnd = golden.open_end && !golden.checked;
      if (!mayEnd) assert.throws(() => read(cut), TruncatedStreamError);
      let count = 0;
      try {
        const found = read(cut, { allowTruncated: true });
        const whole = all.ends.filter((at) => at <= end).length;
        assert.equal(found.wholeIterations, whole);
        if (mayEnd) assert.deepEqual(read(cut).planes, found.planes);
        found.planes.forEach((plane, iteration) => {
          plane.values.forEach((bit, i) => {
            const last = all.planes[iteration].values[i];
            assert.ok(bit === 0 ? iteration >= whole || last === 0 : last === 0 || bit === last);
          });
        });
        count = found.planes.reduce((sum, plane) => sum + plane.values.filter(Boolean).length, 0);
      } catch (error) {
        assert.ok(error instanceof TruncatedStreamError, String(error));
        assert.throws(() => read(cut), TruncatedStreamError);
      }
      assert.ok(count >= before, `fewer bits from ${end} bytes than from fewer`);
      before = count;
    }
  });
}

test("a stream shortened to every size is whole to a decoder", () => {
  for (const name of [
    "entropy-coded",
    "not entropy-coded",
    "cut, with an open end",
    "headerless",
    "downscale 2, entropy-coded",
    "downscale 2, headerless",
  ]) {
    const data = stream(name);
    const all = read(data);
    for (let size = 16; size < data.length; size++) {
      const shorter = shorten(data, SPEC, size);
      if (!shorter || size < 18) continue;
      assert.ok(shorter.length <= size);
      const found = read(shorter);
      assert.equal(found.header.downscale, all.header.downscale);
      found.planes.forEach((plane, iteration) => {
        assert.ok(plane.values.every((bit, i) => !bit || bit === all.planes[iteration].values[i]));
      });
    }
  }
});

test("at most as many iterations as are asked for", () => {
  const data = stream("entropy-coded");
  assert.deepEqual(read(data, { iterations: 1 }).planes, read(data).planes.slice(0, 1));
  for (const name of ["entropy-coded", "cut, with an open end"]) {
    for (const iterations of [2, 3, 1000]) {
      assert.deepEqual(read(stream(name), { iterations }).planes, read(stream(name)).planes);
    }
  }
  for (const iterations of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => read(data, { iterations }), ConfigError);
  }
});

test("foreign files, unknown versions", () => {
  for (const bytes of ["89504e470d0a1a0a", "ffd8ffe0", "526e", "00"]) {
    assert.throws(() => read(fromHex(bytes)), ForeignStreamError);
  }
  assert.throws(() => read(new Uint8Array(0)), TruncatedStreamError);
  const changed = stream("entropy-coded");
  for (const version of [0, 1, 4, 15]) {
    changed[2] = 0x30 | version;
    assert.throws(
      () => read(changed),
      (error: unknown) =>
        error instanceof UnsupportedVersionError &&
        error.message.includes(`version ${version} is not known`) &&
        error.message.includes("reads versions 2 and 3"),
    );
  }
});

test("a downscale that is not known is left to a newer decoder, a damaged one is not", () => {
  for (const downscale of [0, 1, 3, 255]) {
    const data = stream("downscale 2, entropy-coded");
    data[9] = downscale;
    assert.throws(() => read(data), /its header is wrong/);
    mendHeader(data);
    assert.throws(
      () => read(data),
      (error: unknown) =>
        error instanceof UnsupportedVersionError &&
        error.message.includes(`a downscale of ${downscale} is not known`),
    );
  }
});

test("the header of a reduced image has the size of the picture, and the planes half of it", () => {
  const { header } = readHeader(stream("not entropy-coded"));
  const modelId = Uint8Array.of(1, 2, 3, 4);
  const half = { ...header, modelId, width: 301, height: 33, iterations: 7, downscale: 2 };
  const content = [0x52, 0x4e, 0x23, 1, 2, 3, 4, 0xad, 0x02, 0x21, 0x02, 0x07];
  const written = headerBytes(half);
  assert.deepEqual([...written], [...content, crc32(content) & 0xff]);
  assert.deepEqual(readHeader(written), { header: half, length: 13 });
  assert.deepEqual(planeShape(half, { stride: 8, bits: 5 }), { height: 3, width: 19, bits: 5 });
  const whole = headerBytes({ ...half, downscale: 1 });
  assert.equal(whole.length, 12);
  assert.equal(whole[2], 0x22);
});

test("headers that make no sense", () => {
  const { header } = read(stream("entropy-coded"));
  for (const change of [{ width: 0 }, { height: 0 }, { iterations: 0 }, { width: 2 ** 31 }]) {
    const data = headerBytes({ ...header, ...change });
    assert.throws(() => read(data), CorruptStreamError, JSON.stringify(change));
  }
  const damaged = stream("entropy-coded");
  damaged[7] ^= 1;
  assert.throws(() => read(damaged), /its header is wrong/);
  const start = concatenate(damaged.subarray(0, 7));
  assert.throws(() => read(concatenate(start, [0x80, 0, 1, 1, 0])), /idle bytes/);
  assert.throws(() => read(concatenate(start, new Uint8Array(9).fill(255))), /too long/);
});

test("sizes are held against the limits and the bytes before memory is taken", () => {
  const { header } = read(stream("entropy-coded"));
  const huge = headerBytes({ ...header, width: 2 ** 31 - 1, height: 2 ** 31 - 1, iterations: 255 });
  assert.throws(() => read(huge), TooLargeError);
  assert.throws(
    () => read(concatenate(huge, [1, 2]), { ...NO_LIMITS, iterations: 1 }),
    (error) => {
      return error instanceof TruncatedStreamError;
    },
  );
});

test("memory counts the pixels that are shown, and work those that are coded", () => {
  const { header } = read(stream("downscale 2"));
  const half = { ...header, width: 39, height: 30, iterations: 2 };
  const writer = new StreamWriter(half, SPEC);
  const plane = emptyPlane(planeShape(half, SPEC));
  for (let i = 0; i < 2; i++) writer.add({ ...plane, values: plane.values.map(() => 1) });
  const data = writer.whole();
  // At a stride of 8, 39x30 pixels are 40x32, and the 20x15 that are coded 24x16.
  assert.throws(() => read(data, { maxPixels: 40 * 32 - 1 }), TooLargeError);
  assert.throws(() => read(data, { maxWork: 2 * 24 * 16 - 1 }), /20x15 pixels are coded/);
  const { planes } = read(data, { maxPixels: 40 * 32, maxWork: 2 * 24 * 16 });
  assert.deepEqual([planes[0].height, planes[0].width], [2, 3]);
});

test("pixels are counted with their padding", () => {
  // 37x20 pixels are 40x24 at a stride of 8.
  const data = stream("entropy-coded");
  assert.throws(() => read(data, { maxPixels: 40 * 24 - 1 }), /raise maxPixels/);
  assert.equal(read(data, { maxPixels: 40 * 24 }).wholeIterations, 2);
  const { header } = read(data);
  for (const [width, height] of [
    [1_000_000, 1],
    [1, 1_000_000],
  ]) {
    const line = headerBytes({ ...header, width, height, iterations: 1 });
    assert.throws(() => read(line, { maxPixels: 4_000_000 }), TooLargeError);
  }
});

/** A header for 64x64 pixels, without an entropy model. */
const square = (change: Partial<Header>): Header => ({
  ...read(stream("not entropy-coded")).header,
  width: 64,
  height: 64,
  ...change,
});

test("iterations are work, those too that cost no bytes", () => {
  const header = square({ checked: false, adaptive: true });
  const writer = new StreamWriter(header, SPEC);
  const plane = emptyPlane(planeShape(header, SPEC));
  writer.add({ ...plane, values: plane.values.map(() => 1) });
  // One location goes on and on.
  const last = { ...plane, values: plane.values.map((_, i) => (i < 3 ? 1 : 0)) };
  for (let i = 0; i < 99; i++) writer.add(last);
  const data = writer.whole();
  assert.ok(data.length < 100);
  assert.equal(read(data, { maxWork: 100 * 64 * 64 }).wholeIterations, 100);
  const maxWork = 100 * 64 * 64 - 1;
  assert.throws(() => read(data, { maxWork }), /100 iterations, more work than the limit/);
  assert.equal(read(data, { maxWork, iterations: 99 }).wholeIterations, 99);
  // With an open end what is read counts, and not what the header promises.
  const open = headerBytes({ ...header, openEnd: true, iterations: 255 });
  assert.throws(() => read(concatenate(open, writer.payload()), { maxWork }), TooLargeError);
  const one = concatenate(open, writer.payload(1));
  assert.throws(() => read(one, { maxWork: 64 * 64 - 1 }), TooLargeError);
  assert.ok(read(one, { maxWork: 9 * 64 * 64 }).wholeIterations < 9);
});

test("an eighth of a first plane with an open end is work too", () => {
  const header = square({ openEnd: true, iterations: 10 });
  const writer = new StreamWriter(header, SPEC);
  const plane = emptyPlane(planeShape(header, SPEC));
  writer.add({ ...plane, values: plane.values.map((_, i) => (i % 2 ? 1 : -1)) });
  const size = headerBytes(header).length + 1 + Math.ceil(planeBits(plane) / 64);
  const data = writer.cut(size);
  assert.ok(data);
  assert.equal(read(data, { maxWork: 64 * 64 }).wholeIterations, 0);
  assert.throws(() => read(data, { maxWork: 64 * 64 - 1 }), TooLargeError);
});

test("bytes after the end, and damage to each iteration", () => {
  const data = stream("entropy-coded");
  assert.throws(() => read(concatenate(data, [0])), CorruptStreamError);
  const { ends } = read(data);
  const damaged = data.slice();
  damaged[ends[0] + 1] ^= 0x10;
  assert.throws(
    () => read(damaged),
    /1 of 2 iterations are whole; decode what is there with allowTruncated/,
  );
  assert.equal(read(damaged, { allowTruncated: true }).planes.length, 1);
});

test("an entropy model is needed, and may not be damaged", () => {
  const data = stream("entropy-coded");
  assert.throws(() => readPlanes(data, { ...SPEC, entropyModel: undefined }), WrongModelError);
  const content = fromHex(GOLDEN.entropy_model);
  for (let end = 0; end < content.length; end++) {
    assert.throws(() => new EntropyModel(content.subarray(0, end)), ModelError);
  }
  const next = random(3);
  for (let i = 0; i < 500; i++) {
    const damaged = content.slice();
    damaged[Math.floor(next() * damaged.length)] ^= 1 + Math.floor(next() * 255);
    // With a right check, as a malicious one has, it is refused or works; it is never endless.
    if (i % 2) new DataView(damaged.buffer).setUint32(content.length - 4, sum(damaged), true);
    try {
      new EntropyModel(damaged);
    } catch (error) {
      assert.ok(error instanceof ModelError, String(error));
    }
  }
});

test("thousands of damaged streams give planes or an error of the codec", () => {
  const next = random(7);
  const originals = GOLDEN.streams
    .filter(({ name }) => !name.endsWith("large"))
    .map((golden) => fromHex(golden.stream));
  const errors = new Set<string>();
  for (let i = 0; i < 6000; i++) {
    let data = originals[i % originals.length].slice();
    for (let changes = 1 + Math.floor(next() * 3); changes > 0; changes--) {
      data[Math.floor(next() * data.length)] = Math.floor(next() * 256);
    }
    if (next() < 0.3) data = data.slice(0, Math.floor(next() * data.length));
    if (next() < 0.5) mendHeader(data);
    try {
      const { planes } = read(data, { allowTruncated: next() < 0.5, maxPixels: 1e6 });
      assert.ok(planes.length > 0);
    } catch (error) {
      assert.ok(error instanceof TfrnncError, String(error));
      errors.add(error.name);
    }
  }
  const common = ["CorruptStreamError", "TruncatedStreamError", "TooLargeError"];
  for (const name of common) assert.ok(errors.has(name), name);
});

test("any bytes after the magic give planes or a stream's error", () => {
  const next = random(8);
  for (let i = 0; i < 3000; i++) {
    const data = Uint8Array.from({ length: 3 + Math.floor(next() * 60) }, () => next() * 256);
    data.set([0x52, 0x4e, (2 + (i % 2)) | (Math.floor(next() * 16) << 4)]);
    mendHeader(data);
    try {
      read(data, { allowTruncated: true, maxPixels: 1e6 });
    } catch (error) {
      assert.ok(error instanceof StreamError, String(error));
    }
  }
});

test("the range coder gives back what it took, with carries and at every end", () => {
  const next = random(5);
  for (let round = 0; round < 300; round++) {
    const count = 1 + Math.floor(next() * 80);
    const skew = next();
    const probabilities = Array.from({ length: count }, () => 1 + Math.floor(next() * 65535));
    const bits = probabilities.map((p) => (next() < skew ? p > 32768 : next() * 65536 < p));
    const encoder = new RangeEncoder();
    bits.forEach((bit, i) => {
      encoder.encode(bit, probabilities[i]);
    });
    const data = encoder.finish();
    assert.deepEqual(encoder.finish(), data);
    for (const filler of [0, 0xff]) {
      const decoder = new RangeDecoder(concatenate(data, new Uint8Array(8).fill(filler)));
      for (const [i, bit] of bits.entries()) {
        assert.equal(decoder.decode(probabilities[i]), bit ? 1 : 0);
      }
      assert.equal(decoder.used, data.length);
    }
    if (data.length === 0) continue;
    const cut = new RangeDecoder(data.subarray(0, data.length - 1));
    const settled = probabilities.map((p) => cut.decode(p));
    assert.ok(settled.includes(undefined));
    settled.slice(0, settled.indexOf(undefined)).forEach((bit, i) => {
      assert.equal(bit, bits[i] ? 1 : 0);
    });
  }
});

/** The check of the entropy model's file, over all but its own four bytes. */
function sum(content: Uint8Array): number {
  return crc32(content.subarray(0, content.length - 4));
}

/** Makes the header's checksum right, where there is a header to be found. */
function mendHeader(data: Uint8Array): void {
  let at = 7;
  for (let field = 0; field < 2; field++) {
    while (data[at] >= 0x80) at++;
    at++;
  }
  if ((data[2] & VERSION_BITS) === DOWNSCALE_VERSION) at++;
  if (at + 1 < data.length) data[at + 1] = crc32(data.subarray(0, at + 1));
}
