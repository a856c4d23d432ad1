/** The residual loop of encoding, and what of an image fits in so many bytes. */

import { concatenate } from "./bytes";
import {
  type Header,
  headerBytes,
  type Planes,
  type ReadOptions,
  readPlanes,
  StreamWriter,
} from "./container";
import { type BitModel, RememberedPasses } from "./entropy_model";
import { ConfigError, TruncatedStreamError } from "./errors";
import { PictureCache } from "./pictures";
import { type Pixels, padded, type Size, squaredError, toFloats, toPixels } from "./pixels";
import type { Plane } from "./plane";
import type { States, StepModels } from "./step_models";

/** An encoded image. */
export interface Encoded {
  /** The stream, or its code without header. */
  readonly data: Uint8Array;
  /** What it decodes to. */
  readonly picture: Pixels;
  /** How many of its steps are whole. */
  readonly wholeSteps: number;
}

/**
 * Encodes one image step by step, and then gives streams of it of any size. `Codec.encoder` makes
 * them; `Codec.encode` is the short way.
 */
export class ProgressiveEncoder {
  private readonly size: Size;
  private readonly original: Float32Array;
  private readonly writer: StreamWriter;
  private readonly passes: BitModel | undefined;
  private readonly pictures: PictureCache;
  private readonly prefix: Uint8Array;
  private readonly wholePictures: Pixels[] = [];
  private residual: Float32Array;
  private states: States | undefined;

  /**
   * @param models that encode and decode.
   * @param model of the bits, if the header says that there is one.
   * @param header of the streams.
   * @param image to encode.
   * @param bare whether to leave out the header.
   * @param budget bytes of decoder states that are kept for `fit`.
   */
  constructor(
    private readonly models: StepModels,
    model: BitModel | undefined,
    header: Header,
    private readonly image: Pixels,
    private readonly bare: boolean,
    budget: number,
  ) {
    this.size = padded(image, models.stride);
    this.original = toFloats(image, this.size);
    this.residual = this.original;
    this.passes = model && new RememberedPasses(model);
    this.writer = new StreamWriter(header, models.stride, models.bits, this.passes);
    this.pictures = new PictureCache(models, budget);
    this.prefix = bare ? headerBytes(header) : new Uint8Array(0);
  }

  /** How many steps are encoded. */
  get steps(): number {
    return this.writer.steps;
  }

  /** Bytes of the stream after each step; for bare code about so many. */
  get sizes(): number[] {
    return this.wholePictures.map((_, step) => this.grown(step + 1).length);
  }

  /** The fewest bytes that `fit` can make a stream of; takes the first step if it is missing. */
  async leastBytes(): Promise<number> {
    if (this.steps === 0) await this.step();
    const length = this.grown(1).length;
    return least(length, (size) => {
      const cut = this.bare ? this.writer.code(1).slice(0, size) : this.writer.cut(size, 1);
      return this.readCut(cut) !== undefined;
    });
  }

  /** Takes a step: its plane, and the picture after it. */
  async step(): Promise<{ plane: Plane; picture: Pixels }> {
    const { plane, states } = await this.models.encodeStep(
      this.residual,
      this.size,
      this.states,
      this.steps,
    );
    const { reconstruction } = await this.pictures.next(plane, this.steps);
    const { original } = this;
    const residual = new Float32Array(original.length);
    for (let i = 0; i < residual.length; i++) residual[i] = original[i] - reconstruction[i];
    const picture = toPixels(reconstruction, this.size, this.image);
    this.writer.add(plane);
    this.wholePictures.push(picture);
    this.states = states;
    this.residual = residual;
    return { plane, picture };
  }

  /**
   * The stream of most steps that takes at most so many bytes; its last step is cut where the bytes
   * end, if the picture gains from what is there of it. Takes the steps that are missing for it.
   * @param maxBytes undefined for no limit.
   * @param steps at most.
   * @throws ConfigError if nothing that can be decoded fits.
   */
  async fit(maxBytes?: number, steps = this.models.steps): Promise<Encoded> {
    const most = maxBytes ?? Number.POSITIVE_INFINITY;
    let whole = 0;
    let over = false;
    while (whole < steps && !over) {
      if (this.steps === whole) await this.step();
      over = this.grown(whole + 1).length > most;
      if (!over) whole++;
    }
    let made = over ? whole + 1 : whole; // The steps of the code that is cut.
    let data = whole > 0 ? this.grown(whole) : undefined;
    if (this.bare && whole > 0) {
      // Cut out of the code of a further step, so that the last byte's spare bits are its own.
      made = Math.min(whole + 1, this.models.steps);
      while (this.steps < made) await this.step();
      const code = this.writer.code(made);
      const { ends } = this.read(concatenate(this.prefix, code), { allowTruncated: true });
      data = code.slice(0, ends[whole - 1] - this.prefix.length);
    }
    if (data && data.length <= most && !over) return this.encoded(data, whole);

    const cut = this.bare ? this.writer.code(made).slice(0, most) : this.writer.cut(most, made);
    const found = this.readCut(cut);
    const tooLarge = !data || data.length > most;
    if (cut && found && (found.planes.length > whole || tooLarge)) {
      const picture = await this.pictures.picture(found);
      if (tooLarge || this.gains(this.wholePictures[whole - 1], picture)) {
        return { data: cut, picture, wholeSteps: found.wholeSteps };
      }
    }
    if (data && !tooLarge) return this.encoded(data, whole);
    const { width, height } = this.image;
    throw new ConfigError(
      `${maxBytes} bytes are too few for ${width}x${height} pixels: the first step takes ` +
        `${this.writer.whole(1).length}, of which a picture needs about an eighth and the header`,
    );
  }

  /** The planes of a stream of this image, whole or cut; see `readPlanes` of the container. */
  read(data: Uint8Array, options?: ReadOptions): Planes {
    const { stride, bits } = this.models;
    const maxPixels = Number.POSITIVE_INFINITY;
    return readPlanes(data, stride, bits, this.passes, { maxPixels, ...options });
  }

  /** What planes of this image show. */
  picture(planes: Planes): Promise<Pixels> {
    return this.pictures.picture(planes);
  }

  private grown(steps: number): Uint8Array {
    return this.bare ? this.writer.code(steps) : this.writer.whole(steps);
  }

  private encoded(data: Uint8Array, wholeSteps: number): Encoded {
    return { data, picture: this.wholePictures[wholeSteps - 1], wholeSteps };
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

/** The least size up to `most` that is enough, all larger ones being so too. */
export function least(most: number, enough: (size: number) => boolean): number {
  let [tooFew, found] = [0, most];
  while (found - tooFew > 1) {
    const middle = Math.floor((tooFew + found) / 2);
    if (enough(middle)) found = middle;
    else tooFew = middle;
  }
  return found;
}
