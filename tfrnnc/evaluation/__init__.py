"""Rate-distortion curves of tfrnnc's codecs and of the classic ones.

`evaluate` is the way in, and `tfrnnc-evaluate` on the command line; docs/RESULTS.md says how
it measures.
"""

from tfrnnc.evaluation.codecs import CLASSIC_CODECS, CodecSpec, codec_names, open_codec
from tfrnnc.evaluation.curves import BDRate, RateCurve, mean_points
from tfrnnc.evaluation.evaluated_codec import Coded, EvaluatedCodec
from tfrnnc.evaluation.evaluation import Evaluation, EvaluationOptions, evaluate
from tfrnnc.evaluation.measurement import EvaluationProtocol, measure
from tfrnnc.evaluation.plots import draw_curves

__all__ = [
    "CLASSIC_CODECS",
    "BDRate",
    "CodecSpec",
    "Coded",
    "EvaluatedCodec",
    "Evaluation",
    "EvaluationOptions",
    "EvaluationProtocol",
    "RateCurve",
    "codec_names",
    "draw_curves",
    "evaluate",
    "mean_points",
    "measure",
    "open_codec",
]
