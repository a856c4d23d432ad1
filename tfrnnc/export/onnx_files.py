"""Each iteration of a model as an ONNX file, written operator by operator.

A model is a dozen operators. Converters of graphs make dozens of nodes of each transposed
convolution of any size, and lose the names of its sides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from tfrnnc.errors import ConfigError, InstallationError
from tfrnnc.export.saved_model import check_size, describe_iteration
from tfrnnc.files import replacing
from tfrnnc.layers import ConvLSTMCell, DeconvLSTMCell, DepthToSpace, SpaceToDepth
from tfrnnc.model_folder.keras_model import model_id
from tfrnnc.model_folder.manifest import Tensor
from tfrnnc.models import ResidualCodec, Stage

OPSET, IR_VERSION = 17, 8  #: of the files; ONNX 1.12 (2022) and all that is newer read them

TO_CHANNELS_FIRST, TO_CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


def export_onnx(
    model: ResidualCodec, folder: Path, size: tuple[int, int] | None = None
) -> list[Path]:
    """Writes each iteration of a model as an ONNX file.

    The files are `encoder_1.onnx`, `decoder_1.onnx`, and so on; inputs and outputs have the names,
    the shapes (channels last) and the meaning that `export_saved_models` gives them. What a client
    must know of the model besides is in each file's metadata, as
    `tfrnnc.runtimes.onnx_runtime.OnnxRuntime` reads it.

    Args:
        model: a codec model.
        folder: where to write; made if missing.
        size: (H, W) in pixels of the images, multiples of the model's stride; None makes files
            that take any.

    Returns:
        the files, all encoders first.

    Raises:
        ConfigError: if the size is no multiple of the stride, or a layer has an activation that
            has no operator here.
        InstallationError: if the package onnx is not installed.
    """
    onnx = _import_onnx()
    check_size(model, size)
    stages = [("encoder", *pair) for pair in enumerate(model.encoders, start=1)]
    stages += [("decoder", *pair) for pair in enumerate(model.decoders, start=1)]
    contents = {}
    for kind, number, stage in stages:
        _, margin, inputs, outputs = describe_iteration(model, stage, kind)
        file = onnx.helper.make_model(
            _make_graph(stage, inputs, outputs, size, f"{kind}_{number}"),
            opset_imports=[onnx.helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="tfrnnc",
        )
        onnx.helper.set_model_props(file, _metadata(model, margin, inputs, outputs))
        onnx.checker.check_model(file, full_check=True)
        contents[folder / f"{kind}_{number}.onnx"] = file.SerializeToString(deterministic=True)
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    return list(contents)


def _import_onnx() -> Any:
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise InstallationError(
            f"ONNX files need the package onnx ({error}); pip install 'tfrnnc[onnx]'"
        ) from error
    return onnx


def _metadata(
    model: ResidualCodec, margin: int, inputs: list[Tensor], outputs: list[Tensor]
) -> dict[str, str]:
    """What a client must know of a file, as text by name."""
    return {
        "model_id": model_id(model).hex(),
        "arch": model.arch,
        "reconstruction": model.reconstruction,
        "stride": str(model.stride),
        "bits": str(model.bits),
        "iterations": str(model.iterations),
        "files": str(len(model.encoders)),
        "margin": str(margin),
        "inputs": json.dumps([tensor.__dict__ for tensor in inputs]),
        "outputs": json.dumps([tensor.__dict__ for tensor in outputs]),
    }


def _make_graph(
    stage: Stage,
    inputs: list[Tensor],
    outputs: list[Tensor],
    size: tuple[int, int] | None,
    name: str,
) -> Any:
    """A stage as a graph: channels last outside, channels first inside, as ONNX convolves."""
    graph = _Graph()
    first, *states = (
        graph.add("Transpose", tensor.name, perm=TO_CHANNELS_FIRST) for tensor in inputs
    )
    value, new_states = first, []
    for layer in stage.stack:
        if isinstance(layer, ConvLSTMCell):
            value, memory = _add_cell(graph, layer, value, states.pop(0), states.pop(0))
            new_states += [value, memory]
        else:
            value = _add_layer(graph, layer, value)
    for tensor, result in zip(outputs, [value, *new_states], strict=True):
        graph.add("Transpose", result, output=tensor.name, perm=TO_CHANNELS_LAST)
    helper = _import_onnx().helper
    return helper.make_graph(
        graph.nodes,
        name,
        [_value_info(tensor, size) for tensor in inputs],
        [_value_info(tensor, size) for tensor in outputs],
        graph.initializers,
    )


def _value_info(tensor: Tensor, size: tuple[int, int] | None) -> Any:
    """Name, type and shape of an input or output; unknown sides are named by their stride."""
    onnx = _import_onnx()
    sides: Sequence[int | str] = [f"{side}_{tensor.stride}" for side in ("height", "width")]
    if size is not None:
        sides = [side // tensor.stride for side in size]
    shape = [1, *sides, tensor.channels]
    return onnx.helper.make_tensor_value_info(tensor.name, onnx.TensorProto.FLOAT, shape)


class _Graph:
    """Nodes and weights of a graph that is being written.

    Attributes:
        nodes: the nodes, each after those whose outputs it takes.
        initializers: the weights.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Adds a node with one output; returns the output's name."""
        return self.add_split(operator, *inputs, outputs=[output], **attributes)[0]

    def add_split(
        self, operator: str, *inputs: str, outputs: Sequence[str], **attributes: Any
    ) -> list[str]:
        """Adds a node; returns the names of its outputs, made up where they are empty."""
        number = len(self.nodes)
        names = [name or f"value_{number}_{i}" for i, name in enumerate(outputs)]
        node = _import_onnx().helper.make_node(
            operator, list(inputs), names, name=f"{operator}_{number}", **attributes
        )
        self.nodes.append(node)
        return names

    def constant(self, values: np.ndarray) -> str:
        """Adds weights, or other constants; returns their name."""
        name = f"constant_{len(self.initializers)}"
        contiguous = np.ascontiguousarray(values)
        self.initializers.append(_import_onnx().numpy_helper.from_array(contiguous, name))
        return name

    def convolve(self, value: str, kernel: np.ndarray, strides: int, bias: Any = None) -> str:
        """Adds a convolution with "same" padding.

        Args:
            value: its input, whose sides are multiples of the stride.
            kernel: (side, side, in, out).
            strides: along both axes.
            bias: (out,), or None.
        """
        side = kernel.shape[0]
        before, after = _padding(side, strides)
        inputs = [value, self.constant(kernel.transpose(3, 2, 0, 1))]
        if bias is not None:
            inputs.append(self.constant(_array(bias)))
        return self.add(
            "Conv",
            *inputs,
            kernel_shape=[side, side],
            strides=[strides, strides],
            pads=[before, before, after, after],
        )

    def convolve_transposed(self, value: str, kernel: np.ndarray, strides: int, bias: Any) -> str:
        """Adds the transposed convolution that enlarges by the stride.

        Args:
            value: its input.
            kernel: (side, side, out, in), as Keras keeps it.
            strides: along both axes.
            bias: (out,).
        """
        side = kernel.shape[0]
        before, after = _padding(side, strides)
        weights = self.constant(kernel.transpose(3, 2, 0, 1))
        return self.add(
            "ConvTranspose",
            value,
            weights,
            self.constant(_array(bias)),
            kernel_shape=[side, side],
            strides=[strides, strides],
            pads=[before, before, after, after],
            output_padding=[max(strides - side, 0)] * 2,
        )


