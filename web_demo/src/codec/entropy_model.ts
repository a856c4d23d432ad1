/** The learned model of the bit planes. docs/FORMAT.md describes the network and its file. */

import { sha256 } from "@noble/hashes/sha2.js";
import { crc32 } from "./bytes";
import { ModelError } from "./errors";
import type { Plane } from "./plane";
import { PROBABILITIES } from "./probabilities";

export const ENTROPY_MODEL_FILE = "entropy_model.bin";
const ACTIVATION_MAX = 255;
const BIT = 64; // A bit of +1 as an integer.
const SHIFT = 7; // A weight of 1.0 is 128.
const EXACT = 2 ** 24;

/** Bits of a plane that are coded at once, as none depends on another. */
export interface Pass {
  /** Locations, counted row by row. */
  readonly cells: Int32Array;
  /** The first of these locations' bits, and the one after the last. */
  readonly first: number;
  readonly end: number;
  /** 65536 times the chance of a 1, for each location and each bit of it. */
  readonly probabilities: Uint16Array;
}

/** What gives the probabilities of a plane's bits. */
export interface BitModel {
  /** How many steps it knows. */
  readonly steps: number;

  /**
   * The passes of the step after `planes`, in order. The caller fills in `plane` with the bits of
   * each pass before asking for the next. `mask` is 1 for locations that take the step; undefined
   * for all.
   */
  passes(planes: readonly Plane[], plane: Plane, mask?: Uint8Array): Iterable<Pass>;
}

interface Layer {
  /** (rows, columns), row by row. */
  readonly weights: Int32Array;
  readonly bias: Int32Array;
}

/** What predicts a group of bits in one step. */
interface Head {
  readonly context: Int32Array;
  readonly plane: Int32Array;
  /** For even and odd locations. */
  readonly biases: readonly Int32Array[];
  readonly output: Layer;
  readonly first: number;
  readonly end: number;
}

interface StepNetwork {
  readonly context: readonly Layer[];
  readonly heads: readonly Head[];
}

/** Probabilities for the bits of a codec model, all in integers. */
export class EntropyModel implements BitModel {
  /** What entropy-coded streams carry: the identity of the codec model and this one together. */
  readonly streamId: Uint8Array;
  /** Identity of the codec model whose bits these are. */
  readonly codecId: Uint8Array;
  readonly bits: number;
  private readonly hidden: number;
  private readonly width: number;
  private readonly networks: StepNetwork[] = [];

  /**
   * @param content of `entropy_model.bin`.
   * @throws ModelError if it is damaged, cut, or of an unknown version.
   */
  constructor(content: Uint8Array) {
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    const end = content.length - 4;
    if (end < 16 || String.fromCharCode(...content.subarray(0, 4)) !== "RNNE") {
      throw new ModelError("not an entropy model; load the entropy_model.bin of the model");
    }
    if (crc32(content.subarray(0, end)) !== view.getUint32(end, true)) {
      throw new ModelError("the entropy model is damaged or cut; load it again");
    }
    if (content[4] !== 1) {
      throw new ModelError(`the entropy model is of version ${content[4]}, not 1; export it again`);
    }
    this.streamId = sha256(content).slice(0, 4);
    this.codecId = content.slice(5, 9);
    const [steps, bits, groups] = content.subarray(9, 12);
    this.bits = bits;
    this.hidden = view.getUint16(12, true);
    this.width = view.getUint16(14, true);
    if (!(steps && groups && groups <= bits && this.width)) {
      throw new ModelError("the entropy model is damaged; export it again");
    }
    const reader = new WeightReader(view, 16, end);
    for (let step = 0; step < steps; step++) {
      const network = this.readStep(reader, step, groups);
      requireExact(network, step);
      this.networks.push(network);
    }
    if (reader.offset !== end)
      throw new ModelError("the entropy model is damaged; export it again");
  }

  /** How many steps it knows. */
  get steps(): number {
    return this.networks.length;
  }

