/** Runs exported iterations in LiteRT.js. */

import { type CompiledModel, Tensor as LiteRtTensor, loadAndCompile } from "@litertjs/core";
import { fromHex } from "../codec/bytes";
import { ModelError, RuntimeFailure } from "../codec/errors";
import type { Size } from "../codec/pixels";
import { emptyPlane, type Plane } from "../codec/plane";
import type { Decoded, Runtime, States } from "../codec/runtime";
import { Turns } from "../codec/turns";
import { cut, even, type Window } from "../codec/windows";
import type { IterationFile, Manifest, Tensor } from "./manifest";
import { resizeModel } from "./resize_model";

export interface WindowOptions {
  /** Images of more pixels are computed in windows, for the memory. */
  readonly maxPixelsAtOnce?: number;
  /** Longest side of a window in pixels. */
  readonly windowSide?: number;
}

/** The iterations of an exported model, for images of any size. `startLiteRt` must have been called. */
export class LiteRtRuntime implements Runtime {
  readonly modelId: Uint8Array;
  readonly stride: number;
  readonly bits: number;
  readonly iterations: number;
  readonly independent: boolean;
  private readonly additive: boolean;
  private readonly encoders: IterationRunner[];
  private readonly decoders: IterationRunner[];

  /**
   * @param manifest of the files.
   * @param files their contents by name.
   */
  constructor(manifest: Manifest, files: ReadonlyMap<string, Uint8Array>, options?: WindowOptions) {
    this.modelId = fromHex(manifest.model_id);
    this.stride = manifest.stride;
    this.bits = manifest.bits;
    this.iterations = manifest.iterations;
    this.independent = manifest.decoders.every((file) => file.margin === 0);
    this.additive = manifest.reconstruction === "additive";
    const load = (file: IterationFile) => {
      const content = files.get(file.name);
      if (!content) throw new ModelError(`${file.name} is missing; export the model again`);
      return new IterationRunner(manifest, file, content, options);
    };
    this.encoders = manifest.encoders.map(load);
    this.decoders = manifest.decoders.map(load);
  }

  async encodeIteration(
    residual: Float32Array,
    size: Size,
    states: States | undefined,
    iteration: number,
  ): Promise<{ plane: Plane; states: States }> {
    const encoder = this.encoders[Math.min(iteration, this.encoders.length - 1)];
    const [logits, ...after] = await encoder.run(residual, states, size);
    const { stride, bits } = this;
    const plane = emptyPlane({ height: size.height / stride, width: size.width / stride, bits });
    for (let i = 0; i < logits.length; i++) plane.values[i] = logits[i] >= 0 ? 1 : -1;
    return { plane, states: after };
  }

  async decodeIteration(
    plane: Plane,
    before: Decoded | undefined,
    iteration: number,
  ): Promise<Decoded> {
    const decoder = this.decoders[Math.min(iteration, this.decoders.length - 1)];
    const size = { height: plane.height * this.stride, width: plane.width * this.stride };
    const bits = Float32Array.from(plane.values);
    const [reconstruction, ...states] = await decoder.run(bits, before?.states, size);
    if (this.additive && before) {
      for (let i = 0; i < reconstruction.length; i++) {
        reconstruction[i] += before.reconstruction[i];
      }
    }
    return { reconstruction, states };
  }

  /** Frees the memory of the compiled models, when the calls that are under way are done. */
  async delete(): Promise<void> {
    await Promise.all([...this.encoders, ...this.decoders].map((runner) => runner.delete()));
  }
}

/** One file, run on the whole image or on windows of it; for one call after the other. */
class IterationRunner {
  private readonly turns = new Turns();
  private readonly margin: number;
  private compiled: { readonly model: CompiledModel; readonly size: Size } | undefined;

  constructor(
    private readonly manifest: Manifest,
    private readonly file: IterationFile,
    private readonly content: Uint8Array,
    private readonly options: WindowOptions = {},
  ) {
    this.margin = Math.ceil(file.margin / manifest.stride) * manifest.stride;
  }

  /** Runs an iteration for an image of `size`; returns the output and the new states. */
  run(input: Float32Array, states: States | undefined, size: Size): Promise<Float32Array[]> {
    // A call may compile the file for another size, and frees the model of the call before.
    return this.turns.take(() => this.runNow(input, states, size));
  }

  private async runNow(
    input: Float32Array,
    states: States | undefined,
    size: Size,
  ): Promise<Float32Array[]> {
    const { inputs, outputs } = this.file;
    const values = [input, ...(states ?? zeros(inputs.slice(1), size))];
    const window = this.windowSize(size);
    const model = await this.compile(window);
    if (window.height === size.height && window.width === size.width) {
      return this.runOnce(model, values, size);
    }
    const results = zeros(outputs, size);
    for (const rows of cut(size.height, window.height, this.margin)) {
      for (const columns of cut(size.width, window.width, this.margin)) {
        const read = inputs.map((tensor, i) => take(values[i], tensor, size, rows, columns));
        const parts = await this.runOnce(model, read, window);
        outputs.forEach((tensor, i) => {
          put({ tensor, whole: results[i], size }, parts[i], window, rows, columns);
        });
      }
    }
    return results;
  }

