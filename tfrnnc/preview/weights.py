"""The file of a preview's decoder: its tables and its network; docs/PREVIEW.md describes it."""

from __future__ import annotations

import math
import struct
import zlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfrnnc.errors import ModelError
from tfrnnc.preview.layout import (
    ACCUMULATOR_LIMIT,
    COEFFICIENTS,
    COLUMN_LIMIT,
    LAYERS,
    LOW,
    MAX_SHIFT,
    WEIGHT_LIMIT,
    LayerShape,
)
from tfrnnc.preview.tables import FIELDS, Tables

MAGIC = b"TFPV"
FILE_VERSION = 1
_HEAD = 5
_CRC = struct.Struct("<I")
_REMEDY = "install tfrnnc again"


class LayerWeights(NamedTuple):
    """One layer in whole numbers.

    Attributes:
        shift: how many bits the sums are shifted to the right.
        bias: int32, added to the sums before.
        kernel: int8, of the layer's shape.
    """

    shift: int
    bias: npt.NDArray[np.int32]
    kernel: npt.NDArray[np.int8]


class DecoderFile(NamedTuple):
    """All that a decoder needs.

    Attributes:
        tables: of the coefficients.
        layers: of the network, by name.
    """

    tables: Tables
    layers: dict[str, LayerWeights]


def write_decoder(decoder: DecoderFile) -> bytes:
    """The content of a decoder's file.

    Raises:
        ModelError: if a sum could reach 2^24.
    """
    _check_tables("the tables", decoder.tables)
    parts = [MAGIC, bytes([FILE_VERSION])]
    for name, (kind, _) in FIELDS.items():
        parts.append(getattr(decoder.tables, name).astype(kind).tobytes())
    for name, shape in LAYERS.items():
        layer = decoder.layers[name]
        _check_sums(name, shape, layer)
        parts += [bytes([layer.shift]), layer.bias.astype("<i4").tobytes(), layer.kernel.tobytes()]
    content = b"".join(parts)
    return content + _CRC.pack(zlib.crc32(content))


def read_decoder(content: bytes, name: str = "the decoder") -> DecoderFile:
    """What `write_decoder` wrote.

    Args:
        content: of the file.
        name: of the file, for messages.

    Raises:
        ModelError: if the file is damaged, of another version, or its sums could reach 2^24.
    """
    if content[:4] != MAGIC or content[4:_HEAD] != bytes([FILE_VERSION]):
        raise ModelError(f"{name}: no preview decoder of this version; {_REMEDY}")
    body, crc = content[: -_CRC.size], content[-_CRC.size :]
    if len(content) != _file_size() or _CRC.unpack(crc)[0] != zlib.crc32(body):
        raise ModelError(f"{name}: damaged, as its checksum or its size shows; {_REMEDY}")
    fields = {}
    place = _HEAD
    for field, (kind, shape) in FIELDS.items():
        values = np.frombuffer(body, kind, math.prod(shape), place)
        fields[field] = values.reshape(shape)
        place += values.nbytes
    tables = Tables(**fields)
    _check_tables(name, tables)
    layers: dict[str, LayerWeights] = {}
    for layer, shape in LAYERS.items():
        biases = place + 1 + 4 * shape.outputs
        layers[layer] = LayerWeights(
            body[place],
            np.frombuffer(body[place + 1 : biases], "<i4").astype(np.int32),
            np.frombuffer(body[biases : biases + shape.size], np.int8).reshape(shape.kernel),
        )
        place = biases + shape.size
        _check_sums(layer, shape, layers[layer])
    return DecoderFile(tables, layers)


def largest_sum(shape: LayerShape, layer: LayerWeights) -> int:
    """The greatest magnitude that a sum of the layer, bias and rounding included, can have."""
    sums = np.abs(layer.kernel.astype(np.int64)).sum((0, 1, 2))
    bias = np.abs(layer.bias.astype(np.int64)) + (1 << layer.shift >> 1)
    return int((sums * shape.input_limit + bias).max())


def _file_size() -> int:
    tables = sum(np.dtype(kind).itemsize * math.prod(shape) for kind, shape in FIELDS.values())
    layers = sum(1 + 4 * shape.outputs + shape.size for shape in LAYERS.values())
    return _HEAD + tables + layers + _CRC.size


def _check_tables(name: str, tables: Tables) -> None:
    places = np.unique(tables.place)
    widest = int(np.abs(tables.basis.astype(np.int64)).sum(0).max()) * COLUMN_LIMIT
    if (
        len(places) != COEFFICIENTS
        or places[-1] >= 3 * LOW * LOW
        or not tables.probability.all()
        or widest >= ACCUMULATOR_LIMIT - (1 << 12)
    ):
        raise ModelError(f"{name}: a table is out of range; train it again")


def _check_sums(name: str, shape: LayerShape, layer: LayerWeights) -> None:
    if layer.shift > MAX_SHIFT or np.any(layer.kernel < -WEIGHT_LIMIT):
        raise ModelError(f"layer {name}: a shift or weight is out of range; train it again")
    if largest_sum(shape, layer) >= ACCUMULATOR_LIMIT:
        raise ModelError(f"layer {name}: its sums can reach 2^24; train with smaller weights")
