"""Bytes and nothing else: container, entropy coder, bit planes (NumPy; no TensorFlow, no Keras)."""

from tfrnnc.bitstream.bit_planes import as_plane, coded_locations, pack_plane, unpack_plane
from tfrnnc.bitstream.container import Header, Planes, StreamWriter, read_header, read_planes
from tfrnnc.bitstream.entropy_model import EntropyModel

__all__ = [
    "EntropyModel",
    "Header",
    "Planes",
    "StreamWriter",
    "as_plane",
    "coded_locations",
    "pack_plane",
    "read_header",
    "read_planes",
    "unpack_plane",
]
