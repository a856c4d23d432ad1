/** The residual loop of encoding, and what of an image fits in a number of bytes. */

import { concatenate } from "./bytes";
import { type BitModel, RememberedPasses } from "./entropy_model";
import { ConfigError, TruncatedStreamError } from "./errors";
import { type Header, headerBytes } from "./header";
import { NO_LIMITS } from "./limits";
import { PictureCache, toPicture } from "./pictures";
import { type Pixels, padded, type Size, squaredError, toFloats } from "./pixels";
import type { Plane } from "./plane";
import { reduce } from "./reduction";
import type { Runtime, States } from "./runtime";
import { type Planes, type ReadOptions, readPlanes } from "./stream_reader";
import { type StreamSpec, StreamWriter } from "./stream_writer";
import { Turns } from "./turns";

/** An encoded image. */
export interface Encoded {
  /** The stream, or its payload without header. */
  readonly data: Uint8Array;
  /** What it decodes to. */
  readonly picture: Pixels;
  /** How many of its iterations are whole. */
  readonly wholeIterations: number;
}

/** What streams an encoder makes. */
export interface StreamKind {
  /** Gives the probabilities of the bits, if the header says that there is one. */
  readonly entropyModel: BitModel | undefined;
  readonly header: Header;
  /** Whether to leave out the header. */
  readonly headerless: boolean;
}

/**
 * Encodes one image at one resolution, iteration by iteration, and then gives streams of it of any
 * size. Calls that are under way at a time take turns.
 */
export class ProgressiveEncoder {
  private readonly header: Header;
  /** Of what is encoded, with its padding. */
  private readonly size: Size;
  private readonly original: Float32Array;
  private readonly spec: StreamSpec;
  private readonly writer: StreamWriter;
  private readonly pictures: PictureCache;
  private readonly headerless: boolean;
  private readonly prefix: Uint8Array;
  private readonly wholePictures: Pixels[] = [];
  private readonly turns = new Turns();
  private residual: Float32Array;
  private states: States | undefined;

  /**
   * @param runtime that encodes and decodes.
   * @param kind of the streams.
   * @param image to encode; it is reduced here if the header says so.
   * @param budget bytes of decoder states that are kept for `fit`.
   */
  constructor(
    private readonly runtime: Runtime,
    { entropyModel, header, headerless }: StreamKind,
    private readonly image: Pixels,
    budget: number,
  ) {
    const { stride, bits } = runtime;
    const coded = header.downscale === 1 ? image : reduce(image);
    this.header = header;
    this.size = padded(coded, stride);
    this.original = toFloats(coded, this.size);
    this.residual = this.original;
    const passes = entropyModel && new RememberedPasses(entropyModel);
    this.spec = { stride, bits, entropyModel: passes };
    this.writer = new StreamWriter(header, this.spec);
    this.pictures = new PictureCache(runtime, budget);
    this.headerless = headerless;
    this.prefix = headerless ? headerBytes(header) : new Uint8Array(0);
  }

  /** How many iterations are encoded. */
  get iterations(): number {
    return this.writer.iterations;
  }

  /** Bytes of the stream after each iteration; of a headerless payload about as many. */
  get sizes(): number[] {
    return this.wholePictures.map((_, iteration) => this.grown(iteration + 1).length);
  }

  /** The fewest bytes that `fit` can make a stream of; takes the first iteration if it is missing. */
  minBytes(): Promise<number> {
    return this.turns.take(async () => {
      if (this.iterations === 0) await this.iterateNow();
      return smallest(this.grown(1).length, (size) => {
        return this.readCut(this.cut(size, 1)) !== undefined;
      });
    });
  }

  /** Takes an iteration: its plane, and the picture after it. */
  iterate(): Promise<{ plane: Plane; picture: Pixels }> {
    return this.turns.take(() => this.iterateNow());
  }

  /**
   * The stream of most iterations that takes at most this many bytes; its last iteration is cut where
   * the bytes end, if the picture gains from what is there of it. Takes the iterations that are
   * missing for it.
   * @param maxBytes undefined for no limit.
   * @param iterations at most.
   * @throws ConfigError if nothing that can be decoded fits.
   */
  fit(maxBytes?: number, iterations = this.runtime.iterations): Promise<Encoded> {
    return this.turns.take(() => this.fitNow(maxBytes, iterations));
  }

