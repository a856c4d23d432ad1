"""Bytes and nothing else: streams, entropy coder, bit planes. Opens no file; needs only NumPy."""

from tfrnnc.bitstream.bit_planes import as_plane, coded_locations, pack_plane, unpack_plane
from tfrnnc.bitstream.entropy_model import EntropyModel
from tfrnnc.bitstream.header import Header, read_header
from tfrnnc.bitstream.limits import WorkLimits
from tfrnnc.bitstream.stream_reader import (
    Planes,
    ReadOptions,
    read_planes,
    read_planes_of_batch,
)
from tfrnnc.bitstream.stream_spec import StreamSpec
from tfrnnc.bitstream.stream_writer import CutStream, HeaderlessWriter, StreamWriter

__all__ = [
    "CutStream",
    "EntropyModel",
    "Header",
    "HeaderlessWriter",
    "Planes",
    "ReadOptions",
    "StreamSpec",
    "StreamWriter",
    "WorkLimits",
    "as_plane",
    "coded_locations",
    "pack_plane",
    "read_header",
    "read_planes",
    "read_planes_of_batch",
    "unpack_plane",
]
