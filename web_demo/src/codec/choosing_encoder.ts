/** Encodes an image at its own resolution or at half of it, whichever gives the better picture. */

import { ConfigError } from "./errors";
import { DOWNSCALE, LEAST_SIDE, MAX_BPP } from "./format";
import { readHeader } from "./header";
import { type Pixels, squaredError } from "./pixels";
import type { Plane } from "./plane";
import type { Encoded, ProgressiveEncoder } from "./progressive_encoder";
import { blockSsim } from "./ssim";
import type { Planes, ReadOptions } from "./stream_reader";

/**
 * By how much an image is reduced before it is encoded, in width and height: 1 for not at all, 2, or
 * what gives the better picture in as many bytes. "auto" tries 2 only where it may pay.
 */
export type Downscale = 1 | 2 | "auto";

/**
 * Encodes one image iteration by iteration, and then gives streams of it of any size. `Codec.encoder`
 * makes them; `Codec.encode` is the short way.
 */
export class ChoosingEncoder {
  private readonly encoders = new Map<number, ProgressiveEncoder>();

  /**
   * @param image to encode.
   * @param downscale of its streams.
   * @param make makes the encoder of a downscale, when it is first needed.
   */
  constructor(
    private readonly image: Pixels,
    private readonly downscale: Downscale,
    private readonly make: (downscale: number) => ProgressiveEncoder,
  ) {
    if (![1, DOWNSCALE, "auto"].includes(downscale)) {
      throw new ConfigError(`downscale must be 1, ${DOWNSCALE} or "auto", not ${downscale}`);
    }
  }

  /** How many iterations are encoded of the largest streams. */
  get iterations(): number {
    return this.largest.iterations;
  }

  /** Bytes of the largest stream after each iteration; of a headerless payload about as many. */
  get sizes(): number[] {
    return this.largest.sizes;
  }

  /** Takes an iteration of the largest stream: its plane, and the picture after it. */
  iterate(): Promise<{ plane: Plane; picture: Pixels }> {
    return this.largest.iterate();
  }

  /** The fewest bytes that `fit` can make a stream of; takes the first iteration if it is missing. */
  async minBytes(): Promise<number> {
    const most = await this.largest.minBytes();
    const least = this.candidates(most).map((downscale) => this.at(downscale).minBytes());
    return Math.min(...(await Promise.all(least)));
  }

  /**
   * The stream of most iterations that takes at most this many bytes, see `ProgressiveEncoder.fit`; of
   * those of several resolutions the one of the better picture.
   * @param maxBytes undefined for no limit.
   * @param iterations at most.
   * @throws ConfigError if nothing that can be decoded fits.
   */
  async fit(maxBytes?: number, iterations?: number): Promise<Encoded> {
    const fitted: Encoded[] = [];
    let tooFew: unknown;
    for (const downscale of this.candidates(maxBytes)) {
      try {
        fitted.push(await this.at(downscale).fit(maxBytes, iterations));
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        tooFew ??= error;
      }
    }
    if (fitted.length === 0) throw tooFew;
    return this.best(fitted);
  }

  /** The planes of a stream of this image, whole or cut; see `readPlanes`. */
  read(data: Uint8Array, options?: ReadOptions): Planes {
    return this.at(readHeader(data).header.downscale).read(data, options);
  }

  /** What planes of this image show. */
  picture(planes: Planes): Promise<Pixels> {
    return this.at(planes.header.downscale).picture(planes);
  }

  /** The encoder of the streams with most bytes. */
  private get largest(): ProgressiveEncoder {
    return this.at(this.downscale === DOWNSCALE ? DOWNSCALE : 1);
  }

  private at(downscale: number): ProgressiveEncoder {
    const encoder = this.encoders.get(downscale) ?? this.make(downscale);
    this.encoders.set(downscale, encoder);
    return encoder;
  }

  /** The downscales that are tried for streams of at most this many bytes. */
  private candidates(maxBytes: number | undefined): readonly number[] {
    if (this.downscale !== "auto") return [this.downscale];
    const { width, height } = this.image;
    const pays =
      maxBytes !== undefined &&
      8 * maxBytes <= MAX_BPP * width * height &&
      Math.min(width, height) >= LEAST_SIDE;
    return pays ? [1, DOWNSCALE] : [1];
  }

  /** The one whose picture has the least product of squared error and what it lacks in SSIM. */
  private best(fitted: readonly Encoded[]): Encoded {
    if (fitted.length === 1) return fitted[0];
    const losses = fitted.map(
      ({ picture }) => squaredError(this.image, picture) * (1 - blockSsim(this.image, picture)),
    );
    return fitted[losses.indexOf(Math.min(...losses))];
  }
}