  delete(): Promise<void> {
    return this.turns.take(async () => this.free());
  }

  private free(): void {
    this.compiled?.model.delete();
    this.compiled = undefined;
  }

  /** Size of the windows that an image is computed in. */
  private windowSize(size: Size): Size {
    const { maxPixelsAtOnce = 2 ** 18, windowSide = 512 } = this.options;
    if (size.height * size.width <= maxPixelsAtOnce) return size;
    const most = Math.max(windowSide, 4 * this.margin);
    return {
      height: even(size.height, most, this.margin, this.manifest.stride),
      width: even(size.width, most, this.margin, this.manifest.stride),
    };
  }

  private async compile(size: Size): Promise<CompiledModel> {
    const { compiled } = this;
    if (compiled && compiled.size.height === size.height && compiled.size.width === size.width) {
      return compiled.model;
    }
    this.free();
    const [height, width] = this.manifest.size;
    const content = resizeModel(this.content, { height, width }, size);
    let model: CompiledModel;
    try {
      model = await loadAndCompile(content, { accelerator: "wasm" });
    } catch (error) {
      throw new RuntimeFailure(`${this.file.name} cannot be run: ${text(error)}`, { cause: error });
    }
    this.requireTensors(model, size);
    this.compiled = { model, size };
    return model;
  }

  /** Runs the model once. LiteRT orders tensors as it likes, so they are named. */
  private async runOnce(
    model: CompiledModel,
    values: readonly Float32Array[],
    size: Size,
  ): Promise<Float32Array[]> {
    const tensors: Record<string, LiteRtTensor> = {};
    let outputs: Record<string, LiteRtTensor> = {};
    try {
      this.file.inputs.forEach((tensor, i) => {
        tensors[tensor.name] = new LiteRtTensor(values[i], shape(tensor, size));
      });
      outputs = await model.run(tensors);
      return this.file.outputs.map(({ name }) => outputs[name].toTypedArray() as Float32Array);
    } catch (error) {
      throw new RuntimeFailure(
        `${this.file.name} failed on ${size.width}x${size.height} pixels (${text(error)}); ` +
          "take a smaller image, or close other pages",
        { cause: error },
      );
    } finally {
      for (const tensor of [...Object.values(tensors), ...Object.values(outputs)]) tensor.delete();
    }
  }

  /** Refuses a file whose tensors are not those of the manifest. */
  private requireTensors(model: CompiledModel, size: Size): void {
    for (const [expected, actual] of [
      [this.file.inputs, model.getInputDetails()],
      [this.file.outputs, model.getOutputDetails()],
    ] as const) {
      const shapes = new Map(actual.map(({ name, shape }) => [name, `${shape}`]));
      for (const tensor of expected) {
        if (shapes.get(tensor.name) !== `${shape(tensor, size)}`) {
          model.delete();
          throw new ModelError(
            `${this.file.name}: its tensor ${tensor.name} has shape ${shapes.get(tensor.name)}, ` +
              `not ${shape(tensor, size)}; export the model again`,
          );
        }
      }
    }
  }
}

function shape({ stride, channels }: Tensor, size: Size): number[] {
  return [1, size.height / stride, size.width / stride, channels];
}

/** Zeros for tensors of a whole image. */
function zeros(tensors: readonly Tensor[], { height, width }: Size): Float32Array[] {
  return tensors.map(
    ({ stride, channels }) => new Float32Array((height / stride) * (width / stride) * channels),
  );
}

/** The part of an image's tensor that a window computes. */
function take(
  whole: Float32Array,
  { stride, channels }: Tensor,
  size: Size,
  rows: Window,
  columns: Window,
): Float32Array {
  const row = (size.width / stride) * channels;
  const length = ((columns.stop - columns.start) / stride) * channels;
  const part = new Float32Array(((rows.stop - rows.start) / stride) * length);
  const left = (columns.start / stride) * channels;
  for (let y = rows.start / stride, to = 0; y < rows.stop / stride; y++, to += length) {
    part.set(whole.subarray(y * row + left, y * row + left + length), to);
  }
  return part;
}

/** A tensor of a whole image of `size`. */
interface Result {
  readonly tensor: Tensor;
  readonly whole: Float32Array;
  readonly size: Size;
}

/** Puts what is kept of a window in its place. */
function put(
  { tensor: { stride, channels }, whole, size }: Result,
  part: Float32Array,
  window: Size,
  rows: Window,
  columns: Window,
): void {
  const row = (size.width / stride) * channels;
  const partRow = (window.width / stride) * channels;
  const length = ((columns.last - columns.first) / stride) * channels;
  const left = (columns.first / stride) * channels;
  const partLeft = ((columns.first - columns.start) / stride) * channels;
  for (let y = rows.first / stride; y < rows.last / stride; y++) {
    const from = (y - rows.start / stride) * partRow + partLeft;
    whole.set(part.subarray(from, from + length), y * row + left);
  }
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
