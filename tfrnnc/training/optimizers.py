"""The optimisers: Muon for the kernels of a codec and Adam for everything else, or Adam alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
from keras import ops

from tfrnnc.layers import ConvLSTMCell, DeconvLSTMCell

if TYPE_CHECKING:
    from tfrnnc.backend import Tensor

GATES = 4  #: transforms that share one kernel of an LSTM cell
MIN_ROWS = 32  #: kernels with fewer inputs per output are left to Adam


class MatrixForm(NamedTuple):
    """How a kernel is read as matrices of shape (inputs, outputs).

    Attributes:
        gates: matrices that stand side by side in the kernel's outputs.
        transposed: whether the outputs come before the inputs, as in a transposed convolution.
    """

    gates: int = 1
    transposed: bool = False


def matrix_forms(layers: Iterable[keras.layers.Layer]) -> dict[str, MatrixForm]:
    """The form of every kernel that Muon should train, by the path of its variable.

    Args:
        layers: built layers; those inside them are found.

    Returns:
        no entry for biases, and none for kernels with fewer than `MIN_ROWS` inputs per output.
    """
    forms: dict[str, MatrixForm] = {}
    for layer in layers:
        for inner in layer._flatten_layers():
            recurrent = isinstance(inner, ConvLSTMCell)
            for variable in inner._trainable_variables:
                transposed = variable.name == "kernel" and isinstance(
                    inner, DeconvLSTMCell | keras.layers.Conv2DTranspose
                )
                form = MatrixForm(GATES if recurrent else 1, transposed)
                if len(variable.shape) >= 2 and _rows(variable.shape, form) >= MIN_ROWS:
                    forms[variable.path] = form
    return forms


class AveragesWeights(keras.optimizers.Optimizer):
    """A base of optimisers: averages of the weights, right from the start and apart from them.

    The average's momentum rises as (1 + t) / (10 + t) with the training steps t before, up to
    `ema_momentum`, so that the first weights are soon forgotten. Keras puts the averages in the
    weights' place when `fit` ends, and a run that `fit` serves in several calls would go on from
    other weights than an unbroken one; here they stay apart.
    """

    def _update_model_variables_moving_average(
        self, trainable_variables: Sequence[keras.Variable]
    ) -> None:
        if not self.use_ema:
            return
        steps = ops.cast(self.iterations, "float32")
        momentum = ops.minimum((1 + steps) / (10 + steps), self.ema_momentum)
        averages = self._model_variables_moving_average
        for variable, average in zip(trainable_variables, averages, strict=True):
            if average is not None:
                average.assign(momentum * average + (1 - momentum) * variable.value)

    def finalize_variable_values(self, var_list: Sequence[keras.Variable]) -> None:
        """Leaves the weights as they are."""


class Adam(AveragesWeights, keras.optimizers.Adam):
    """`keras.optimizers.Adam`, whose averages of the weights stay beside them."""


class Muon(AveragesWeights, keras.optimizers.Muon):
    """Momentum whose update of each kernel is made orthogonal (Jordan et al., 2024).

    A kernel of a convolution is read as a matrix of shape (height x width x inputs, outputs); the
    four gates of an LSTM cell are matrices of their own. Five Newton-Schulz iterations bring the
    singular values of the momentum close to 1, and the result is scaled by
    sqrt(max(1, rows / columns)). Keras's own class orthogonalises variables with two dimensions
    only and hands the rest, convolutions among them, to Adam.

    Updates of a fixed size make kernels grow for as long as training goes on: gates saturate, and
    in a long run the loss at last explodes. Weight decay keeps them in bounds (Liu et al., 2025).

    Args:
        learning_rate: of the kernels that `forms` names.
        adam_learning_rate: of all other variables, at the peak of the schedule.
        forms: the kernels to orthogonalise, as `matrix_forms` finds them.
        peak_learning_rate: the greatest value of `learning_rate`, where that is a schedule.
        weight_decay: of the kernels that `forms` names: in each step they lose this share of
            themselves, times the learning rate.
        **kwargs: as for `keras.optimizers.Muon`.

    References:
        Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024,
        https://kellerjordan.github.io/posts/muon/
        Liu et al., Muon is scalable for LLM training, 2025, https://arxiv.org/abs/2502.16982
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.03,
        adam_learning_rate: float = 2e-3,
        forms: Mapping[str, MatrixForm] | None = None,
        peak_learning_rate: float | None = None,
        weight_decay: float = 0.0,
        **kwargs: Any,
    ) -> None:
        peak_learning_rate = peak_learning_rate or learning_rate
        super().__init__(
            learning_rate=learning_rate,
            adam_beta_2=0.99,
            adam_lr_ratio=adam_learning_rate / peak_learning_rate,
            adam_weight_decay=None,
            weight_decay=None,
            rms_rate=None,
            **kwargs,
        )
        self.adam_learning_rate = adam_learning_rate
        self.peak_learning_rate = peak_learning_rate
        self.muon_weight_decay = weight_decay
        self.forms = {path: MatrixForm(*form) for path, form in (forms or {}).items()}

    def build(self, variables: Sequence[keras.Variable]) -> None:
        # TensorFlow hands its own variables to the update, which have no path.
        self._form_of_index = [self.forms.get(variable.path) for variable in variables]
        super().build(variables)

    def _should_use_adamw(self, variable: Tensor) -> bool:
        return self._form_of_index[self._get_variable_index(variable)] is None

    def _muon_update_step(
        self, gradient: Tensor, variable: Tensor, lr: Tensor, m: keras.Variable
    ) -> None:
        self.assign(m, self.momentum * m + gradient)
        direction = gradient + self.momentum * m if self.nesterov else m
        form = self._form_of_index[self._get_variable_index(variable)]
        update = orthogonal_update(direction, form, self.ns_steps)
        if self.muon_weight_decay:
            update = update + self.muon_weight_decay * variable
        self.assign_sub(variable, ops.cast(lr, variable.dtype) * update)

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config()
        for fixed in ("adam_beta_2", "adam_lr_ratio", "adam_weight_decay", "rms_rate"):
            config.pop(fixed)
        return config | {
            "adam_learning_rate": self.adam_learning_rate,
            "peak_learning_rate": self.peak_learning_rate,
            "weight_decay": self.muon_weight_decay,
            "forms": {path: tuple(form) for path, form in self.forms.items()},
        }


