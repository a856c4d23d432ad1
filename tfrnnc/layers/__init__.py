"""What the models are made of (Keras 3 layers, written in `keras.ops`)."""

from tfrnnc.layers.conv2d import Conv2D
from tfrnnc.layers.conv_lstm_cell import ConvLSTMCell
from tfrnnc.layers.deconv_lstm_cell import DeconvLSTMCell
from tfrnnc.layers.depth_to_space import DepthToSpace, SpaceToDepth
from tfrnnc.layers.patch_lstm_cell import PatchLSTMCell
from tfrnnc.layers.stochastic_binarizer import StochasticBinarizer

__all__ = [
    "Conv2D",
    "ConvLSTMCell",
    "DeconvLSTMCell",
    "DepthToSpace",
    "PatchLSTMCell",
    "SpaceToDepth",
    "StochasticBinarizer",
]