def _padding(side: int, strides: int) -> tuple[int, int]:
    """Zeros before and after an axis whose length is a multiple of the stride."""
    total = max(side - strides, 0)
    return total // 2, total - total // 2


def _array(weight: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(weight), np.float32)


def _add_cell(
    graph: _Graph, cell: ConvLSTMCell, value: str, output: str, memory: str
) -> tuple[str, str]:
    """Adds a recurrent cell (eq. 8-10 of the paper); returns its new output and memory."""
    kernel = _array(cell.kernel)
    convolve: Callable[..., str] = graph.convolve
    if isinstance(cell, DeconvLSTMCell):
        convolve = graph.convolve_transposed
    transform = graph.add(
        "Add",
        convolve(value, kernel, cell.strides, cell.bias),
        graph.convolve(output, _array(cell.recurrent_kernel), 1),
    )
    sizes = graph.constant(np.full(4, cell.filters, np.int64))
    i, f, o, g = graph.add_split("Split", transform, sizes, outputs=[""] * 4, axis=1)
    kept = graph.add("Mul", graph.add("Sigmoid", f), memory)
    added = graph.add("Mul", graph.add("Sigmoid", i), graph.add("Tanh", g))
    memory = graph.add("Add", kept, added)
    return graph.add("Mul", graph.add("Sigmoid", o), graph.add("Tanh", memory)), memory


def _add_layer(graph: _Graph, layer: Any, value: str) -> str:
    """Adds a layer without memory; returns its output."""
    if isinstance(layer, DepthToSpace):
        # Blocks of 1 change nothing.
        if layer.block_size == 1:
            return value
        return graph.add("DepthToSpace", value, blocksize=layer.block_size, mode="DCR")
    if isinstance(layer, SpaceToDepth):
        return graph.add("SpaceToDepth", value, blocksize=layer.block_size)
    kernel = _array(layer.kernel)
    if isinstance(layer, keras.layers.Dense):
        value = graph.convolve(value, kernel[None, None], 1, layer.bias)
    elif isinstance(layer, keras.layers.Conv2DTranspose):
        value = graph.convolve_transposed(value, kernel, layer.strides[0], layer.bias)
    else:
        value = graph.convolve(value, kernel, layer.strides[0], layer.bias)
    match keras.activations.serialize(layer.activation):
        case "linear":
            return value
        case "tanh":
            return graph.add("Tanh", value)
        case other:
            raise ConfigError(f"the activation {other} of {layer.name} cannot be written as ONNX")