def orthogonal_update(direction: Tensor, form: MatrixForm, iterations: int = 5) -> Tensor:
    """Muon's update of a kernel, of the kernel's shape.

    Args:
        direction: floats of the kernel's shape: its momentum, or Nesterov's look ahead.
        form: how the kernel is read as matrices.
        iterations: of Newton-Schulz.
    """
    shape = direction.shape
    if form.transposed:
        direction = ops.moveaxis(direction, -2, -1)
    *_, outputs = direction.shape
    columns = outputs // form.gates
    rows = _rows(shape, form)
    matrices = ops.transpose(ops.reshape(direction, (rows, form.gates, columns)), (1, 0, 2))
    matrices = _newton_schulz(matrices, iterations) * max(1.0, rows / columns) ** 0.5
    update = ops.reshape(ops.transpose(matrices, (1, 0, 2)), direction.shape)
    return ops.moveaxis(update, -2, -1) if form.transposed else update


def _rows(shape: tuple[int, ...], form: MatrixForm) -> int:
    inputs = shape[-1] if form.transposed else shape[-2]
    for size in shape[:-2]:
        inputs *= size
    return inputs


def _newton_schulz(matrices: Tensor, iterations: int) -> Tensor:
    """Matrices (number, rows, columns) with their singular values brought close to 1."""
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = matrices.shape[-2] <= matrices.shape[-1]
    x = matrices if wide else ops.swapaxes(matrices, -2, -1)
    x = x / (ops.norm(x, axis=(-2, -1), keepdims=True) + 1e-7)
    for _ in range(iterations):
        gram = x @ ops.swapaxes(x, -2, -1)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else ops.swapaxes(x, -2, -1)
