"""Reading shards: one image after the other, by number, or by key."""

from __future__ import annotations

import bisect
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tfrnnc.bitstream import Header
from tfrnnc.codec import Codec, load
from tfrnnc.errors import ModelError, ShardError
from tfrnnc.model_folder.presets import identify
from tfrnnc.pipelines.shard import Shard, parse_name, shard_of
from tfrnnc.pipelines.shard_file import ROWS_PER_GROUP, Row, ShardFile
from tfrnnc.pipelines.storage import list_names

OPEN_SHARDS = 32  #: that are kept open, with their keys and the row group read last


@dataclass(frozen=True)
class PackedImage:
    """An image of a shard.

    Attributes:
        key: of the image.
        width, height: in pixels.
        code: its bytes in the shard.
        header: of its stream.
    """

    key: str
    width: int
    height: int
    code: bytes
    header: Header

    @property
    def stream(self) -> bytes:
        """Header and code, which `Codec.decode` takes."""
        return self.header.to_bytes() + self.code


class PackedImages(Sequence[PackedImage]):
    """The images of a folder of shards, by number or by key. Threads may share it.

    The images are in the order of the shards, and sorted by key in each. Looking for a key opens
    one shard; numbers open all of them once, to learn how many images each holds.

    Args:
        folder: that `tfrnnc-pack`, `encode_shard` or the Beam pipeline wrote, a path or a URI.

    Attributes:
        folder: the same.
        shards: how many shards there are.

    Raises:
        ShardError: if the folder cannot be read, or has no shards, or not all of them.
        InstallationError: if PyArrow is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = os.fspath(folder)
        self.shards = _count_shards(self.folder)
        self._ends: np.ndarray | None = None
        self._reset()

    def _reset(self) -> None:
        self._open: OrderedDict[int, _OpenShard] = OrderedDict()
        self._lock = threading.RLock()

    def __getstate__(self) -> dict[str, Any]:
        hidden = ("_open", "_lock")
        return {name: value for name, value in vars(self).items() if name not in hidden}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset()

    def __len__(self) -> int:
        return int(self._shard_ends()[-1])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"there are {len(self)} images, none has number {index}")
        index %= len(self)
        ends = self._shard_ends()
        number = int(np.searchsorted(ends, index, side="right"))
        first = int(ends[number - 1]) if number else 0
        with self._lock:
            return self._shard(number).image(index - first)

    def __iter__(self) -> Iterator[PackedImage]:
        for number in range(self.shards):
            shard = ShardFile(Shard(self.folder, number, self.shards).path)
            for group in range(-(-len(shard) // ROWS_PER_GROUP)):
                for row in shard.rows(group):
                    yield _packed(row, shard.header)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._find(key) is not None

    def keys(self) -> Iterator[str]:
        """The keys, in the order of the images."""
        for number in range(self.shards):
            yield from ShardFile(Shard(self.folder, number, self.shards).path).keys()

    def find(self, key: str) -> PackedImage:
        """The image with a key.

        Args:
            key: of the image.

        Raises:
            KeyError: if there is none.
            ShardError: if the shard cannot be read.
        """
        image = self._find(key)
        if image is None:
            raise KeyError(key)
        return image

    def load_codec(self, **settings: Any) -> Codec:
        """The codec that decodes the images, if they were encoded with a preset.

        Args:
            **settings: `runtime`, `threads` and `arithmetic`, as for `tfrnnc.load`.

        Raises:
            ModelError: if no preset made them.
            InstallationError: if the preset is not installed.
        """
        with self._lock:
            shard = self._shard(0).file
        maker = identify(shard.header.model_id, shard.header.entropy_coded)
        if maker.preset is None:
            raise ModelError(
                f"{self.folder}: encoded with {shard.metadata.model}, which is no preset; "
                "load its folder with tfrnnc.load and give the codec"
            )
        return load(maker.preset, **settings)

    def _find(self, key: str) -> PackedImage | None:
        with self._lock:
            shard = self._shard(shard_of(key, self.shards))
            index = bisect.bisect_left(shard.keys, key)
            if index == len(shard.keys) or shard.keys[index] != key:
                return None
            return shard.image(index)

    def _shard_ends(self) -> np.ndarray:
        """For each shard, how many images it and those before it have."""
        if self._ends is None:
            paths = [Shard(self.folder, number, self.shards).path for number in range(self.shards)]
            self._ends = np.cumsum([len(ShardFile(path)) for path in paths])
        return self._ends

    def _shard(self, number: int) -> _OpenShard:
        """A shard, opened if it is not; the lock has to be held."""
        if number not in self._open:
            self._open[number] = _OpenShard(Shard(self.folder, number, self.shards).path)
            if len(self._open) > OPEN_SHARDS:
                self._open.popitem(last=False)
        self._open.move_to_end(number)
        return self._open[number]


class _OpenShard:
    """A shard, its keys, and the row group that was read last."""

    def __init__(self, path: str):
        self.file = ShardFile(path)
        self._keys: list[str] | None = None
        self._group = -1
        self._rows: list[Row] = []

    @property
    def keys(self) -> list[str]:
        if self._keys is None:
            self._keys = self.file.keys()
        return self._keys

    def image(self, index: int) -> PackedImage:
        group, place = divmod(index, ROWS_PER_GROUP)
        if group != self._group:
            self._rows, self._group = self.file.rows(group), group
        return _packed(self._rows[place], self.file.header)


def _packed(row: Row, header: Header) -> PackedImage:
    return PackedImage(*row, replace(header, width=row.width, height=row.height))


def _count_shards(folder: str) -> int:
    """How many shards a folder holds.

    Raises:
        ShardError: if there are none, or not all, or of several sets.
    """
    try:
        shards = [numbers for name in list_names(folder) if (numbers := parse_name(name))]
    except OSError as error:
        raise ShardError(
            f"{folder}: cannot be read ({error.strerror or error}); give the folder that "
            "tfrnnc-pack wrote"
        ) from error
    if not shards:
        raise ShardError(f"{folder}: holds no shards; give the folder that tfrnnc-pack wrote")
    counts = {count for _, count in shards}
    if len(counts) > 1:
        raise ShardError(
            f"{folder}: holds several sets of shards, of {sorted(counts)}; keep each in a folder "
            "of its own"
        )
    (count,) = counts
    if missing := sorted(set(range(count)) - {index for index, _ in shards}):
        shown = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        raise ShardError(
            f"{folder}: {len(missing)} of {count} shards are missing ({shown}); run the packing "
            "again, which makes only those"
        )
    return count
