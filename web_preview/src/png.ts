import { crc32 } from "./crc32.js";

const HEADER = 8; // Where the chunks begin: length, name, data and checksum each.
const DATA = 33;
const ROWS = DATA + 15; // Behind the chunk's length and name, and two bytes and five of zlib.

/** An opaque picture of few pixels as a PNG file, not compressed. */
export function toPng(width: number, height: number, rgba: Uint8ClampedArray): Uint8Array {
  const length = (3 * width + 1) * height;
  const png = new Uint8Array(ROWS + length + 20);
  const view = new DataView(png.buffer);
  const words = (at: number, ...values: number[]) => {
    for (const [i, value] of values.entries()) view.setUint32(at + 4 * i, value);
  };
  words(0, 0x89504e47, 0x0d0a1a0a);
  words(HEADER, 13, 0x49484452, width, height); // "IHDR"
  png.set([8, 2], HEADER + 16); // 8 bits a channel, RGB.
  words(HEADER + 21, crc32(png.subarray(HEADER + 4, HEADER + 21)));
  words(DATA, length + 11, 0x49444154); // "IDAT"
  png.set([0x78, 1, 1], DATA + 8);
  view.setUint16(DATA + 11, length, true);
  view.setUint16(DATA + 13, ~length, true);
  const end = ROWS + length;
  words(end, writeRows(png, width, rgba));
  words(end + 4, crc32(png.subarray(DATA + 4, end + 4)), 0, 0x49454e44, 0xae426082); // "IEND"
  return png;
}

/** Writes rows, each behind its filter: 0, none. Returns their Adler-32. */
function writeRows(png: Uint8Array, width: number, rgba: Uint8ClampedArray): number {
  let low = 1;
  let high = 0;
  let next = ROWS;
  for (let i = 0; i < rgba.length; i++) {
    if (i % (4 * width) === 0) {
      next++;
      high += low;
    }
    if ((i & 3) === 3) continue;
    png[next++] = rgba[i];
    low += rgba[i];
    high += low; // Below 2^32 for 32x32 pixels, and so exact.
  }
  return (((high % 65521) << 16) | (low % 65521)) >>> 0;
}
