/** The codec that applications meet. */

import { same, toHex } from "./bytes";
import {
  type Header,
  headerBytes,
  type Planes,
  type ReadOptions,
  readHeader,
  readPlanes,
} from "./container";
import type { EntropyModel } from "./entropy_model";
import { ConfigError, ImageError, ModelError, WrongModelError } from "./errors";
import { decodeSteps } from "./pictures";
import type { Pixels } from "./pixels";
import type { Plane } from "./plane";
import { type Encoded, ProgressiveEncoder } from "./progressive_encoder";
import { ProgressiveStream } from "./progressive_stream";
import type { StepModels } from "./step_models";

/** Bytes of decoder states that an encoder or an opened stream keeps to be quick. */
export const STATE_BUDGET = 256 * 2 ** 20;

export interface StreamOptions {
  /**
   * False leaves out the header and the checks, for stores that know the size of their images and
   * check for themselves; `sharedHeader` makes it a stream again.
   */
  readonly header?: boolean;
  /** False leaves the entropy model out. */
  readonly entropyCoding?: boolean;
}

/** The limits can be combined; the tightest counts. Without any, all steps are encoded. */
export interface EncodeOptions extends StreamOptions {
  /** Encode this many steps at most. */
  readonly steps?: number;
  /** At most so many bytes, all counted. */
  readonly maxBytes?: number;
  /** At most so many bits per pixel, all bytes counted. */
  readonly bpp?: number;
}

/** Compresses images to progressive streams and back. */
export class Codec {
  /**
   * @param models the model's steps.
   * @param entropyModel of the model's bits; undefined for streams that are not entropy-coded.
   * @throws ModelError if the entropy model is of another model's bits.
   */
  constructor(
    readonly models: StepModels,
    readonly entropyModel?: EntropyModel,
  ) {
    if (!entropyModel) return;
    const { codecId, bits, steps } = entropyModel;
    if (!same(codecId, models.modelId) || bits !== models.bits || steps !== models.steps) {
      throw new ModelError(
        `the entropy model is of model ${toHex(codecId)} with ${bits} bits and ${steps} steps, but ` +
          `the model is ${toHex(models.modelId)} with ${models.bits} and ${models.steps}; load the ` +
          "one that lies beside it",
      );
    }
  }

  /** Most steps that the model can encode. */
  get maxSteps(): number {
    return this.models.steps;
  }

  /**
   * Compresses an image.
   * @throws ConfigError if a limit is out of range, or too few bytes for a picture.
   */
  async encode(image: Pixels, options: EncodeOptions = {}): Promise<Encoded> {
    const { steps = this.maxSteps, bpp } = options;
    if (!(Number.isInteger(steps) && steps >= 1 && steps <= this.maxSteps)) {
      throw new ConfigError(
        `steps must be from 1 to ${this.maxSteps} for this model, not ${steps}`,
      );
    }
    let { maxBytes } = options;
    if (bpp !== undefined) {
      if (!(bpp > 0)) throw new ConfigError(`bpp must be above 0, not ${bpp}`);
      const allowed = Math.floor((bpp * image.width * image.height) / 8);
      maxBytes = Math.min(allowed, maxBytes ?? allowed);
    }
    return this.encoder(image, options, 0).fit(maxBytes, steps);
  }

  /**
   * Encodes step by step: for progress, for early pictures, and for streams of several sizes.
   * @param budget bytes of decoder states to keep.
   */
  encoder(image: Pixels, options: StreamOptions = {}, budget = STATE_BUDGET): ProgressiveEncoder {
    const { width, height, data } = image;
    if (!(width > 0 && height > 0 && data.length === width * height * 3)) {
      throw new ImageError(
        `an image of ${width}x${height} pixels cannot have ${data.length} values`,
      );
    }
    const { header = true, entropyCoding = true } = options;
    return new ProgressiveEncoder(
      this.models,
      entropyCoding ? this.entropyModel : undefined,
      this.header(width, height, entropyCoding, !header),
      image,
      !header,
      budget,
    );
  }

  /** The header that makes streams of what `encode` gives with `header: false`. */
  sharedHeader(width: number, height: number, entropyCoding = true): Uint8Array {
    return headerBytes(this.header(width, height, entropyCoding, true));
  }

  /**
   * Decompresses a stream.
   * @throws StreamError one of its subclasses, if it cannot be decoded.
   */
  async decode(data: Uint8Array, options?: ReadOptions): Promise<Pixels> {
    let last: Pixels | undefined;
    for await (const picture of this.decodeProgressive(data, options)) last = picture;
    if (!last) throw new RangeError("a stream has at least one step");
    return last;
  }

  /** Decompresses a stream step by step; throws as `decode`, before the first picture. */
  decodeProgressive(data: Uint8Array, options?: ReadOptions): AsyncGenerator<Pixels> {
    return decodeSteps(this.models, this.readPlanes(data, options));
  }

  /**
   * Opens a stream to look at it cut at different places.
   * @throws StreamError as `decode`.
   */
  open(data: Uint8Array, options?: ReadOptions, budget = STATE_BUDGET): ProgressiveStream {
    const model = this.modelOf(data, options);
    return new ProgressiveStream(this.models, model, data, budget, options);
  }

  /** The bits of a stream, which `decode` makes a picture of; throws as it does. */
  readPlanes(data: Uint8Array, options?: ReadOptions): Planes {
    const { stride, bits } = this.models;
    return readPlanes(data, stride, bits, this.modelOf(data, options), options);
  }

  /** Encodes step by step; yields each step's plane and the picture after it. */
  async *encodeSteps(
    image: Pixels,
    steps = this.maxSteps,
  ): AsyncGenerator<{ plane: Plane; picture: Pixels }> {
    const encoder = this.encoder(image, {}, 0);
    while (encoder.steps < steps) yield await encoder.step();
  }

  private modelOf(data: Uint8Array, options?: ReadOptions): EntropyModel | undefined {
    const { header } = readHeader(data);
    const model = header.entropyCoded ? this.entropyModel : undefined;
    const known = model ? model.streamId : this.models.modelId;
    if (!same(header.modelId, known)) {
      throw new WrongModelError(
        `the stream was made by model ${toHex(header.modelId)}, but this is ${toHex(known)}; ` +
          "load the model that made it",
      );
    }
    if (Math.min(options?.steps ?? header.steps, header.steps) > this.maxSteps) {
      throw new WrongModelError(
        `the stream has ${header.steps} steps, but the model only ${this.maxSteps}`,
      );
    }
    return model;
  }

  private header(width: number, height: number, entropyCoding: boolean, bare: boolean): Header {
    const model = entropyCoding ? this.entropyModel : undefined;
    return {
      version: 2,
      modelId: model ? model.streamId : this.models.modelId,
      width,
      height,
      steps: this.maxSteps,
      entropyCoded: model !== undefined,
      checked: !bare,
      openEnd: bare,
      dynamic: false,
    };
  }
}
