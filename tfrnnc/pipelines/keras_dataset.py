"""Shards as what `keras.Model.fit` reads."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tfrnnc.errors import ShardError
from tfrnnc.pipelines.decoded_images import DecodedImages


class PackedDataset(keras.utils.PyDataset):
    """Batches of decoded images.

    Args:
        images: what to read; all of one size.
        batch_size: images in a batch; the last one may have fewer.
        targets: takes the keys of a batch and gives what the model should predict of it; None
            gives the images alone.
        shuffle: in another order in each epoch.
        seed: of that order.
        **settings: `workers`, `use_multiprocessing` and `max_queue_size`, as Keras has them.

    Raises:
        ShardError: by `__getitem__`, if images of a batch differ in size.
    """

    def __init__(
        self,
        images: DecodedImages,
        batch_size: int = 32,
        targets: Callable[[list[str]], Any] | None = None,
        *,
        shuffle: bool = False,
        seed: int = 0,
        **settings: Any,
    ):
        super().__init__(**settings)
        self._images, self._batch_size, self._targets = images, batch_size, targets
        self._shuffle, self._random = shuffle, np.random.default_rng(seed)
        self._order = np.arange(len(images))
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def __getitem__(self, index: int) -> Any:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        examples = self._images.__getitems__(chosen.tolist())
        sizes = {example["image"].shape for example in examples}
        if len(sizes) > 1:
            raise ShardError(
                f"images of {len(sizes)} sizes cannot be one batch; pack images of one size"
            )
        images = np.stack([example["image"] for example in examples])
        if self._targets is None:
            return images
        return images, self._targets([example["key"] for example in examples])

    def on_epoch_end(self) -> None:
        """Puts the images in a new order, if they are shuffled."""
        if self._shuffle:
            self._random.shuffle(self._order)
