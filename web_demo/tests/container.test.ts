/** The container against tests/golden, and against damage. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ConfigError,
  CorruptStreamError,
  EntropyModel,
  ForeignStreamError,
  fromHex,
  ModelError,
  type Plane,
  packPlane,
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
import { headerBytes, readHeader, shorten } from "../src/codec/container";
import { emptyPlane } from "../src/codec/plane";
import { RangeDecoder, RangeEncoder } from "../src/codec/range_coder";
import { random, readJson } from "./repository";

interface GoldenStream {
  readonly name: string;
  readonly stream: string;
  readonly width: number;
  readonly height: number;
  readonly steps: number;
  readonly model_id: string;
  readonly entropy_coded: boolean;
  readonly checked: boolean;
  readonly open_end: boolean;
  readonly dynamic: boolean;
  readonly whole_steps: number;
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

const OLD = readJson<{
  stream: string;
  width: number;
  height: number;
  stride: number;
  bits: number;
  steps: number;
  model_id: string;
  positive_bits: number[][];
}>("tests/golden/v1_container.json");

const read = (data: Uint8Array, options?: Parameters<typeof readPlanes>[4]) =>
  readPlanes(data, GOLDEN.stride, GOLDEN.bits, MODEL, options);
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
        if (toHex(header.modelId) !== toHex(MODEL.streamId)) throw new WrongModelError(name);
        read(data);
      },
      (found: unknown) => found instanceof StreamError && found.name === error,
    );
  });
}

for (const golden of GOLDEN.streams) {
  test(`reads the golden stream: ${golden.name}`, () => {
    const { header, planes, wholeSteps, ends } = read(fromHex(golden.stream));
    assert.deepEqual(
      {
        width: header.width,
        height: header.height,
        steps: header.steps,
        model_id: toHex(header.modelId),
        entropy_coded: header.entropyCoded,
        checked: header.checked,
        open_end: header.openEnd,
        dynamic: header.dynamic,
        whole_steps: wholeSteps,
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
    const uncut = golden.dynamic ? "dynamic, entropy-coded" : "entropy-coded";
    const source = golden.whole_steps < golden.positive.length ? stream(uncut) : data;
    const { header } = read(data);
    const writer = new StreamWriter(header, GOLDEN.stride, GOLDEN.bits, MODEL);
    const { planes } = read(source);
    for (const plane of planes) writer.add(plane);
    if (golden.name.endsWith("none goes on")) writer.add(emptyPlane(planes[0]));
    const bare = concatenate(headerBytes(header), writer.code());
    const written = header.checked
      ? header.openEnd
        ? writer.cut(data.length)
        : writer.whole()
      : bare;
    assert.equal(toHex(written ?? new Uint8Array(0)), golden.stream);
  });
}

test("reads the golden stream of version 1", () => {
  const data = fromHex(OLD.stream);
  const { header, planes, wholeSteps } = readPlanes(data, OLD.stride, OLD.bits, undefined);
  assert.deepEqual(
    [header.version, header.width, header.height, header.steps, toHex(header.modelId), wholeSteps],
    [1, OLD.width, OLD.height, OLD.steps, OLD.model_id, OLD.steps],
  );
  const found = planes.map(({ values }) => [...values.keys()].filter((i) => values[i] > 0));
  assert.deepEqual(found, OLD.positive_bits);
});

test("version 1 cut at every byte, and its faults", () => {
  const data = fromHex(OLD.stream);
  const { planes, ends } = readPlanes(data, OLD.stride, OLD.bits, undefined);
  for (let length = 0; length < data.length; length++) {
    const cut = data.subarray(0, length);
    const whole = ends.filter((end) => end <= length).length;
    assert.throws(
      () => readPlanes(cut, OLD.stride, OLD.bits, undefined),
      (error) => error instanceof TruncatedStreamError && error.wholeSteps === whole,
    );
    if (whole > 0) {
      const found = readPlanes(cut, OLD.stride, OLD.bits, undefined, { allowTruncated: true });
      assert.deepEqual(found.planes, planes.slice(0, whole));
    }
  }
  const more = concatenate(data, [0]);
  assert.throws(() => readPlanes(more, OLD.stride, OLD.bits, undefined), CorruptStreamError);
  assert.throws(() => readPlanes(data, OLD.stride, OLD.bits + 1, undefined), WrongModelError);
});

for (const golden of GOLDEN.streams) {
  test(`cut at every byte: ${golden.name}`, () => {
    const data = fromHex(golden.stream);
    const all = read(data);
    let before = 0;
    const every = data.length > 400 ? 7 : 1; // The large stream takes its time.
    for (let end = 0; end < data.length; end += end < 40 ? 1 : every) {
      const cut = data.subarray(0, end);
      // Where the code may end anywhere and nothing is checked, a cut stream is a whole one.
      const mayEnd = golden.open_end && !golden.checked;
      if (!mayEnd) assert.throws(() => read(cut), TruncatedStreamError);
      let count = 0;
      try {
        const found = read(cut, { allowTruncated: true });
        const whole = all.ends.filter((at) => at <= end).length;
        assert.equal(found.wholeSteps, whole);
        if (mayEnd) assert.deepEqual(read(cut).planes, found.planes);
        found.planes.forEach((plane, step) => {
          plane.values.forEach((bit, i) => {
            const last = all.planes[step].values[i];
            assert.ok(bit === 0 ? step >= whole || last === 0 : last === 0 || bit === last);
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
  for (const name of ["entropy-coded", "not entropy-coded", "cut, with an open end", "bare"]) {
    const data = stream(name);
    const all = read(data);
    for (let size = 16; size < data.length; size++) {
      const shorter = shorten(data, all, GOLDEN, size);
      if (!shorter || size < 18) continue;
      assert.ok(shorter.length <= size);
      const found = read(shorter);
      found.planes.forEach((plane, step) => {
        assert.ok(plane.values.every((bit, i) => !bit || bit === all.planes[step].values[i]));
      });
    }
  }
});

test("fewer steps are the first ones", () => {
  const data = stream("entropy-coded");
  assert.deepEqual(read(data, { steps: 1 }).planes, read(data).planes.slice(0, 1));
  for (const steps of [0, -1, 3, 1.5]) assert.throws(() => read(data, { steps }), ConfigError);
});

test("foreign files, unknown versions", () => {
  for (const bytes of ["89504e470d0a1a0a", "ffd8ffe0", "526e", "00"]) {
    assert.throws(() => read(fromHex(bytes)), ForeignStreamError);
  }
  assert.throws(() => read(new Uint8Array(0)), TruncatedStreamError);
  const changed = stream("entropy-coded");
  changed[2] = 0x33;
  assert.throws(() => read(changed), UnsupportedVersionError);
});

test("headers that make no sense", () => {
  const { header } = read(stream("entropy-coded"));
  for (const change of [{ width: 0 }, { height: 0 }, { steps: 0 }, { width: 2 ** 31 }]) {
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

test("sizes are held against the limit and the bytes before memory is taken", () => {
  const { header } = read(stream("entropy-coded"));
  const huge = headerBytes({ ...header, width: 2 ** 31 - 1, height: 2 ** 31 - 1 });
  assert.throws(() => read(huge), TooLargeError);
  const maxPixels = Number.POSITIVE_INFINITY;
  assert.throws(() => read(concatenate(huge, [1, 2]), { maxPixels }), TruncatedStreamError);
  const data = stream("entropy-coded");
  assert.throws(() => read(data, { maxPixels: 37 * 20 - 1 }), TooLargeError);
  assert.ok(read(data, { maxPixels: 37 * 20 }));
});

test("bytes after the end, and damage to each step", () => {
  const data = stream("entropy-coded");
  assert.throws(() => read(concatenate(data, [0])), CorruptStreamError);
  const { ends } = read(data);
  const damaged = data.slice();
  damaged[ends[0] + 1] ^= 0x10;
  assert.throws(() => read(damaged), /1 of 2 steps are whole; decode those with allowTruncated/);
  assert.equal(read(damaged, { allowTruncated: true }).planes.length, 1);
});

test("an entropy model is needed, and may not be damaged", () => {
  const data = stream("entropy-coded");
  assert.throws(() => readPlanes(data, GOLDEN.stride, GOLDEN.bits, undefined), WrongModelError);
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
  originals.push(fromHex(OLD.stream));
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
    data.set([0x52, 0x4e, 0x02 | (Math.floor(next() * 16) << 4)]);
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

/** Makes the header's check right, where there is a header of version 2 to be found. */
function mendHeader(data: Uint8Array): void {
  let at = 7;
  for (let field = 0; field < 2; field++) {
    while (data[at] >= 0x80) at++;
    at++;
  }
  if (data[2] !== 0x4e && at + 1 < data.length) data[at + 1] = crc32(data.subarray(0, at + 1));
}
