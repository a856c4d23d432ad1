"""Images to bytes and back: rate control, padding, runtimes."""

from tfrnnc.codec.codec import Codec, load

__all__ = ["Codec", "load"]
