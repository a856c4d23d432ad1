"""How long each operator of a TFLite file takes, run alone.

LiteRT's Python interpreter reports no times of its own. So each operator is cut out of the file
and made a file of its own, of the shapes that it has in the whole, and timed in the same
interpreter with the same delegate. What the sum misses against the whole is what running them one
after the other changes: operators that the delegate merges, and tensors that are still in the
cache.
"""

from __future__ import annotations

import copy
import math
import statistics
import time
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

FILE_IDENTIFIER = b"TFL3"
_NAMES = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}


def op_times(
    content: bytes, shapes: dict[int, tuple[int, ...]], threads: int, repeats: int = 10
) -> list[dict[str, Any]]:
    """Times each operator of a file.

    Operators that depend on the weights or on shapes only are left out: they are run once, when
    the tensors are allocated.

    Args:
        content: of the TFLite file; of its signatures the default.
        shapes: of the inputs, by the index of their tensor.
        threads: that LiteRT uses.
        repeats: how often each is run; the median counts.

    Returns:
        in the order of the file, for each operator its `kind`, its `name` for people, its
        `multiplications` (0 for what has no kernel) and its milliseconds `ms`: with one thread
        of CPU time, which other programs do not lengthen, else by the clock.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers:
        if buffer.offset > 1:  # ai-edge-quantizer keeps the weights behind the model
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    graph, *_ = model.subgraphs
    values = _Values(content, graph, shapes)
    fixed = {i for i, tensor in enumerate(graph.tensors) if _data(model, tensor) is not None}
    results = []
    for op in graph.operators:
        inputs = [int(i) for i in op.inputs if i >= 0]
        kind = _kind(model, op)
        if kind == "SHAPE" or all(i in fixed for i in inputs):
            fixed.update(int(i) for i in op.outputs)
            continue
        single = _cut_out(model, op, values, fixed)
        results.append(
            {
                "kind": kind,
                "name": _describe(kind, op, values),
                "multiplications": _multiplications(kind, op, values),
                "ms": 1000 * _time(single, threads, repeats),
            }
        )
    return results


class _Values:
    """Shapes and values of all tensors of a file, for inputs of given shapes."""

    def __init__(self, content: bytes, graph, shapes: dict[int, tuple[int, ...]]):
        # Without a delegate every tensor is kept and can be read.
        self._interpreter = Interpreter(
            model_content=content,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        for index, shape in shapes.items():
            self._interpreter.resize_tensor_input(index, shape)
        self._interpreter.allocate_tensors()
        self._interpreter.invoke()
        details = {each["index"]: each for each in self._interpreter.get_tensor_details()}
        self._shapes = {
            i: tuple(int(side) for side in details[i]["shape"])
            for i in range(len(graph.tensors))
            if i in details
        }

    def shape(self, index: int) -> tuple[int, ...]:
        return self._shapes[index]

    def value(self, index: int) -> np.ndarray:
        return np.asarray(self._interpreter.get_tensor(index))


def _cut_out(model, op, values: _Values, fixed: set[int]) -> bytes:
    """A file of one operator; what is fixed in the whole file is constant in it."""
    single = schema.ModelT()
    single.version = model.version
    single.operatorCodes = [model.operatorCodes[op.opcodeIndex]]
    single.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs = [], [], []
    places: dict[int, int] = {}
    for index in [*map(int, op.inputs), *map(int, op.outputs)]:
        if index < 0 or index in places:
            continue
        tensor = copy.copy(model.subgraphs[0].tensors[index])
        tensor.shape, tensor.shapeSignature = list(values.shape(index)), None
        data = _data(model, tensor)
        if data is None and index in fixed:
            data = np.frombuffer(np.ascontiguousarray(values.value(index)).tobytes(), np.uint8)
        tensor.buffer = 0
        places[index] = len(graph.tensors)
        if data is not None:
            tensor.buffer = len(single.buffers)
            buffer = schema.BufferT()
            buffer.data = data
            single.buffers.append(buffer)
        elif index in op.inputs:
            graph.inputs.append(places[index])
        graph.tensors.append(tensor)
    alone = copy.copy(op)
    alone.opcodeIndex = 0
    alone.inputs = [places.get(int(i), -1) for i in op.inputs]
    alone.outputs = graph.outputs = [places[int(i)] for i in op.outputs]
    graph.operators = [alone]
    single.subgraphs = [graph]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(single.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def _time(content: bytes, threads: int, repeats: int) -> float:
    """Median seconds of a file's run, on random inputs."""
    interpreter = Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    random = np.random.default_rng(0)
    for details in interpreter.get_input_details():
        values = random.uniform(-1, 1, details["shape"])
        interpreter.set_tensor(details["index"], values.astype(details["dtype"]))
    interpreter.invoke()
    clock = time.process_time if threads == 1 else time.perf_counter
    seconds = []
    for _ in range(repeats):
        start = clock()
        interpreter.invoke()
        seconds.append(clock() - start)
    return statistics.median(seconds)


def _kind(model, op) -> str:
    code = model.operatorCodes[op.opcodeIndex]
    return _NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]


def _data(model, tensor) -> np.ndarray | None:
    data = model.buffers[tensor.buffer].data
    return None if data is None or len(data) == 0 else data


def _kernel_and_grid(kind: str, op, values: _Values):
    """The kernel's shape and that of what it is multiplied for; None for other operators."""
    if kind in ("CONV_2D", "FULLY_CONNECTED"):
        return values.shape(int(op.inputs[1])), values.shape(int(op.outputs[0]))
    if kind == "TRANSPOSE_CONV":
        return values.shape(int(op.inputs[1])), values.shape(int(op.inputs[2]))
    return None


def _multiplications(kind: str, op, values: _Values) -> int:
    found = _kernel_and_grid(kind, op, values)
    if found is None:
        return 0
    kernel, grid = found
    return math.prod(kernel) * math.prod(grid[:-1])


def _describe(kind: str, op, values: _Values) -> str:
    found = _kernel_and_grid(kind, op, values)
    if found is None:
        return kind
    kernel, grid = found
    side = f" {kernel[1]}x{kernel[2]}" if len(kernel) == 4 else ""
    size = "x".join(map(str, grid[1:-1] if len(grid) == 4 else grid[:-1]))
    return f"{kind}{side}, {kernel[-1]} to {kernel[0]} channels at {size}"
