/** A PNG with an ICC profile, to see whether colours are converted. */

import { deflateSync } from "node:zlib";
import { concatenate, crc32 } from "../src/codec/bytes";
import { ascii } from "../src/codec/format";
import type { Pixels } from "../src/codec/pixels";

/** The primaries and the curve of sRGB, as ICC profiles have them. */
const RED = [0.4361, 0.2225, 0.0139];
const GREEN = [0.3851, 0.7169, 0.0971];
const BLUE = [0.1431, 0.0606, 0.7141];
const WHITE = [0.9642, 1, 0.8249];
const CURVE = [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045];

/** A PNG of sRGB whose profile says that its first channel is green and its second one is red. */
export function pngWithSwappedChannels({ width, height, data }: Pixels): Buffer {
  const rows = new Uint8Array(height * (1 + 3 * width));
  for (let y = 0; y < height; y++) {
    rows.set(data.subarray(3 * width * y, 3 * width * (y + 1)), y * (1 + 3 * width) + 1);
  }
  const profile = concatenate(ascii("swapped"), [0, 0], deflateSync(swappedProfile()));
  return Buffer.from(
    concatenate(
      [0x89, ...ascii("PNG\r\n\x1a\n")],
      chunk("IHDR", [...int32(width), ...int32(height), 8, 2, 0, 0, 0]),
      chunk("iCCP", profile),
      chunk("IDAT", deflateSync(rows)),
      chunk("IEND", []),
    ),
  );
}

function chunk(name: string, content: ArrayLike<number>): Uint8Array {
  const checked = concatenate(ascii(name), content);
  return concatenate(int32(content.length), checked, int32(crc32(checked)));
}

function swappedProfile(): Uint8Array {
  const curve = [...ascii("para"), ...int32(0), 0, 3, 0, 0, ...CURVE.flatMap(fixed)];
  const tags: [string, number[]][] = [
    ["desc", [...ascii("mluc"), ...int32(0), ...int32(0), ...int32(12)]],
    ["wtpt", xyz(WHITE)],
    ["rXYZ", xyz(GREEN)],
    ["gXYZ", xyz(RED)],
    ["bXYZ", xyz(BLUE)],
    ["rTRC", curve],
    ["gTRC", curve],
    ["bTRC", curve],
    ["cprt", [...ascii("mluc"), ...int32(0), ...int32(0), ...int32(12)]],
  ];
  const start = 128 + 4 + 12 * tags.length;
  const table: number[] = [...int32(tags.length)];
  const contents: number[] = [];
  for (const [name, content] of tags) {
    table.push(...ascii(name), ...int32(start + contents.length), ...int32(content.length));
    contents.push(...content);
  }
  const header = new Uint8Array(128);
  header.set(int32(start + contents.length));
  header.set([4, 0x30], 8); // Version 4.3.
  header.set(ascii("mntrRGB XYZ "), 12);
  header.set(ascii("acsp"), 36);
  header.set(WHITE.flatMap(fixed), 68);
  return concatenate(header, table, contents);
}

function xyz(values: number[]): number[] {
  return [...ascii("XYZ "), ...int32(0), ...values.flatMap(fixed)];
}

/** As 16 bits before and 16 behind the point. */
function fixed(value: number): number[] {
  return int32(Math.round(value * 65536));
}

function int32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}
