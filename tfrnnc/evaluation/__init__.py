"""Rate-distortion curves of tfrnnc's codecs and of the classic ones.

`tfrnnc-evaluate` is the way in; docs/EVALUATION.md says how it measures.
"""

from tfrnnc.evaluation.codecs import CLASSIC_CODECS, open_codec
from tfrnnc.evaluation.curves import area, bd_rate, quality_at
from tfrnnc.evaluation.evaluated_codec import Coded, EvaluatedCodec
from tfrnnc.evaluation.measurement import EvaluationProtocol, measure

__all__ = [
    "CLASSIC_CODECS",
    "Coded",
    "EvaluatedCodec",
    "EvaluationProtocol",
    "area",
    "bd_rate",
    "measure",
    "open_codec",
    "quality_at",
]