  private async iterateNow(): Promise<{ plane: Plane; picture: Pixels }> {
    const { plane, states } = await this.runtime.encodeIteration(
      this.residual,
      this.size,
      this.states,
      this.iterations,
    );
    const { reconstruction } = await this.pictures.next(plane, this.iterations);
    const { original } = this;
    const residual = new Float32Array(original.length);
    for (let i = 0; i < residual.length; i++) residual[i] = original[i] - reconstruction[i];
    const picture = toPicture(reconstruction, this.header, this.runtime.stride);
    this.writer.add(plane);
    this.wholePictures.push(picture);
    this.states = states;
    this.residual = residual;
    return { plane, picture };
  }

  private async fitNow(maxBytes: number | undefined, iterations: number): Promise<Encoded> {
    const limit = maxBytes ?? Number.POSITIVE_INFINITY;
    let whole = 0;
    let over = false;
    while (whole < iterations && !over) {
      if (this.iterations === whole) await this.iterateNow();
      over = this.grown(whole + 1).length > limit;
      if (!over) whole++;
    }
    let data: Uint8Array | undefined;
    if (whole > 0) data = this.headerless ? await this.endWithinNext(whole) : this.grown(whole);
    if (data && data.length <= limit && !over) return this.encoded(data, whole);

    const next = Math.min(whole + 1, this.iterations);
    const cut = this.cut(limit, over || this.headerless ? next : whole);
    const planes = this.readCut(cut);
    const tooLarge = !data || data.length > limit;
    if (cut && planes && (planes.planes.length > whole || tooLarge)) {
      const picture = await this.pictures.picture(planes);
      if (tooLarge || this.gains(this.wholePictures[whole - 1], picture)) {
        return { data: cut, picture, wholeIterations: planes.wholeIterations };
      }
    }
    if (data && !tooLarge) return this.encoded(data, whole);
    const { width, height } = this.image;
    throw new ConfigError(
      `${maxBytes} bytes are too few for ${width}x${height} pixels: the first iteration takes ` +
        `${this.writer.whole(1).length}, of which a picture needs about an eighth and the header`,
    );
  }

  /**
   * A payload without header that ends after some iterations: cut out of that of a further one, so
   * that the last byte's spare bits are its own.
   */
  private async endWithinNext(whole: number): Promise<Uint8Array> {
    const made = Math.min(whole + 1, this.runtime.iterations);
    while (this.iterations < made) await this.iterateNow();
    const payload = this.writer.payload(made);
    return payload.slice(0, this.writer.end(whole, payload));
  }

  /** The planes of a stream of this image, whole or cut; see `readPlanes`. */
  read(data: Uint8Array, options?: ReadOptions): Planes {
    return readPlanes(data, this.spec, { ...NO_LIMITS, ...options });
  }

  /** What planes of this image show. */
  picture(planes: Planes): Promise<Pixels> {
    return this.pictures.picture(planes);
  }

  private cut(size: number, iterations: number): Uint8Array | undefined {
    return this.headerless
      ? this.writer.payload(iterations).slice(0, size)
      : this.writer.cut(size, iterations);
  }

  private grown(iterations: number): Uint8Array {
    return this.headerless ? this.writer.payload(iterations) : this.writer.whole(iterations);
  }

  private encoded(data: Uint8Array, wholeIterations: number): Encoded {
    return { data, picture: this.wholePictures[wholeIterations - 1], wholeIterations };
  }

  private readCut(cut: Uint8Array | undefined): Planes | undefined {
    if (!cut?.length) return undefined;
    try {
      return this.read(concatenate(this.prefix, cut), { allowTruncated: true });
    } catch (error) {
      if (error instanceof TruncatedStreamError) return undefined;
      throw error;
    }
  }

  /** Whether the second picture is nearer to the image than the first. */
  private gains(before: Pixels, after: Pixels): boolean {
    return squaredError(this.image, after) < squaredError(this.image, before);
  }
}

/** The smallest size up to `largest` that is enough, all larger ones being so too. */
export function smallest(largest: number, isEnough: (size: number) => boolean): number {
  let [tooFew, enough] = [0, largest];
  while (enough - tooFew > 1) {
    const middle = Math.floor((tooFew + enough) / 2);
    if (isEnough(middle)) enough = middle;
    else tooFew = middle;
  }
  return enough;
}
