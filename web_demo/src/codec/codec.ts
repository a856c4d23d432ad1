/** The codec that applications meet. */

import { same, toHex } from "./bytes";
import { ChoosingEncoder, type Downscale } from "./choosing_encoder";
import type { EntropyModel } from "./entropy_model";
import { ConfigError, ImageError, ModelError, WrongModelError } from "./errors";
import { codedSize, type Header, headerBytes, readHeader } from "./header";
import { requireWork, type WorkLimits } from "./limits";
import { decodeIterations } from "./pictures";
import type { Pixels, Size } from "./pixels";
import type { Plane } from "./plane";
import { type Encoded, ProgressiveEncoder } from "./progressive_encoder";
import { ProgressiveStream } from "./progressive_stream";
import type { Runtime } from "./runtime";
import { type Planes, type ReadOptions, readPlanes, wantedIterations } from "./stream_reader";
import type { StreamSpec } from "./stream_writer";

/**
 * Bytes of decoder states that an opened stream keeps to be quick, and an encoder for each resolution.
 */
export const STATE_BUDGET = 256 * 2 ** 20;

/** The kind of a stream, and what the image may cost. */
export interface StreamOptions extends WorkLimits {
  /**
   * Leaves out the header and the checksums, for stores that know the size of their images and check
   * for themselves; `sharedHeader` makes it a stream again.
   */
  readonly headerless?: boolean;
  /** False leaves the entropy model out. */
  readonly entropyCoding?: boolean;
  /** "auto" by default, which is 1 with `headerless`. */
  readonly downscale?: Downscale;
}

/** What a header says beside the size of its image. */
interface HeaderKind {
  readonly headerless: boolean;
  readonly entropyCoding: boolean;
  readonly downscale: number;
}

/** The limits can be combined; the tightest counts. Without any, all iterations are encoded. */
export interface EncodeOptions extends StreamOptions {
  /** Encode at most this many. */
  readonly iterations?: number;
  /** At most this many bytes, all counted. */
  readonly maxBytes?: number;
  /** At most this many bits per pixel, all bytes counted. */
  readonly bpp?: number;
}

/**
 * Compresses images to progressive streams and back. Several calls may be under way at a time; they
 * take turns at each file of the model.
 */
export class Codec {
  /**
   * @param runtime what runs the model's iterations.
   * @param entropyModel of the model's bits; undefined for streams that are not entropy-coded.
   * @throws ModelError if the entropy model is of another model's bits.
   */
  constructor(
    readonly runtime: Runtime,
    readonly entropyModel?: EntropyModel,
  ) {
    if (!entropyModel) return;
    const { modelId, bits, iterations } = entropyModel;
    if (
      !same(modelId, runtime.modelId) ||
      bits !== runtime.bits ||
      iterations !== runtime.iterations
    ) {
      throw new ModelError(
        `the entropy model is of model ${toHex(modelId)} with ${bits} bits and ${iterations} iterations, but ` +
          `the model is ${toHex(runtime.modelId)} with ${runtime.bits} and ${runtime.iterations}; ` +
          "load the one that lies beside it",
      );
    }
  }

  /** Most iterations that the model can encode. */
  get maxIterations(): number {
    return this.runtime.iterations;
  }

  /**
   * Compresses an image.
   * @throws ConfigError if a limit is out of range, or too few bytes for a picture.
   * @throws TooLargeError if the image costs more than the limits on work.
   */
  async encode(image: Pixels, options: EncodeOptions = {}): Promise<Encoded> {
    const { iterations = this.maxIterations, bpp } = options;
    if (!(Number.isInteger(iterations) && iterations >= 1 && iterations <= this.maxIterations)) {
      throw new ConfigError(
        `iterations must be from 1 to ${this.maxIterations} for this model, not ${iterations}`,
      );
    }
    let { maxBytes } = options;
    if (bpp !== undefined) {
      if (!(bpp > 0)) throw new ConfigError(`bpp must be above 0, not ${bpp}`);
      const allowed = Math.floor((bpp * image.width * image.height) / 8);
      maxBytes = Math.min(allowed, maxBytes ?? allowed);
    }
    return this.newEncoder(image, options, 0, iterations).fit(maxBytes, iterations);
  }

  /**
   * Encodes iteration by iteration: for progress, for early pictures, and for streams of several
   * sizes.
   * @param budget bytes of decoder states to keep for each resolution.
   * @throws ConfigError if the downscale is none.
   * @throws TooLargeError if all iterations cost more than the limits on work.
   */
  encoder(image: Pixels, options: StreamOptions = {}, budget = STATE_BUDGET): ChoosingEncoder {
    return this.newEncoder(image, options, budget, this.maxIterations);
  }

