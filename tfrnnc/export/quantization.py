"""SavedModels to TFLite files, quantised on the way."""

from __future__ import annotations

import io
import itertools
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from tfrnnc.errors import InstallationError
from tfrnnc.export.saved_model import ExportedIteration
from tfrnnc.models import ResidualCodec
from tfrnnc.runtimes.keras_runtime import KerasRuntime
from tfrnnc.runtimes.residual_loop import iterate
from tfrnnc.runtimes.runtime import stage_of

Inputs: TypeAlias = dict[str, np.ndarray]  #: of one iteration, by their names in the signature


class Quantization(NamedTuple):
    """A way to store and to use a model's weights.

    Attributes:
        weight_bits: of each weight in the file, biases and small tensors apart.
        arithmetic: how a client computes with them.
    """

    weight_bits: int
    arithmetic: str


QUANTIZATIONS = {
    "none": Quantization(32, "float32"),
    "float16": Quantization(16, "float32"),
    "weights": Quantization(8, "float32"),
    "dynamic": Quantization(8, "int8, each tensor's range taken as it comes"),
    "int8": Quantization(
        8, "int8, each tensor's range fixed by calibration; gates and memories float32"
    ),
}

# What a recurrent cell computes between its convolutions. All channels of a memory would share one
# range: where one counts the iterations, 256 levels for it leave less than one for the small ones.
CELL_OPERATORS = ["ADD", "LOGISTIC", "MUL", "SPLIT", "TANH"]


def convert(
    iteration: ExportedIteration, quantize: str, calibration: Sequence[Inputs] = ()
) -> bytes:
    """Makes a TFLite file of a SavedModel of one iteration.

    Args:
        iteration: that `export_saved_models` wrote.
        quantize: a name in `QUANTIZATIONS`.
        calibration: for "int8", inputs of the iteration by name, as `roll_out` yields them.

    Returns:
        the file's content.

    Raises:
        InstallationError: if the quantisation needs a package that is not installed.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(iteration.folder), signature_keys=iteration.signatures
    )
    if quantize in ("float16", "dynamic", "int8"):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantize == "int8":
        converter.representative_dataset = lambda: itertools.product(
            iteration.signatures, calibration
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    has_memory = len(iteration.inputs) > 1
    with warnings.catch_warnings():
        # The converter calibrates with TensorFlow's own interpreter, which says it is deprecated.
        warnings.simplefilter("ignore", UserWarning)
        if quantize == "int8" and has_memory:
            return _with_float32_cells(converter)
        content = converter.convert()
    return _with_int8_weights(content) if quantize == "weights" else content


def roll_out(
    model: ResidualCodec, images: Sequence[np.ndarray]
) -> tuple[list[list[Inputs]], list[list[Inputs]]]:
    """What the iterations of a model are given while it encodes images.

    Args:
        model: a codec model.
        images: uint8 (H, W, 3).

    Returns:
        the inputs of each encoder and of each decoder, by the names in their signatures.
    """
    encoders: list[list[Inputs]] = [[] for _ in model.encoders]
    decoders: list[list[Inputs]] = [[] for _ in model.decoders]
    runtime = KerasRuntime(model)
    for image in images:
        for number, iteration in enumerate(iterate(runtime, image)):
            height, width, _ = iteration.residual.shape
            states = iteration.encoder_states
            if states is None:
                states = model.initial_encoder_states(1, height, width)
            stage_of(encoders, number).append(_named("residual", iteration.residual, states))
            states = iteration.decoder_states
            if states is None:
                states = model.initial_decoder_states(1, height, width)
            bits = iteration.plane.astype(np.float32)
            stage_of(decoders, number).append(_named("bits", bits, states))
    return encoders, decoders


def _named(name: str, value: np.ndarray, states: Sequence[Any]) -> Inputs:
    """An iteration's inputs by name, with a batch of one."""
    named = {f"state_{i}": np.asarray(state) for i, state in enumerate(states)}
    return {name: value[None], **named}


def _with_float32_cells(converter: tf.lite.TFLiteConverter) -> bytes:
    """What the converter makes of a model with memory; only the convolutions compute in int8."""
    # TensorFlow has no other public way to leave operators out of the quantisation.
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=CELL_OPERATORS)
    debugger = tf.lite.experimental.QuantizationDebugger(converter=converter, debug_options=options)
    return bytes(debugger.get_nondebug_quantized_model())


def _with_int8_weights(content: bytes) -> bytes:
    # TensorFlow's converter has no such mode: with 8-bit weights it wants 8-bit arithmetic.
    try:
        from ai_edge_quantizer import quantizer, recipe
    except ImportError as error:
        raise InstallationError(
            f"8-bit weights need ai-edge-quantizer ({error}); pip install 'tfrnnc[export]'"
        ) from error
    quantizing = quantizer.Quantizer(content, recipe.weight_only_wi8_afp32())
    # One of its two progress bars cannot be turned off.
    with redirect_stderr(io.StringIO()):
        result = quantizing.quantize(enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)
