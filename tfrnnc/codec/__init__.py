"""Images to bytes and back: encoding once for any size, decoding, rate control."""

from tfrnnc.codec.codec import Codec, load
from tfrnnc.codec.encode_options import EncodeOptions
from tfrnnc.codec.progressive_encoder import Encoded, ImageEncoder, Target

__all__ = ["Codec", "EncodeOptions", "Encoded", "ImageEncoder", "Target", "load"]
