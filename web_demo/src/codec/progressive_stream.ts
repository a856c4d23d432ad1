/** A stream that is looked at again and again, cut at different places. */

import { type BitModel, RememberedPasses } from "./entropy_model";
import { TruncatedStreamError } from "./errors";
import { PictureCache } from "./pictures";
import type { Pixels } from "./pixels";
import { smallest } from "./progressive_encoder";
import type { Runtime } from "./runtime";
import { type Planes, type ReadOptions, readPlanes } from "./stream_reader";
import { type StreamSpec, shorten } from "./stream_writer";

/** `Codec.open` makes them. */
export class ProgressiveStream {
  /** What the whole stream holds. */
  readonly planes: Planes;
  private readonly spec: StreamSpec;
  private readonly pictures: PictureCache;

  constructor(
    runtime: Runtime,
    spec: StreamSpec,
    readonly data: Uint8Array,
    budget: number,
    private readonly options: ReadOptions = {},
  ) {
    const model: BitModel | undefined = spec.entropyModel;
    this.spec = { ...spec, entropyModel: model && new RememberedPasses(model) };
    this.pictures = new PictureCache(runtime, budget);
    this.planes = this.read(data);
  }

  /**
   * The planes of the stream, or of a part that begins as it does, within the limits that it was
   * opened with.
   */
  read(data: Uint8Array, options?: ReadOptions): Planes {
    return readPlanes(data, this.spec, { ...this.options, ...options });
  }

  /** What planes of this stream show. */
  picture(planes: Planes): Promise<Pixels> {
    return this.pictures.picture(planes);
  }

  /**
   * The stream cut to at most this many bytes, such that decoders take it for whole; undefined if they
   * are too few.
   */
  shorten(maxBytes: number): Uint8Array | undefined {
    if (maxBytes >= this.data.length) return this.data;
    return shorten(this.data, this.spec, maxBytes);
  }

  /** The fewest bytes that `shorten` can make a stream of. */
  minBytes(): number {
    return smallest(this.data.length, (size) => {
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
