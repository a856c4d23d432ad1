"""Steps that have a gradient, and the sign that is a bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras import ops

if TYPE_CHECKING:
    from tfrnnc.backend import Tensor


def straight_through(exact: Tensor, smooth: Tensor) -> Tensor:
    """The value of `exact`, to the bit, with the gradient of `smooth`.

    Args:
        exact: floats.
        smooth: floats of the same shape.
    """
    # The bracket is exactly zero. (smooth + stop_gradient(exact - smooth) has the same gradient,
    # but rounds the value.)
    return ops.stop_gradient(exact) + (smooth - ops.stop_gradient(smooth))


def signs(values: Tensor) -> Tensor:
    """+1 where values are at least zero, else -1: the rule of `tfrnnc.runtimes.runtime.binarize`.

    Args:
        values: floats of any shape.
    """
    return ops.where(values >= 0.0, ops.ones_like(values), -ops.ones_like(values))
