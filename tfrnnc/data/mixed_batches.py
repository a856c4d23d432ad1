"""Batches from several sets of images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tfrnnc.data.patch_batches import PatchBatches

if TYPE_CHECKING:
    import tensorflow as tf


class MixedBatches(keras.utils.PyDataset):
    """Batches of one set or another, drawn at random.

    Batch i depends on (sets, shares, seed, first_batch + i) alone; see `PatchBatches`.

    Args:
        sets: where the batches come from.
        shares: of the batches that each set gives, in proportion.
        targets: floats (N,) for each set, which each of its patches gets as its target; None
            gives images only.
        seed: of the drawing.
        part: takes the size of a batch and returns the slice of it that is wanted; None takes all.
        **kwargs: as for every `keras.utils.PyDataset`.

    Attributes:
        first_batch: the number of the batch that the stream starts with.
    """

    def __init__(
        self,
        sets: Sequence[PatchBatches],
        shares: Sequence[float],
        targets: Sequence[np.ndarray] | None = None,
        seed: int = 0,
        part: Callable[[int], slice] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sets = list(sets)
        self.targets = targets
        self.seed = seed
        self._parts = [part(one.batch_size) if part else slice(None) for one in self.sets]
        self.first_batch = 0
        self._chances = np.cumsum(np.divide(shares, np.sum(shares)))

    @property
    def num_batches(self) -> None:
        return None

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        number = self.first_batch + index
        drawn = np.random.default_rng([self.seed, number, 1]).random()
        chosen = min(int(np.searchsorted(self._chances, drawn, side="right")), len(self.sets) - 1)
        images = self.sets[chosen].batch(number, self._parts[chosen])
        if self.targets is None:
            return (images,)
        targets = np.asarray(self.targets[chosen], np.float32)
        return images, np.broadcast_to(targets, (len(images), *targets.shape))

    def for_fit(self) -> MixedBatches | tf.data.Dataset:
        """The batches in the form that `fit` takes, whatever the sizes of the sets' patches.

        Keras learns the shapes of a `PyDataset` from its first two batches and takes no others
        afterwards; on TensorFlow the batches therefore come as a data set whose signature leaves
        open what differs between the sets.
        """
        if keras.backend.backend() != "tensorflow":
            return self
        import tensorflow as tf

        def batches() -> Iterator[tuple[np.ndarray, ...]]:
            index = 0
            while True:
                yield self[index]
                index += 1

        batch_sizes = {one.batch_size for one in self.sets}
        patch_sizes = {one.patch_size for one in self.sets}
        batch_size = batch_sizes.pop() if len(batch_sizes) == 1 else None
        side = patch_sizes.pop() if len(patch_sizes) == 1 else None
        signature = [tf.TensorSpec((batch_size, side, side, 3), tf.float32)]
        if self.targets is not None:
            signature.append(tf.TensorSpec((batch_size, len(self.targets[0])), tf.float32))
        data = tf.data.Dataset.from_generator(batches, output_signature=tuple(signature))
        return data.prefetch(2)
