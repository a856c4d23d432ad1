"""The paper's four architectures, one file for each section, on one residual loop."""

from __future__ import annotations

from tfrnnc.models.conv import Conv
from tfrnnc.models.conv_lstm import ConvLSTM
from tfrnnc.models.fc import FC
from tfrnnc.models.fc_lstm import FCLSTM
from tfrnnc.models.residual_codec import Layout, ResidualCodec
from tfrnnc.models.stage import Stage

ARCHITECTURES: dict[str, type[ResidualCodec]] = {
    model.arch: model for model in (FC, FCLSTM, Conv, ConvLSTM)
}

__all__ = [
    "ARCHITECTURES",
    "FC",
    "FCLSTM",
    "Conv",
    "ConvLSTM",
    "Layout",
    "ResidualCodec",
    "Stage",
]
