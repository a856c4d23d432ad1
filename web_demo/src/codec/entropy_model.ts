/** The learned model of the bit planes. docs/FORMAT.md describes the network and its file. */

import { sha256 } from "@noble/hashes/sha2.js";
import { crc32 } from "./bytes";
import { ModelError } from "./errors";
import {
  ACTIVATION_MAX,
  ACTIVATION_SCALE,
  ENTROPY_MODEL_MAGIC,
  ENTROPY_MODEL_VERSION,
  EXACT,
  MODEL_ID_BYTES,
  WEIGHT_SCALE,
} from "./format";
import type { Plane, PlaneShape } from "./plane";
import { probabilityOf } from "./probabilities";

export const ENTROPY_MODEL_FILE = "entropy_model.bin";
/** The magic, version, identity, three counts of a byte, and two of two bytes. */
const HEADER_BYTES = 16;
const WEIGHT_SHIFT = Math.log2(WEIGHT_SCALE);

/** Bits of a plane that are coded at once, as none depends on another. */
export interface Pass {
  /** Locations, counted row by row. */
  readonly locations: Int32Array;
  /** The first of these locations' bits, and the one after the last. */
  readonly first: number;
  readonly end: number;
  /** 65536 times the chance of a 1, for each location and each bit of it. */
  readonly probabilities: Uint16Array;
}

/** What gives the probabilities of a plane's bits. */
export interface BitModel {
  /** How many iterations it knows. */
  readonly iterations: number;

  /**
   * The passes of the iteration after `planes`, in order. The caller fills in `plane` with the bits of
   * each pass before asking for the next. `mask` is 1 for locations that take the iteration; undefined
   * for all.
   */
  passes(planes: readonly Plane[], plane: Plane, mask?: Uint8Array): Iterable<Pass>;
}

/** What a head sees. */
interface Seen {
  /** The bits that were coded, with a border of zeros. */
  readonly known: Int16Array;
  /** The context of each location; undefined in the first iteration. */
  readonly features: Uint8Array | undefined;
  readonly shape: PlaneShape;
}

interface Layer {
  /** (rows, columns), row by row. */
  readonly weights: Int32Array;
  readonly bias: Int32Array;
}

/** What predicts a group of bits in one iteration. */
interface Head {
  readonly context: Int32Array;
  readonly plane: Int32Array;
  /** For even and odd locations. */
  readonly biases: readonly Int32Array[];
  readonly output: Layer;
  readonly first: number;
  readonly end: number;
}

interface IterationModel {
  readonly context: readonly Layer[];
  readonly heads: readonly Head[];
}

/** Probabilities for the bits of a codec model, all in integers. */
export class EntropyModel implements BitModel {
  /** What entropy-coded streams carry: the identity of the codec model and this one together. */
  readonly entropyCodedId: Uint8Array;
  /** Identity of the codec model whose bits these are. */
  readonly modelId: Uint8Array;
  readonly bits: number;
  private readonly hidden: number;
  private readonly width: number;
  private readonly networks: IterationModel[] = [];

  /**
   * @param content of `entropy_model.bin`.
   * @throws ModelError if it is damaged, cut, or of an unknown version.
   */
  constructor(content: Uint8Array) {
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    const end = content.length - 4;
    const magic = String.fromCharCode(...content.subarray(0, ENTROPY_MODEL_MAGIC.length));
    if (end < HEADER_BYTES || magic !== ENTROPY_MODEL_MAGIC) {
      throw new ModelError("not an entropy model; load the entropy_model.bin of the model");
    }
    if (crc32(content.subarray(0, end)) !== view.getUint32(end, true)) {
      throw new ModelError("the entropy model is damaged or cut; load it again");
    }
    if (content[4] !== ENTROPY_MODEL_VERSION) {
      throw new ModelError(
        `the entropy model is of version ${content[4]}, not ${ENTROPY_MODEL_VERSION}; export it again`,
      );
    }
    this.entropyCodedId = sha256(content).slice(0, MODEL_ID_BYTES);
    this.modelId = content.slice(5, 9);
    const [iterations, bits, groups] = content.subarray(9, 12);
    this.bits = bits;
    this.hidden = view.getUint16(12, true);
    this.width = view.getUint16(14, true);
    if (!(iterations && groups && groups <= bits && this.width)) {
      throw new ModelError("the entropy model is damaged; export it again");
    }
    const reader = new WeightReader(view, HEADER_BYTES, end);
    for (let iteration = 0; iteration < iterations; iteration++) {
      const network = this.readIteration(reader, iteration, groups);
      requireExact(network, iteration);
      this.networks.push(network);
    }
    if (reader.offset !== end)
      throw new ModelError("the entropy model is damaged; export it again");
  }

