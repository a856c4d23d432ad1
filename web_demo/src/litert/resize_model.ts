/**
 * A TFLite file of one size of image, made one of another.
 *
 * LiteRT.js runs what shapes a file has and cannot resize its inputs. But the files of two sizes of
 * one model differ in nothing but shapes: those of the activations, and those that RESHAPE and
 * TRANSPOSE_CONV take as constants. So the height and width of each are followed through the graph,
 * from the inputs on, and written anew in place.
 */

import { ByteBuffer } from "flatbuffers";
import { ModelError } from "../codec/errors";
import type { Size } from "../codec/pixels";

// Places of fields in the tables of TFLite's schema, and numbers of its operators.
const MODEL = { operatorCodes: 1, subgraphs: 2, buffers: 4 };
const OPERATOR_CODE = { oldBuiltin: 0, builtin: 3 };
const SUBGRAPH = { tensors: 0, inputs: 1, operators: 3 };
const TENSOR = { shape: 0, buffer: 2, signature: 7 };
const OPERATOR = { code: 0, inputs: 1, outputs: 2, optionsType: 3, options: 4 };
const BUFFER = { data: 0 };
const RESHAPE_OPTIONS_TYPE = 17;
const RESHAPE_OPTIONS = { newShape: 0 };
const RESHAPE = 22;
const TRANSPOSE = 39;
const TRANSPOSE_CONV = 67;
/** Operators whose outputs have height and width where their first activation has them. */
const KEEP_AXES = new Map([
  [0, "ADD"],
  [2, "CONCATENATION"],
  [3, "CONV_2D"],
  [4, "DEPTHWISE_CONV_2D"],
  [5, "DEPTH_TO_SPACE"],
  [6, "DEQUANTIZE"],
  [14, "LOGISTIC"],
  [18, "MUL"],
  [19, "RELU"],
  [26, "SPACE_TO_DEPTH"],
  [28, "TANH"],
  [41, "SUB"],
  [49, "SPLIT"],
  [TRANSPOSE_CONV, "TRANSPOSE_CONV"],
  [114, "QUANTIZE"],
]);

/** Which axes of a tensor are height and width. */
type Axes = readonly [number, number];

/**
 * @param content of a file that was exported for images of size `from`.
 * @param from sides in pixels.
 * @param to the sides of the images that it shall take; multiples of the model's stride.
 * @throws ModelError if its graph has operators of which this does not know what shapes they make.
 */
export function resizeModel(content: Uint8Array, from: Size, to: Size): Uint8Array {
  const copy = content.slice();
  if (from.height === to.height && from.width === to.width) return copy;
  const sides = [
    [from.height, to.height],
    [from.width, to.width],
  ];
  const target = new DataView(copy.buffer);
  const write = (vector: Vector | undefined, [height, width]: Axes) => {
    if (!vector) return;
    for (const [i, axis] of [height, width].entries()) {
      const [before, after] = sides[i];
      const length = (vector.values[axis] * after) / before;
      if (!Number.isInteger(length)) {
        throw new ModelError(
          `the model cannot take ${to.height}x${to.width} pixels; pad to its stride`,
        );
      }
      target.setInt32(vector.start + 4 * axis, length, true);
    }
  };
  for (const graph of graphsOf(content)) {
    const axes = findAxes(graph);
    for (const [tensor, sides] of axes) {
      write(graph.shape(tensor), sides);
      write(graph.signature(tensor), sides);
    }
    for (const operator of graph.operators) {
      const outputAxes = axes.get(operator.outputs[0]);
      if (!outputAxes) continue;
      if (operator.code === RESHAPE) {
        write(graph.constant(operator.inputs[1]), outputAxes);
        write(operator.newShape, outputAxes);
      } else if (operator.code === TRANSPOSE_CONV) {
        write(graph.constant(operator.inputs[0]), outputAxes);
      }
    }
  }
  return copy;
}

/** Height and width of every activation in a graph. */
function findAxes(graph: Graph): Map<number, Axes> {
  const axes = new Map<number, Axes>();
  for (const input of graph.inputs) {
    if (graph.shape(input).values.length !== 4) throw unknownGraph("an input without four axes");
    axes.set(input, [1, 2]);
  }
  for (const { code, inputs, outputs } of graph.operators) {
    const source = inputs.find((input) => axes.has(input));
    if (source === undefined) continue; // Of constants, such as the weights.
    const before = axes.get(source) as Axes;
    let after: Axes;
    if (code === RESHAPE) {
      after = reshaped(before, graph.shape(source).values, graph.shape(outputs[0]).values);
    } else if (code === TRANSPOSE) {
      const order = graph.constant(inputs[1])?.values ?? [];
      after = [order.indexOf(before[0]), order.indexOf(before[1])];
    } else if (KEEP_AXES.has(code)) {
      after = before;
    } else {
      throw unknownGraph(`operator ${code}`);
    }
    for (const output of outputs) axes.set(output, after);
  }
  return axes;
}

