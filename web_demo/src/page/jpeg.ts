/** The browser's own JPEG, for comparison. */

import { type Pixels, psnr } from "../codec";
import { readImage, show, toBlob } from "./images";

export interface Jpeg {
  readonly bytes: number;
  /** The browser's, from 0 to 100. */
  readonly quality: number;
  readonly picture: Pixels;
  /** In decibels, against the original. */
  readonly psnr: number;
}

/** Finds the JPEG of an image that takes at most this many bytes. */
export class JpegComparison {
  private readonly canvas = document.createElement("canvas");
  private readonly files = new Map<number, Blob>();
  private readonly decoded = new Map<number, Jpeg>();

  constructor(private readonly image: Pixels) {
    show(this.canvas, image);
  }

  /** The best JPEG of at most `maxBytes`; the smallest one there is if none is as small. */
  async atMost(maxBytes: number): Promise<Jpeg> {
    let [fits, tooLarge] = [0, 101];
    while (tooLarge - fits > 1) {
      const middle = Math.floor((fits + tooLarge) / 2);
      if ((await this.file(middle)).size <= maxBytes) fits = middle;
      else tooLarge = middle;
    }
    const known = this.decoded.get(fits);
    if (known) return known;
    const file = await this.file(fits);
    const { pixels } = await readImage(file, Number.POSITIVE_INFINITY);
    const quality = psnr(this.image, pixels);
    const jpeg = { bytes: file.size, quality: fits, picture: pixels, psnr: quality };
    this.decoded.set(fits, jpeg);
    return jpeg;
  }

  private async file(quality: number): Promise<Blob> {
    let file = this.files.get(quality);
    if (!file) {
      file = await toBlob(this.canvas, "image/jpeg", quality / 100);
      this.files.set(quality, file);
    }
    return file;
  }
}