  /** How many iterations it knows. */
  get iterations(): number {
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
        const locations = mask
          ? parities[parity].filter((location) => mask[location])
          : parities[parity];
        const { first, end } = head;
        const seen = { known, features, shape: plane };
        const probabilities = this.predict(head, head.biases[parity], locations, seen);
        yield { locations, first, end, probabilities };
        for (const location of locations) {
          const inside =
            bits * ((Math.floor(location / width) + 1) * (width + 2) + (location % width) + 1);
          for (let bit = first; bit < end; bit++) {
            known[inside + bit] = ACTIVATION_SCALE * plane.values[location * bits + bit];
          }
        }
      }
    }
  }

  private predict(
    head: Head,
    bias: Int32Array,
    locations: Int32Array,
    { known, features, shape: { width: columns, bits } }: Seen,
  ): Uint16Array {
    const { width, hidden } = this;
    const { first, end } = head;
    const count = end - first;
    const probabilities = new Uint16Array(locations.length * count);
    const sums = new Int32Array(width);
    const logits = new Int32Array(count);
    for (let place = 0; place < locations.length; place++) {
      const location = locations[place];
      sums.set(bias);
      if (features) {
        for (let channel = 0; channel < hidden; channel++) {
          addRow(sums, features[location * hidden + channel], head.context, channel * width);
        }
      }
      const corner = Math.floor(location / columns) * (columns + 2) + (location % columns);
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
        probabilities[place * count + bit] = probabilityOf(logits[bit] >> WEIGHT_SHIFT);
      }
    }
    return probabilities;
  }

  private readIteration(reader: WeightReader, iteration: number, groups: number): IterationModel {
    const { bits, hidden, width } = this;
    const context = (iteration ? [iteration * bits, hidden] : []).map((channels) => ({
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
        context: reader.int8(iteration ? hidden * width : 0),
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
  readonly iterations: number;
  private readonly remembered: Pass[][] = [];

  constructor(private readonly model: BitModel) {
    this.iterations = model.iterations;
  }

  *passes(planes: readonly Plane[], plane: Plane, mask?: Uint8Array): Generator<Pass> {
    const iteration = planes.length;
    if (this.remembered[iteration]) {
      yield* this.remembered[iteration];
      return;
    }
    const passes: Pass[] = [];
    for (const pass of this.model.passes(planes, plane, mask)) {
      passes.push(pass);
      yield pass;
    }
    this.remembered[iteration] = passes; // Only now: the last plane of a cut stream stops halfway.
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
  return Math.min(Math.max(sum >> WEIGHT_SHIFT, 0), ACTIVATION_MAX);
}

/** Adds `value` times the row of `weights` that begins at `start`. */
function addRow(sums: Int32Array, value: number, weights: Int32Array, start: number): void {
  if (value === 0) return;
  for (let i = 0; i < sums.length; i++) sums[i] += value * weights[start + i];
}

/** The planes as channels of +1 and -1 as integers, (h * w, channels). */
function stack(planes: readonly Plane[]): Int16Array {
  const { height, width, bits } = planes[0];
  const channels = bits * planes.length;
  const stacked = new Int16Array(height * width * channels);
  planes.forEach((plane, index) => {
    for (let location = 0; location < height * width; location++) {
      for (let bit = 0; bit < bits; bit++) {
        stacked[location * channels + index * bits + bit] =
          ACTIVATION_SCALE * plane.values[location * bits + bit];
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
  for (let location = 0; location < height * width; location++) {
    parities[(Math.floor(location / width) + (location % width)) % 2].push(location);
  }
  return [Int32Array.from(parities[0]), Int32Array.from(parities[1])];
}

/** Refuses weights with which a sum could margin 2^24. */
function requireExact(network: IterationModel, iteration: number): void {
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
      throw new ModelError(
        `the entropy model's weights of iteration ${iteration + 1} are too large`,
      );
    }
  }
}
