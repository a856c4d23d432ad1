"""A runtime without a network, so that whatever reads streams can be tried quickly."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfrnnc.bitstream import StreamSpec
from tfrnnc.runtimes.runtime import Runtime


class StandInRuntime(Runtime):
    """Has another runtime's properties, and shows the mean of each location's bits as a gray.

    What is computed for a stream depends on its header and its planes' shapes, never on what the
    network makes of them, so that this refuses exactly the streams that the other refuses.

    Args:
        runtime: of the model to stand in for.
    """

    def __init__(self, runtime: Runtime):
        super().__init__(
            StreamSpec(runtime.model_id, runtime.stride, runtime.bits, runtime.iterations),
            reconstruction=runtime.reconstruction,
            encoder_margin=runtime.encoder_margin,
            decoder_margin=runtime.decoder_margin,
            any_size=runtime.any_size,
        )

    def encode_iteration(
        self, residual: np.ndarray, states: Any, iteration: int
    ) -> tuple[np.ndarray, Any]:
        corners = residual[:: self.stride, :: self.stride].mean(axis=2, keepdims=True)
        return corners + np.linspace(-0.5, 0.5, self.bits, dtype=np.float32), None

    def decode_iteration(
        self, plane: np.ndarray, states: Any, reconstruction: np.ndarray | None, iteration: int
    ) -> tuple[np.ndarray, Any]:
        gray = plane.mean(axis=2, dtype=np.float32)
        large = gray.repeat(self.stride, axis=0).repeat(self.stride, axis=1)
        picture = np.repeat(large[..., None], 3, axis=2)
        if self.reconstruction == "additive" and reconstruction is not None:
            picture = reconstruction + picture / (iteration + 1)
        return picture, None

    def decode_states(self, plane: np.ndarray, states: Any, iteration: int) -> Any:
        return None