  *passes(planes: readonly Plane[], plane: Plane, mask?: Uint8Array): Generator<Pass> {
    const { height, width, bits } = plane;
    const { context, heads } = this.networks[planes.length];
    let features: Uint8Array | undefined;
    if (context.length > 0) {
      let inputs = pad(stack(planes), height, width);
      for (const layer of context) {
        features = convolve(inputs, height, width, layer);
        inputs = pad(features, height, width);
      }
    }
    const known = new Int16Array((height + 2) * (width + 2) * bits);
    const parities = checkerboard(height, width);
    for (const head of heads) {
      for (const parity of [0, 1]) {
        const cells = mask ? parities[parity].filter((cell) => mask[cell]) : parities[parity];
        const { first, end } = head;
        const probabilities = this.predict(
          head,
          head.biases[parity],
          cells,
          known,
          features,
          plane,
        );
        yield { cells, first, end, probabilities };
        for (const cell of cells) {
          const inside = bits * ((Math.floor(cell / width) + 1) * (width + 2) + (cell % width) + 1);
          for (let bit = first; bit < end; bit++) {
            known[inside + bit] = BIT * plane.values[cell * bits + bit];
          }
        }
      }
    }
  }

  private predict(
    head: Head,
    bias: Int32Array,
    cells: Int32Array,
    known: Int16Array,
    features: Uint8Array | undefined,
    { width: columns, bits }: Plane,
  ): Uint16Array {
    const { width, hidden } = this;
    const { first, end } = head;
    const count = end - first;
    const probabilities = new Uint16Array(cells.length * count);
    const sums = new Int32Array(width);
    const logits = new Int32Array(count);
    for (let place = 0; place < cells.length; place++) {
      const cell = cells[place];
      sums.set(bias);
      if (features) {
        for (let channel = 0; channel < hidden; channel++) {
          addRow(sums, features[cell * hidden + channel], head.context, channel * width);
        }
      }
      const corner = Math.floor(cell / columns) * (columns + 2) + (cell % columns);
      for (let around = 0; around < 9; around++) {
        const at = bits * (corner + Math.floor(around / 3) * (columns + 2) + (around % 3));
        for (let bit = 0; bit < end; bit++) {
          addRow(sums, known[at + bit], head.plane, (around * end + bit) * width);
        }
      }
      logits.set(head.output.bias);
      for (let unit = 0; unit < width; unit++) {
        addRow(logits, activate(sums[unit]), head.output.weights, unit * count);
      }
      for (let bit = 0; bit < count; bit++) {
        const logit = Math.min(Math.max(logits[bit] >> SHIFT, -128), 127);
        probabilities[place * count + bit] = PROBABILITIES[logit + 128];
      }
    }
    return probabilities;
  }

  private readStep(reader: WeightReader, step: number, groups: number): StepNetwork {
    const { bits, hidden, width } = this;
    const context = (step ? [step * bits, hidden] : []).map((channels) => ({
      weights: reader.int8(9 * channels * hidden),
      bias: reader.int32(hidden),
    }));
    const heads: Head[] = [];
    for (let group = 0; group < groups; group++) {
      const first = Math.floor((bits * group) / groups);
      const end = Math.floor((bits * (group + 1)) / groups);
      heads.push({
        first,
        end,
        context: reader.int8(step ? hidden * width : 0),
        plane: reader.int8(9 * end * width),
        biases: [reader.int32(width), reader.int32(width)],
        output: { weights: reader.int8(width * (end - first)), bias: reader.int32(end - first) },
      });
    }
    return { context, heads };
  }
}

/**
 * Keeps the passes of one image, so that its streams are read again without the network. All
 * planes that it is asked about must be of that image.
 */
export class RememberedPasses implements BitModel {
  readonly steps: number;
  private readonly remembered: Pass[][] = [];

  constructor(private readonly model: BitModel) {
    this.steps = model.steps;
  }

  *passes(planes: readonly Plane[], plane: Plane, mask?: Uint8Array): Generator<Pass> {
    const step = planes.length;
    if (this.remembered[step]) {
      yield* this.remembered[step];
      return;
    }
    const passes: Pass[] = [];
    for (const pass of this.model.passes(planes, plane, mask)) {
      passes.push(pass);
      yield pass;
    }
    this.remembered[step] = passes; // Only now: the last plane of a cut stream stops halfway.
  }
}

/** Takes arrays from the model's file. */
class WeightReader {
  constructor(
    private readonly view: DataView,
    public offset: number,
    private readonly end: number,
  ) {}

  int8(count: number): Int32Array {
    return this.take(count, 1, (at) => this.view.getInt8(at));
  }

