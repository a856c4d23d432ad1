/** Runs the codec beside the page, so that the page stays responsive. */

import {
  type ChoosingEncoder,
  type Codec,
  CorruptStreamError,
  type Pixels,
  type Planes,
  type ProgressiveStream,
  psnr,
  TruncatedStreamError,
} from "../codec";
import { filesAt, loadCodec } from "../litert/load";
import { startLiteRt } from "../litert/start";
import type { Methods, Opened, Progress, Request, Response, View } from "./protocol";

type Shown =
  | { readonly kind: "encoder"; readonly encoder: ChoosingEncoder; readonly image: Pixels }
  | {
      readonly kind: "stream";
      readonly stream: ProgressiveStream;
      readonly image: Pixels | undefined;
    };

/** The image was given up for a later one. */
class GivenUp extends Error {
  override name = "GivenUp";
}

/** Does what the page asks, which is handed over one call after the other. */
class CodecWorker implements Methods {
  private codec: Codec | undefined;
  private shown: Shown | undefined;
  /** Counts the images that were shown, which names them. */
  private image = 0;
  /** How many images were asked for; encoding stops when there is another. */
  asked = 0;

  constructor(private readonly report: (progress: Progress) => void) {}

  async load(model: string, wasm: string): Promise<void> {
    const [codec] = await Promise.all([loadCodec(filesAt(model)), startLiteRt(wasm)]);
    this.codec = codec;
  }

  async encode(image: Pixels): Promise<Opened> {
    const codec = this.loaded();
    const { asked } = this;
    const start = performance.now();
    const encoder = codec.encoder(image);
    while (encoder.iterations < codec.maxIterations) {
      const { picture } = await encoder.iterate();
      await nextTask(); // So that a later image is heard of.
      if (asked !== this.asked) throw new GivenUp("another image was chosen");
      const { iterations, sizes } = encoder;
      const bytes = sizes[iterations - 1];
      this.report({ iteration: iterations, iterations: codec.maxIterations, bytes, picture });
    }
    const time = performance.now() - start;
    const named = this.show({ kind: "encoder", encoder, image });
    const { sizes } = encoder;
    const { width, height } = image;
    const { maxIterations: iterations } = codec;
    const minBytes = await encoder.minBytes();
    const whole = await this.fit(named, sizes[sizes.length - 1]);
    return { image: named, width, height, iterations, minBytes, sizes, whole, time };
  }

  async open(data: Uint8Array, maxPixels: number, original?: Pixels): Promise<Opened> {
    const codec = this.loaded();
    const start = performance.now();
    let stream: ProgressiveStream;
    let complaint: string | undefined;
    try {
      stream = codec.open(data, { maxPixels });
    } catch (error) {
      if (!(error instanceof TruncatedStreamError || error instanceof CorruptStreamError)) {
        throw error;
      }
      stream = codec.open(data, { maxPixels, allowTruncated: true });
      const { wholeIterations, header } = stream.planes;
      const what = error instanceof CorruptStreamError ? "damaged" : "cut";
      complaint = `the file is ${what}: ${wholeIterations} of ${header.iterations} iterations are whole`;
    }
    const image = this.show({ kind: "stream", stream, image: original });
    const { header, ends: sizes } = stream.planes;
    const whole = await this.fit(image, data.length);
    const time = performance.now() - start;
    const { width, height, iterations } = header;
    const minBytes = stream.minBytes();
    return { image, width, height, iterations, minBytes, sizes, whole, time, complaint };
  }

  async fit(image: number, maxBytes: number): Promise<View> {
    const shown = this.named(image);
    const start = performance.now();
    if (shown.kind === "encoder") {
      const { encoder, image: original } = shown;
      const { data, picture } = await encoder.fit(maxBytes);
      const time = performance.now() - start;
      return view(data, picture, encoder.read(data), time, psnr(original, picture));
    }
    const { stream, image: original } = shown;
    const data = stream.shorten(maxBytes);
    if (!data) throw new TruncatedStreamError(`${maxBytes} bytes are too few for a picture`);
    const planes = stream.read(data, { allowTruncated: true });
    const picture = await stream.picture(planes);
    const time = performance.now() - start;
    return view(data, picture, planes, time, original && psnr(original, picture));
  }

  async receive(image: number, data: Uint8Array): Promise<View | undefined> {
    const shown = this.named(image);
    const start = performance.now();
    const source = shown.kind === "encoder" ? shown.encoder : shown.stream;
    let planes: Planes;
    try {
      planes = source.read(data, { allowTruncated: true });
    } catch (error) {
      if (error instanceof TruncatedStreamError) return undefined;
      throw error;
    }
    const picture = await source.picture(planes);
    const quality = shown.image && psnr(shown.image, picture);
    return view(data, picture, planes, performance.now() - start, quality);
  }

  private show(shown: Shown): number {
    this.shown = shown;
    return ++this.image;
  }

  /** The image at hand, if it is the one that is named. */
  private named(image: number): Shown {
    if (!this.shown || image !== this.image) {
      throw new GivenUp("the image was given up for another one; choose it again");
    }
    return this.shown;
  }

  private loaded(): Codec {
    if (!this.codec) throw new RangeError("no model is loaded");
    return this.codec;
  }
}

function view(
  data: Uint8Array,
  picture: Pixels,
  { header, planes, wholeIterations }: Planes,
  time: number,
  quality?: number,
): View {
  const partial = planes[wholeIterations]?.values;
  const share = partial ? partial.filter((bit) => bit !== 0).length / partial.length : 0;
  const { downscale } = header;
  return { picture, data: data.slice(), downscale, wholeIterations, share, psnr: quality, time };
}

function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

let queue: Promise<unknown> = Promise.resolve();
let current = 0;
const worker = new CodecWorker((progress) => {
  respond({ id: current, kind: "progress", progress });
});

function respond(response: Response): void {
  self.postMessage(response);
}

async function answer({ id, method, parameters }: Request): Promise<void> {
  current = id;
  try {
    const call = worker[method] as (...parameters: unknown[]) => Promise<unknown>;
    respond({ id, kind: "result", result: await call.apply(worker, [...parameters]) });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    respond({ id, kind: "error", name, message });
  }
}

self.addEventListener("message", ({ data }: MessageEvent<Request>) => {
  if (data.method === "encode" || data.method === "open") worker.asked++;
  queue = queue.then(() => answer(data));
});
