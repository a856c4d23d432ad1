/** A stream that is looked at again and again, cut at different places. */

import { type Planes, type ReadOptions, readPlanes, shorten } from "./container";
import { type BitModel, RememberedPasses } from "./entropy_model";
import { TruncatedStreamError } from "./errors";
import { PictureCache } from "./pictures";
import type { Pixels } from "./pixels";
import { least } from "./progressive_encoder";
import type { StepModels } from "./step_models";

/** `Codec.open` makes them. */
export class ProgressiveStream {
  /** What the whole stream holds. */
  readonly found: Planes;
  private readonly passes: BitModel | undefined;
  private readonly pictures: PictureCache;

  constructor(
    private readonly models: StepModels,
    model: BitModel | undefined,
    readonly data: Uint8Array,
    budget: number,
    options?: ReadOptions,
  ) {
    this.passes = model && new RememberedPasses(model);
    this.pictures = new PictureCache(models, budget);
    this.found = this.read(data, options);
  }

  /** The planes of the stream, or of a part that begins as it does. */
  read(data: Uint8Array, options?: ReadOptions): Planes {
    return readPlanes(data, this.models.stride, this.models.bits, this.passes, options);
  }

  /** What planes of this stream show. */
  picture(planes: Planes): Promise<Pixels> {
    return this.pictures.picture(planes);
  }

  /**
   * The stream cut to at most so many bytes, such that decoders take it for whole; undefined if they
   * are too few. Streams of version 1 can only be cut after a step, and then say that they were cut.
   */
  shorten(maxBytes: number): Uint8Array | undefined {
    if (maxBytes >= this.data.length) return this.data;
    if (this.found.header.version > 1) {
      return shorten(this.data, this.found, this.models, maxBytes);
    }
    const end = this.found.ends.filter((bytes) => bytes <= maxBytes).at(-1);
    return end === undefined ? undefined : this.data.subarray(0, end);
  }

  /** The fewest bytes that `shorten` can make a stream of. */
  leastBytes(): number {
    return least(this.data.length, (size) => {
      try {
        const shorter = this.shorten(size);
        return shorter !== undefined && this.read(shorter, { allowTruncated: true }) !== undefined;
      } catch (error) {
        if (error instanceof TruncatedStreamError) return false;
        throw error;
      }
    });
  }
}
