"""Divides items into batches of images of one size, within a bound on memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from tfrnnc.codec.calls import ITEM_ERRORS, ItemError
from tfrnnc.runtimes.runtime import BATCH_PIXELS

#: Most pixels, padded, of all items that wait for others of their size.
WAITING_PIXELS = 1 << 22


class Sized(Protocol):
    """What is known of an item before it is computed."""

    @property
    def padded_size(self) -> tuple[int, int]:
        """Height and width of the image, padded to the model's stride."""


Item = TypeVar("Item")
Prepared = TypeVar("Prepared", bound=Sized)
Result = TypeVar("Result")


def run_in_batches(
    items: Iterable[Item],
    prepare: Callable[[Item], Prepared],
    run: Callable[[Sequence[Prepared]], Sequence[Result | ItemError]],
) -> list[Result | ItemError]:
    """Computes items, those of one padded size together.

    Args:
        items: of any sizes; taken one after the other, so that they need not be there at once.
        prepare: what an item is before it is computed.
        run: computes items of one size.

    Returns:
        for each item, in order, its result, or the error that `prepare` or `run` has for it.
    """
    results: list[Any] = []
    waiting: dict[tuple[int, int], list[tuple[int, Prepared]]] = {}
    pixels = 0

    def flush(size: tuple[int, int]) -> int:
        numbers, batch = zip(*waiting.pop(size), strict=True)
        for number, result in zip(numbers, run(batch), strict=True):
            results[number] = result
        return len(batch) * size[0] * size[1]

    for number, item in enumerate(items):
        results.append(None)
        try:
            prepared = prepare(item)
        except ITEM_ERRORS as error:
            results[number] = error
            continue
        size = prepared.padded_size
        waiting.setdefault(size, []).append((number, prepared))
        pixels += size[0] * size[1]
        if (len(waiting[size]) + 1) * size[0] * size[1] > BATCH_PIXELS:
            pixels -= flush(size)
        elif pixels > WAITING_PIXELS:
            pixels -= flush(max(waiting, key=lambda size: len(waiting[size]) * size[0] * size[1]))
    for size in list(waiting):
        flush(size)
    return results
