"""What the levels of effort do, and what they look for."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from tfrnnc.bitstream import EntropyModel
from tfrnnc.codec.gradient_search import GradientSearch
from tfrnnc.codec.search import Aim, BitSearch
from tfrnnc.errors import ConfigError
from tfrnnc.runtimes.keras_runtime import KerasRuntime
from tfrnnc.runtimes.residual_loop import Refine
from tfrnnc.runtimes.runtime import Runtime

Tune: TypeAlias = Literal["psnr", "ssim"]

#: With the second the search gains more in the paper's SSIM, and less in PSNR and MS-SSIM
#: (docs/BENCHMARKS.md, "Search at encoding").
AIMS: dict[Tune, Aim] = {
    "psnr": Aim(ssim_weight=0.02, rate_weight=0.04),
    "ssim": Aim(ssim_weight=0.2, rate_weight=0.02),
}
#: Up to this level, the effort is the number of bits of each block that are tried.
LAST_TRIAL = 4
#: From then on the gradient is followed, and this many bits of each block are tried afterwards.
TRIALS_AFTER_GRADIENT = {5: 0, 6: 1, 7: 2, 8: 4}
GRADIENT_STEPS = 6  #: in each iteration
MAX_EFFORT = max(TRIALS_AFTER_GRADIENT)


def needs_keras(effort: int) -> bool:
    """Whether a level of effort needs the model's weights in Keras."""
    return effort > LAST_TRIAL


def refinement(
    effort: int,
    tune: Tune,
    runtime: Runtime,
    pixels: np.ndarray,
    entropy_model: EntropyModel | None,
) -> Refine | None:
    """What improves the planes of an image, in the order of the iterations.

    Args:
        effort: 0 to `MAX_EFFORT`.
        tune: what it looks for.
        runtime: of the model.
        pixels: the image, uint8 (H, W, 3).
        entropy_model: if the bits will be coded with one.

    Returns:
        None for effort 0.

    Raises:
        ConfigError: if the effort needs a model in Keras, and this one is not.
        TooLargeError: if the image has too many pixels for the effort.
    """
    if not effort:
        return None
    aim = AIMS[tune]
    if not needs_keras(effort):
        return BitSearch(pixels, runtime.stride, effort, aim, entropy_model).improve
    if not isinstance(runtime, KerasRuntime):
        raise ConfigError(
            f"effort {effort} follows gradients, which takes the model's weights in Keras: load "
            f'it with runtime="keras", or take an effort of at most {LAST_TRIAL}'
        )
    trials = TRIALS_AFTER_GRADIENT[effort]
    return GradientSearch(runtime, pixels, GRADIENT_STEPS, aim, entropy_model, trials).improve
