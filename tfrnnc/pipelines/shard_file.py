"""A shard as a Parquet file: a row for each image, and what they share in the file's metadata."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from tfrnnc.bitstream import Header, read_header
from tfrnnc.errors import ShardError, StreamError
from tfrnnc.pipelines.arrow import import_arrow
from tfrnnc.pipelines.storage import open_at_random

METADATA_KEY = b"tfrnnc"  #: of the file's metadata
VERSION = 1  #: of what the metadata hold
ROWS_PER_GROUP = 1000  #: images that are read at once to get at one of them


class Row(NamedTuple):
    """An image in a shard.

    Attributes:
        key: of the image.
        width, height: in pixels.
        code: what `Codec.encode` gives with `headerless=True`.
    """

    key: str
    width: int
    height: int
    code: bytes


@dataclass(frozen=True)
class ShardMetadata:
    """What the images of a shard share.

    Attributes:
        header: of their streams, that of an image of one pixel, in hexadecimal.
        model: what the model is called; the header identifies it.
        options: they were encoded with, and their arithmetic.
        fingerprint: of the model, the options and the keys that were to be packed.
        failures: how many images could not be encoded.
        version: of these fields.
    """

    header: str
    model: str
    options: dict[str, Any]
    fingerprint: str
    failures: int = 0
    version: int = field(default=VERSION)

    @property
    def arithmetic(self) -> str:
        """What the model computed in when it encoded them; float32 if the shard does not say."""
        arithmetic: str = self.options.get("arithmetic", "float32")
        return arithmetic

    def stream_header(self) -> Header:
        """The header of the streams, for an image of one pixel.

        Raises:
            StreamError: if it is damaged.
        """
        return read_header(bytes.fromhex(self.header))[0]


def to_parquet(rows: Sequence[Row], metadata: ShardMetadata) -> bytes:
    """A shard's file.

    Args:
        rows: of the images, sorted by key.
        metadata: what they share.

    Raises:
        InstallationError: if PyArrow is not installed.
    """
    arrow, parquet = import_arrow("pyarrow"), import_arrow("pyarrow.parquet")
    schema = arrow.schema(
        [
            arrow.field("key", arrow.string(), nullable=False),
            arrow.field("width", arrow.int32(), nullable=False),
            arrow.field("height", arrow.int32(), nullable=False),
            arrow.field("code", arrow.binary(), nullable=False),
        ],
        metadata={METADATA_KEY: json.dumps(asdict(metadata), sort_keys=True)},
    )
    columns = zip(*rows, strict=True) if rows else ([], [], [], [])
    arrays = [
        arrow.array(list(values), each.type) for values, each in zip(columns, schema, strict=True)
    ]
    sink = arrow.BufferOutputStream()
    parquet.write_table(
        arrow.Table.from_arrays(arrays, schema=schema),
        sink,
        row_group_size=ROWS_PER_GROUP,
        # Codes are as dense as it gets.
        compression={"key": "ZSTD", "width": "ZSTD", "height": "ZSTD", "code": "NONE"},
        use_dictionary=["width", "height"],
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content


class ShardFile:
    """A shard that is open for reading. Not safe to share between threads.

    Args:
        location: path or URI of the file.

    Attributes:
        location: the same.
        metadata: what the images share.
        header: of their streams, that of an image of one pixel.

    Raises:
        ShardError: if there is no such file, or it is no shard.
        InstallationError: if PyArrow is not installed.
    """

    def __init__(self, location: str):
        self.location = location
        arrow = import_arrow("pyarrow")
        try:
            self._file = import_arrow("pyarrow.parquet").ParquetFile(open_at_random(location))
            content = json.loads((self._file.metadata.metadata or {})[METADATA_KEY])
            if content.get("version") != VERSION:
                raise ShardError(
                    f"{location}: version {content.get('version')} of shards is not known to this "
                    f"release, which reads {VERSION}; a newer tfrnnc may read it"
                )
            self.metadata = ShardMetadata(**content)
            self.header = self.metadata.stream_header()
            if not isinstance(self.metadata.options, dict):
                raise TypeError("the options are no object")
        except FileNotFoundError as error:
            raise ShardError(f"{location}: no such shard; check the path") from error
        except (OSError, arrow.ArrowException) as error:
            raise ShardError(f"{location}: cannot be read ({error}); pack it again") from error
        except (AttributeError, KeyError, TypeError, ValueError, StreamError) as error:
            raise ShardError(
                f"{location}: not a shard of tfrnnc, or damaged; tfrnnc-pack makes them"
            ) from error

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    def keys(self) -> list[str]:
        """The keys of all images, sorted."""
        keys: list[str] = self._read(self._file.read, ["key"]).column("key").to_pylist()
        return keys

    def code_bytes(self) -> int:
        """How many bytes all codes have together."""
        column = self._read(self._file.read, ["code"]).column("code")
        compute = import_arrow("pyarrow.compute")
        return int(compute.sum(compute.binary_length(column)).as_py() or 0)

    def rows(self, group: int) -> list[Row]:
        """The images of a row group, `ROWS_PER_GROUP` of them or what is left."""
        table = self._read(self._file.read_row_group, group)
        columns = [table.column(name).to_pylist() for name in Row._fields]
        return [Row(*values) for values in zip(*columns, strict=True)]

    def _read(self, read: Any, argument: Any) -> Any:
        try:
            return read(argument) if isinstance(argument, int) else read(columns=argument)
        except (OSError, import_arrow("pyarrow").ArrowException) as error:
            raise ShardError(f"{self.location}: is damaged ({error}); pack it again") from error