  int32(count: number): Int32Array {
    return this.take(count, 4, (at) => this.view.getInt32(at, true));
  }

  private take(count: number, size: number, read: (at: number) => number): Int32Array {
    if (this.offset + count * size > this.end) {
      throw new ModelError("the entropy model is damaged; export it again");
    }
    const values = Int32Array.from({ length: count }, (_, i) => read(this.offset + i * size));
    this.offset += count * size;
    return values;
  }
}

function activate(sum: number): number {
  return Math.min(Math.max(sum >> SHIFT, 0), ACTIVATION_MAX);
}

/** Adds `value` times the row of `weights` that begins at `start`. */
function addRow(sums: Int32Array, value: number, weights: Int32Array, start: number): void {
  if (value === 0) return;
  for (let i = 0; i < sums.length; i++) sums[i] += value * weights[start + i];
}

/** The planes as channels of +64 and -64, (h * w, channels). */
function stack(planes: readonly Plane[]): Int16Array {
  const { height, width, bits } = planes[0];
  const channels = bits * planes.length;
  const stacked = new Int16Array(height * width * channels);
  planes.forEach((plane, index) => {
    for (let cell = 0; cell < height * width; cell++) {
      for (let bit = 0; bit < bits; bit++) {
        stacked[cell * channels + index * bits + bit] = BIT * plane.values[cell * bits + bit];
      }
    }
  });
  return stacked;
}

/** Puts a border of zeros around values, (h * w, channels) to ((h + 2) * (w + 2), channels). */
function pad(values: Int16Array | Uint8Array, height: number, width: number): Int16Array {
  const row = (values.length / (height * width)) * width;
  const border = row / width;
  const padded = new Int16Array((height + 2) * (row + 2 * border));
  for (let y = 0; y < height; y++) {
    padded.set(values.subarray(y * row, (y + 1) * row), (y + 1) * (row + 2 * border) + border);
  }
  return padded;
}

/** A 3x3 layer: padded values to (h * w, filters). */
function convolve(padded: Int16Array, height: number, width: number, layer: Layer): Uint8Array {
  const { weights, bias } = layer;
  const filters = bias.length;
  const channels = padded.length / ((height + 2) * (width + 2));
  const outputs = new Uint8Array(height * width * filters);
  const sums = new Int32Array(filters);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      sums.set(bias);
      for (let dy = 0; dy < 3; dy++) {
        // The three locations of a row lie side by side, and so do their weights.
        const from = ((y + dy) * (width + 2) + x) * channels;
        const row = dy * 3 * channels;
        for (let i = 0; i < 3 * channels; i++) {
          addRow(sums, padded[from + i], weights, (row + i) * filters);
        }
      }
      const to = (y * width + x) * filters;
      for (let i = 0; i < filters; i++) outputs[to + i] = activate(sums[i]);
    }
  }
  return outputs;
}

/** The locations whose row and column add up to an even number, and the others. */
function checkerboard(height: number, width: number): [Int32Array, Int32Array] {
  const parities: [number[], number[]] = [[], []];
  for (let cell = 0; cell < height * width; cell++) {
    parities[(Math.floor(cell / width) + (cell % width)) % 2].push(cell);
  }
  return [Int32Array.from(parities[0]), Int32Array.from(parities[1])];
}

/** Refuses weights with which a sum could reach 2^24. */
function requireExact(network: StepNetwork, step: number): void {
  const layers: { weights: Int32Array[]; bias: Int32Array }[] = network.context.map((layer) => ({
    weights: [layer.weights],
    bias: layer.bias,
  }));
  for (const head of network.heads) {
    for (const bias of head.biases) layers.push({ weights: [head.context, head.plane], bias });
    layers.push({ weights: [head.output.weights], bias: head.output.bias });
  }
  for (const { weights, bias } of layers) {
    const sums = Float64Array.from(bias, Math.abs);
    for (const part of weights) {
      for (let i = 0; i < part.length; i++) {
        sums[i % bias.length] += ACTIVATION_MAX * Math.abs(part[i]);
      }
    }
    if (sums.some((sum) => sum >= EXACT)) {
      throw new ModelError(`the entropy model's weights of step ${step + 1} are too large`);
    }
  }
}
