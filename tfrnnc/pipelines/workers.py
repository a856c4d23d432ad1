"""Shards made by several processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, as_completed
from dataclasses import dataclass

from tfrnnc.codec import Codec, EncodeOptions
from tfrnnc.errors import ShardError
from tfrnnc.pipelines.encode_shard import ShardReport, encode_shard
from tfrnnc.pipelines.inputs import Item
from tfrnnc.pipelines.shard import Shard
from tfrnnc.processes import process_pool


@dataclass(frozen=True)
class EncodeSettings:
    """What all shards are made with.

    Attributes:
        load: gives the codec; called once in each process, and pickled.
        options: how to encode.
        overwrite: make shards again that are there.
    """

    load: Callable[[], Codec]
    options: EncodeOptions
    overwrite: bool = False


def encode_shards(
    work: Sequence[tuple[Shard, Sequence[Item]]], settings: EncodeSettings, jobs: int = 1
) -> Iterator[ShardReport]:
    """Makes shards, in several processes.

    Args:
        work: shards and the images of each.
        settings: what they are made with.
        jobs: how many processes; 1 stays in this one.

    Yields:
        what was done for each, as they are finished.

    Raises:
        ShardError: of the first shard that cannot be made; those that are finished stay.
    """
    if jobs == 1 or len(work) < 2:
        codec = settings.load()
        for shard, items in work:
            yield encode_shard(shard, items, codec, settings.options, settings.overwrite)
        return
    try:
        with process_pool(min(jobs, len(work)), _start, settings) as pool:
            futures = [pool.submit(_encode_in_worker, shard, items) for shard, items in work]
            for future in as_completed(futures):
                yield future.result()
            pool.shutdown()
    except BrokenExecutor as error:
        raise ShardError(
            "a process ended while it packed, perhaps for want of memory; take fewer jobs "
            "(--jobs). Run it again for the shards that are missing"
        ) from error


_worker: tuple[Codec, EncodeSettings] | None = None  # In a process of the pool.


def _start(settings: EncodeSettings) -> None:
    """Makes a process of the pool ready."""
    global _worker
    _worker = settings.load(), settings


def _encode_in_worker(shard: Shard, items: Sequence[Item]) -> ShardReport:
    assert _worker is not None
    codec, settings = _worker
    return encode_shard(shard, items, codec, settings.options, settings.overwrite)
