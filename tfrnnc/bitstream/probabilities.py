"""The probabilities that bits are coded with. Literal, so that they are the same everywhere."""

from __future__ import annotations

import numpy as np

from tfrnnc.bitstream.constants import CERTAIN

# round(65536 / (1 + exp(-(i + 1/2) / 24))) for i from 0 to 127.
_UPPER = (
    33109, 33792, 34473, 35153, 35831, 36506, 37178, 37847, 38511, 39170, 39824, 40472,
    41114, 41748, 42376, 42996, 43608, 44212, 44807, 45393, 45970, 46537, 47094, 47641,
    48178, 48704, 49220, 49725, 50220, 50703, 51176, 51638, 52089, 52529, 52957, 53376,
    53783, 54179, 54565, 54941, 55306, 55660, 56005, 56339, 56663, 56978, 57284, 57579,
    57866, 58144, 58413, 58673, 58925, 59168, 59404, 59632, 59852, 60064, 60270, 60468,
    60659, 60844, 61022, 61194, 61360, 61520, 61675, 61823, 61966, 62105, 62238, 62366,
    62489, 62608, 62722, 62832, 62938, 63040, 63138, 63233, 63324, 63411, 63495, 63576,
    63653, 63728, 63800, 63869, 63935, 63999, 64061, 64119, 64176, 64230, 64283, 64333,
    64381, 64427, 64472, 64515, 64556, 64595, 64633, 64669, 64704, 64738, 64770, 64801,
    64831, 64859, 64886, 64913, 64938, 64962, 64985, 65008, 65029, 65050, 65069, 65088,
    65106, 65124, 65141, 65157, 65172, 65187, 65201, 65215,
)  # fmt: skip

#: The probability of a 1, of CERTAIN, for the logits LOGIT_MIN to LOGIT_MAX.
PROBABILITIES = np.array([CERTAIN - value for value in reversed(_UPPER)] + list(_UPPER))

LARGEST = _UPPER[-1]  #: no bit is more certain than this

#: Bits that a 1 takes, for each probability; the encoder's estimate, on which nothing else rests.
COST_OF_ONE = -np.log2(np.maximum(np.arange(CERTAIN), 0.5) / CERTAIN)


MIN_COST = float(COST_OF_ONE[LARGEST])  #: bits that a bit of a plane takes at least


def costs_of(bits: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The bits that each bit takes in the payload.

    Args:
        bits: of any shape; above 0 for a 1.
        probabilities: of the same shape, of a 1, of `CERTAIN`.

    Returns:
        floats of that shape.
    """
    of_one = probabilities.astype(np.int32)  # unsigned ones cannot be taken from CERTAIN
    return COST_OF_ONE.take(np.where(bits > 0, of_one, CERTAIN - of_one))