  /** The header that makes streams of what `encode` gives with `headerless`. */
  sharedHeader(width: number, height: number, entropyCoding = true, downscale = 1): Uint8Array {
    const kind = { headerless: true, entropyCoding, downscale };
    return headerBytes(this.header({ width, height }, kind));
  }

  /**
   * Decompresses a stream.
   * @throws StreamError one of its subclasses, if it cannot be decoded.
   */
  async decode(data: Uint8Array, options?: ReadOptions): Promise<Pixels> {
    let last: Pixels | undefined;
    for await (const picture of this.decodeProgressive(data, options)) last = picture;
    if (!last) throw new RangeError("a stream has at least one iteration");
    return last;
  }

  /** Decompresses a stream iteration by iteration; throws as `decode`, before the first picture. */
  decodeProgressive(data: Uint8Array, options?: ReadOptions): AsyncGenerator<Pixels> {
    return decodeIterations(this.runtime, this.readPlanes(data, options));
  }

  /**
   * Opens a stream to look at it cut at different places.
   * @throws StreamError as `decode`.
   */
  open(data: Uint8Array, options?: ReadOptions, budget = STATE_BUDGET): ProgressiveStream {
    const spec = this.specOf(data, options);
    return new ProgressiveStream(this.runtime, spec, data, budget, options);
  }

  /** The bits of a stream, which `decode` makes a picture of; throws as it does. */
  readPlanes(data: Uint8Array, options?: ReadOptions): Planes {
    return readPlanes(data, this.specOf(data, options), options);
  }

  /** Encodes iteration by iteration, without reducing the image; yields each one's plane and the picture after it. */
  async *encodeIterations(
    image: Pixels,
    iterations = this.maxIterations,
  ): AsyncGenerator<{ plane: Plane; picture: Pixels }> {
    const encoder = this.newEncoder(image, { downscale: 1 }, 0, iterations);
    while (encoder.iterations < iterations) yield await encoder.iterate();
  }

  private newEncoder(
    image: Pixels,
    options: StreamOptions,
    budget: number,
    iterations: number,
  ): ChoosingEncoder {
    const { width, height, data } = image;
    if (!(width > 0 && height > 0 && data.length === width * height * 3)) {
      throw new ImageError(
        `an image of ${width}x${height} pixels cannot have ${data.length} values`,
      );
    }
    const { headerless = false, entropyCoding = true, downscale: asked = "auto" } = options;
    const coded = codedSize({ width, height, downscale: asked === 2 ? 2 : 1 });
    requireWork(image, coded, this.runtime.stride, iterations, options);
    const entropyModel = entropyCoding ? this.entropyModel : undefined;
    // A payload does not tell its resolution.
    const downscale = headerless && asked === "auto" ? 1 : asked;
    return new ChoosingEncoder(image, downscale, (downscale) => {
      const header = this.header(image, { headerless, entropyCoding, downscale });
      const kind = { entropyModel, header, headerless };
      return new ProgressiveEncoder(this.runtime, kind, image, budget);
    });
  }

  /** What a stream needs of the model; throws a WrongModelError if it is of another one. */
  private specOf(data: Uint8Array, options: ReadOptions = {}): StreamSpec {
    const { header } = readHeader(data);
    const entropyModel = header.entropyCoded ? this.entropyModel : undefined;
    const known = entropyModel ? entropyModel.entropyCodedId : this.runtime.modelId;
    if (!same(header.modelId, known)) {
      throw new WrongModelError(
        `the stream was made by model ${toHex(header.modelId)}, but this is ${toHex(known)}; ` +
          "load the model that made it",
      );
    }
    if (wantedIterations(header, options) > this.maxIterations) {
      throw new WrongModelError(
        `the stream has ${header.iterations} iterations, but the model only ` +
          `${this.maxIterations}; load the model that made it`,
      );
    }
    const { stride, bits } = this.runtime;
    return { stride, bits, entropyModel };
  }

  private header({ width, height }: Size, kind: HeaderKind): Header {
    const { headerless, entropyCoding, downscale } = kind;
    const model = entropyCoding ? this.entropyModel : undefined;
    return {
      modelId: model ? model.entropyCodedId : this.runtime.modelId,
      width,
      height,
      downscale,
      iterations: this.maxIterations,
      entropyCoded: model !== undefined,
      checked: !headerless,
      openEnd: headerless,
      adaptive: false,
    };
  }
}
