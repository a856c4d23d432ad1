"""Keras models to SavedModels with explicit state."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from tfrnnc.errors import ConfigError
from tfrnnc.model_folder.manifest import STATES_ONLY, WHOLE_ITERATION, Tensor
from tfrnnc.models import ResidualCodec, Stage


class ExportedIteration(NamedTuple):
    """A SavedModel of one iteration.

    Attributes:
        folder: of the SavedModel.
        kind: "encoder" or "decoder".
        signatures: their names.
        weights_bytes: bytes of its weights as float32.
        margin, inputs, outputs: see `tfrnnc.model_folder.manifest.IterationFile`.
    """

    folder: Path
    kind: str
    signatures: list[str]
    weights_bytes: int
    margin: int
    inputs: list[Tensor]
    outputs: list[Tensor]


def export_saved_models(
    model: ResidualCodec, folder: Path, size: tuple[int, int] | None = None
) -> list[ExportedIteration]:
    """Writes each iteration of a model as a SavedModel.

    The folders are `encoder_1` and `decoder_1`; models with distinct weights have `encoder_2`,
    `decoder_2` and so on, one pair for each iteration. Each has the signature `serving_default`:

        encoder: residual, state_0, state_1, ... -> logits, new_state_0, new_state_1, ...
        decoder: bits, state_0, state_1, ...     -> prediction, new_state_0, new_state_1, ...

    The decoder of a model with memory has `states_only` as well, the same without the prediction,
    for iterations whose picture nobody looks at: the last iteration's is all that a picture takes.

    All tensors are float32 with a batch of one. The states of the first iteration are zeros; bits
    are -1 or +1, and taking them from the logits, where zero is +1, is left to the caller.

    Args:
        model: a codec model (Keras on the TensorFlow backend).
        folder: where to write; made if missing.
        size: (H, W) in pixels of the images, multiples of the model's stride; None makes models
            that take any.

    Returns:
        the iterations written, all encoders first.

    Raises:
        ConfigError: if the size is no multiple of the stride.
    """
    check_size(model, size)
    stages = [("encoder", *pair) for pair in enumerate(model.encoders, start=1)]
    stages += [("decoder", *pair) for pair in enumerate(model.decoders, start=1)]
    iterations = []
    for kind, number, stage in stages:
        names = [WHOLE_ITERATION]
        if kind == "decoder" and model.reconstruction == "one_shot":
            names.append(STATES_ONLY)
        description = describe_iteration(model, stage, kind)
        iteration = ExportedIteration(folder / f"{kind}_{number}", kind, names, *description)
        module = _IterationModule(stage, iteration, size)
        functions = {WHOLE_ITERATION: module.whole_iteration, STATES_ONLY: module.states_only}
        signatures = {name: functions[name].get_concrete_function() for name in names}
        tf.saved_model.save(module, str(iteration.folder), signatures=signatures)
        iterations.append(iteration)
    return iterations


def check_size(model: ResidualCodec, size: tuple[int, int] | None) -> None:
    """Raises ConfigError unless images of (H, W) pixels, or of any, fit a model."""
    if size is not None and any(side < 1 or side % model.stride for side in size):
        raise ConfigError(
            f"the size must be a multiple of the model's stride, {model.stride}, "
            f"not {size[0]}x{size[1]}"
        )


class _IterationModule(tf.Module):
    """One stage as a function of its input and states."""

    def __init__(self, stage: Stage, iteration: ExportedIteration, size: tuple[int, int] | None):
        super().__init__()
        # Without this list TensorFlow finds no variables to save, and says nothing.
        self.variables_to_save = [variable.value for variable in stage.variables]
        specs = [
            tf.TensorSpec(
                (1, *tensor.spatial_shape(size), tensor.channels), tf.float32, tensor.name
            )
            for tensor in iteration.inputs
        ]
        names = [tensor.name for tensor in iteration.outputs]

        def whole_iteration(inputs: tf.Tensor, *states: tf.Tensor) -> dict[str, tf.Tensor]:
            outputs, new_states = stage(inputs, list(states))
            return dict(zip(names, (outputs, *new_states), strict=True))

        def states_only(inputs: tf.Tensor, *states: tf.Tensor) -> dict[str, tf.Tensor]:
            _, new_states = stage(inputs, list(states))
            return dict(zip(names[1:], new_states, strict=True))

        self.whole_iteration = tf.function(whole_iteration, input_signature=specs)
        self.states_only = tf.function(states_only, input_signature=specs)


def describe_iteration(
    model: ResidualCodec, stage: Stage, kind: str
) -> tuple[int, int, list[Tensor], list[Tensor]]:
    """Bytes of a stage's weights, its margin, its inputs and its outputs."""
    names = ("residual", "logits") if kind == "encoder" else ("bits", "prediction")
    channels, stride = (3, 1) if kind == "encoder" else (model.bits, model.stride)
    filters = [shape[-1] for shape in stage.state_shapes(None, None)]
    states = list(zip(filters, stage.state_strides(stride), strict=True))
    *_, output_channels = stage.compute_output_shape((1, None, None, channels))
    assert output_channels is not None
    inputs = [Tensor(names[0], channels, stride)]
    inputs += [Tensor(f"state_{i}", *state) for i, state in enumerate(states)]
    outputs = [Tensor(names[1], output_channels, stage.strides(stride)[-1])]
    outputs += [Tensor(f"new_state_{i}", *state) for i, state in enumerate(states)]
    return 4 * stage.count_params(), stage.margin(stride), inputs, outputs
