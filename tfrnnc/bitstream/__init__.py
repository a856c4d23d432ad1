"""Bytes and nothing else: the container and the bit planes (NumPy; no TensorFlow, no Keras)."""

from tfrnnc.bitstream.bit_planes import pack_plane, unpack_plane
from tfrnnc.bitstream.container import Header, read_header, read_planes, write_stream

__all__ = ["Header", "pack_plane", "read_header", "read_planes", "unpack_plane", "write_stream"]
