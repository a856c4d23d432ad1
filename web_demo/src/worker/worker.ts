/** Runs the codec beside the page, so that the page stays responsive. */

import {
  type Codec,
  CorruptStreamError,
  type Pixels,
  type Planes,
  type ProgressiveEncoder,
  type ProgressiveStream,
  psnr,
  TruncatedStreamError,
  toHex,
} from "../codec";
import { filesAt, loadCodec } from "../litert/load";
import { startLiteRt } from "../litert/start";
import type { Methods, ModelInfo, Opened, Progress, Request, Response, View } from "./protocol";

type Shown =
  | { readonly kind: "encoder"; readonly encoder: ProgressiveEncoder; readonly image: Pixels }
  | { readonly kind: "stream"; readonly stream: ProgressiveStream };

/** An image was given up for a later one. */
class GivenUp extends Error {
  override name = "GivenUp";
}

class CodecWorker implements Methods {
  private codec: Codec | undefined;
  private shown: Shown | undefined;
  private data = new Uint8Array(0);
  /** How many images were asked for; encoding stops when there is another. */
  asked = 0;

  constructor(private readonly report: (progress: Progress) => void) {}

  async load(model: string, wasm: string): Promise<ModelInfo> {
    await startLiteRt(wasm);
    this.codec = await loadCodec(filesAt(model));
    const { models, maxSteps } = this.codec;
    return { modelId: toHex(models.modelId), steps: maxSteps, stride: models.stride };
  }

  async encode(image: Pixels): Promise<Opened> {
    const codec = this.loaded();
    const { asked } = this;
    const start = performance.now();
    const encoder = codec.encoder(image);
    while (encoder.steps < codec.maxSteps) {
      const { picture } = await encoder.step();
      await nextTask(); // So that a later image is heard of.
      if (asked !== this.asked) throw new GivenUp("another image was chosen");
      const { steps, sizes } = encoder;
      this.report({ step: steps, steps: codec.maxSteps, bytes: sizes[steps - 1], picture });
    }
    const time = performance.now() - start;
    this.shown = { kind: "encoder", encoder, image };
    const { sizes } = encoder;
    const least = await encoder.leastBytes();
    const { width, height } = image;
    return { width, height, least, sizes, whole: await this.fit(sizes[sizes.length - 1]), time };
  }

  async open(data: Uint8Array, maxPixels: number): Promise<Opened> {
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
      const { wholeSteps, header } = stream.found;
      const what = error instanceof CorruptStreamError ? "damaged" : "cut";
      complaint = `the file is ${what}: ${wholeSteps} of ${header.steps} steps are whole`;
    }
    this.shown = { kind: "stream", stream };
    const { header, ends } = stream.found;
    const whole = await this.fit(data.length);
    const time = performance.now() - start;
    const least = stream.leastBytes();
    const { width, height } = header;
    return { width, height, least, sizes: ends, whole, time, complaint };
  }

  async fit(maxBytes: number): Promise<View> {
    const { shown } = this;
    if (!shown) throw new RangeError("no image is open");
    const start = performance.now();
    if (shown.kind === "encoder") {
      const { encoder, image } = shown;
      const { data, picture } = await encoder.fit(maxBytes);
      this.data = data.slice();
      const time = performance.now() - start;
      return view(data, picture, encoder.read(data), time, psnr(image, picture));
    }
    const { stream } = shown;
    const data = stream.shorten(maxBytes);
    if (!data) throw new TruncatedStreamError(`${maxBytes} bytes are too few for a picture`);
    const found = stream.read(data, { allowTruncated: true });
    const picture = await stream.picture(found);
    this.data = data.slice();
    return view(data, picture, found, performance.now() - start);
  }

  async receive(bytes: number): Promise<View | undefined> {
    const { shown } = this;
    if (!shown) throw new RangeError("no image is open");
    const start = performance.now();
    const data = this.data.subarray(0, bytes);
    const source = shown.kind === "encoder" ? shown.encoder : shown.stream;
    let found: Planes;
    try {
      found = source.read(data, { allowTruncated: true });
    } catch (error) {
      if (error instanceof TruncatedStreamError) return undefined;
      throw error;
    }
    const picture = await source.picture(found);
    const quality = shown.kind === "encoder" ? psnr(shown.image, picture) : undefined;
    return view(data, picture, found, performance.now() - start, quality);
  }

  private loaded(): Codec {
    if (!this.codec) throw new RangeError("no model is loaded");
    return this.codec;
  }
}

function view(
  data: Uint8Array,
  picture: Pixels,
  { planes, wholeSteps }: Planes,
  time: number,
  quality?: number,
): View {
  const partial = planes[wholeSteps]?.values;
  const share = partial ? partial.filter((bit) => bit !== 0).length / partial.length : 0;
  return { data: data.slice(), picture, wholeSteps, share, psnr: quality, time };
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
