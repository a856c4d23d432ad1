"""Which shard an image belongs to, and what the shard's files are called."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from tfrnnc.errors import ConfigError
from tfrnnc.pipelines.storage import join

_NAME = re.compile(r"part-(\d{5,})-of-(\d{5,})\.parquet")


@dataclass(frozen=True)
class Shard:
    """One of the files that images are packed into.

    Attributes:
        folder: that the shards lie in, a path or a URI.
        index: which shard this is, from 0.
        count: how many there are.

    Raises:
        ConfigError: if there is no such shard.

    Examples:
        >>> Shard("shards", 3, 100).path
        'shards/part-00003-of-00100.parquet'
    """

    folder: str
    index: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ConfigError(f"there are {self.count} shards, none has number {self.index}")

    @property
    def path(self) -> str:
        """Where the shard is written."""
        return join(self.folder, f"part-{self._numbers}.parquet")

    @property
    def failed_path(self) -> str:
        """Where the images of the shard are listed that could not be encoded.

        Readers of Parquet folders leave out names that begin so.
        """
        return join(self.folder, f"_failed-{self._numbers}.jsonl")

    @property
    def _numbers(self) -> str:
        return f"{self.index:05d}-of-{self.count:05d}"


def shard_of(key: str, count: int) -> int:
    """The number of the shard that an image belongs to: the CRC-32 of its key, modulo the count.

    Args:
        key: of the image.
        count: how many shards there are.

    Examples:
        >>> [shard_of(key, 100) for key in ("a.png", "b.png", "c.png")]
        [47, 95, 23]
    """
    return zlib.crc32(key.encode("utf-8", "surrogatepass")) % count


def parse_name(name: str) -> tuple[int, int] | None:
    """Number and count of the shard with a file name; None if it is no shard.

    Examples:
        >>> parse_name("part-00003-of-00100.parquet"), parse_name("note.txt")
        ((3, 100), None)
    """
    match = _NAME.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None