/** Where a reshape leaves height and width: at the front of the axes that hold as many values. */
function reshaped(axes: Axes, before: number[], after: number[]): Axes {
  const moved = [-1, -1];
  let to = 0;
  for (let from = 0; from < before.length; ) {
    const [firstFrom, firstTo] = [from, to];
    let [left, right] = [before[from++], after[to++]];
    while (left !== right && (from < before.length || to < after.length)) {
      if (left < right) left *= before[from++];
      else right *= after[to++];
    }
    for (const [i, axis] of axes.entries()) {
      if (axis >= firstFrom && axis < from) {
        if (axis !== firstFrom) throw unknownGraph("a reshape that merges height and width");
        moved[i] = firstTo;
      }
    }
  }
  return [moved[0], moved[1]];
}

function unknownGraph(what: string): ModelError {
  return new ModelError(
    `the model has ${what}, so that its files take images of their own size only; ` +
      "export it for the size at hand (tfrnnc-export --size HxW)",
  );
}

/** A vector of int32 in the file, and where its values begin. */
interface Vector {
  readonly start: number;
  readonly values: number[];
}

interface Operator {
  readonly code: number;
  readonly inputs: number[];
  readonly outputs: number[];
  readonly newShape: Vector | undefined;
}

/** The graphs of a TFLite file, one for each of its signatures. */
function graphsOf(content: Uint8Array): Graph[] {
  const file = new Tables(content);
  return file.tables(file.root, MODEL.subgraphs).map((graph) => new Graph(file, graph));
}

/** What of a graph this needs. */
class Graph {
  constructor(
    private readonly file: Tables,
    private readonly graph: number,
  ) {}

  get inputs(): number[] {
    return this.file.vector(this.graph, SUBGRAPH.inputs)?.values ?? [];
  }

  get operators(): Operator[] {
    const { file } = this;
    const codes = file.tables(file.root, MODEL.operatorCodes).map((table) => {
      const old = file.field(table, OPERATOR_CODE.oldBuiltin);
      const builtin = file.field(table, OPERATOR_CODE.builtin);
      return Math.max(
        old ? file.buffer.readInt8(old) : 0,
        builtin ? file.buffer.readInt32(builtin) : 0,
      );
    });
    return file.tables(this.graph, SUBGRAPH.operators).map((table) => {
      const type = file.field(table, OPERATOR.optionsType);
      const options = file.field(table, OPERATOR.options);
      const isReshape = type && file.buffer.readUint8(type) === RESHAPE_OPTIONS_TYPE;
      return {
        code: codes[file.number(table, OPERATOR.code)],
        inputs: file.vector(table, OPERATOR.inputs)?.values ?? [],
        outputs: file.vector(table, OPERATOR.outputs)?.values ?? [],
        newShape:
          isReshape && options
            ? file.vector(file.buffer.__indirect(options), RESHAPE_OPTIONS.newShape)
            : undefined,
      };
    });
  }

  shape(tensor: number): Vector {
    return this.file.vector(this.tensor(tensor), TENSOR.shape) ?? { start: 0, values: [] };
  }

  /** The shape with its open sides, where the file has one. */
  signature(tensor: number): Vector | undefined {
    return this.file.vector(this.tensor(tensor), TENSOR.signature);
  }

  /** The values of a constant int32 tensor. */
  constant(tensor: number): Vector | undefined {
    const { file } = this;
    const index = file.number(this.tensor(tensor), TENSOR.buffer);
    const bytes = file.field(file.tables(file.root, MODEL.buffers)[index], BUFFER.data);
    if (!bytes) return undefined;
    return file.int32s(file.buffer.__vector(bytes), file.buffer.__vector_len(bytes) / 4);
  }

  private tensor(index: number): number {
    return this.file.tables(this.graph, SUBGRAPH.tensors)[index];
  }
}

/** The tables of a FlatBuffer, whose fields go by their places. */
class Tables {
  readonly buffer: ByteBuffer;
  readonly root: number;

  constructor(content: Uint8Array) {
    this.buffer = new ByteBuffer(content);
    this.root = this.buffer.readInt32(0);
  }

  /** Where a field of a table is; 0 if it is not there. */
  field(table: number, place: number): number {
    const offset = this.buffer.__offset(table, 4 + 2 * place);
    return offset ? table + offset : 0;
  }

  number(table: number, place: number): number {
    const field = this.field(table, place);
    return field ? this.buffer.readInt32(field) : 0;
  }

  vector(table: number, place: number): Vector | undefined {
    const field = this.field(table, place);
    if (!field) return undefined;
    return this.int32s(this.buffer.__vector(field), this.buffer.__vector_len(field));
  }

  tables(table: number, place: number): number[] {
    const field = this.field(table, place);
    if (!field) return [];
    const start = this.buffer.__vector(field);
    const count = this.buffer.__vector_len(field);
    return Array.from({ length: count }, (_, i) => this.buffer.__indirect(start + 4 * i));
  }

  int32s(start: number, count: number): Vector {
    const values = Array.from({ length: count }, (_, i) => this.buffer.readInt32(start + 4 * i));
    return { start, values };
  }
}
