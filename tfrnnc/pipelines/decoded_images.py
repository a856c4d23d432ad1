"""The images of shards as pixels, for what reads sources at random: TFDS, Grain, Keras, PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfrnnc.advice import reworded
from tfrnnc.codec import Codec
from tfrnnc.pipelines.packed_images import PackedImage, PackedImages

# Here they cannot be given; a PackedImage has its stream.
_WORDS = {
    "--partial": "allow_truncated=True of tfrnnc.Codec.decode",
    "--max-pixels": "max_pixels= of tfrnnc.Codec.decode",
    "--max-work": "max_work= of tfrnnc.Codec.decode",
}

Example = dict[str, Any]  #: "key", a str, and "image", uint8 (H, W, 3)


class DecodedImages(Sequence[Example]):
    """Decodes images of shards when they are asked for, one by one or several at once.

    It has what a random-access data source of TensorFlow Datasets has: `__len__`, `__getitem__` and
    `__getitems__`.

    Args:
        packed: the shards.
        codec: of the model that made them; None loads the preset that did.
        iterations: decode at most this many; None decodes all.

    Raises:
        ModelError: if no codec is given and no preset made them.
    """

    def __init__(
        self, packed: PackedImages, codec: Codec | None = None, iterations: int | None = None
    ):
        self._packed, self._iterations = packed, iterations
        self._codec = packed.load_codec() if codec is None else codec

    def __len__(self) -> int:
        return len(self._packed)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.__getitems__(range(*index.indices(len(self))))
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Example]:
        """Several images, decoded together.

        Args:
            indices: their numbers.

        Returns:
            for each its "key" and its "image", uint8 (H, W, 3).

        Raises:
            IndexError: if there is none of such a number.
            StreamError: if one cannot be decoded.
        """
        # In the order of the shards, so that each is read once.
        ordered = sorted({int(index) for index in indices})
        images = self._decode([self._packed[index] for index in ordered])
        examples = dict(zip(ordered, images, strict=True))
        return [dict(examples[int(index)]) for index in indices]

    def find(self, key: str) -> np.ndarray:
        """The pixels of the image with a key, uint8 (H, W, 3).

        Raises:
            KeyError: if there is none.
            StreamError: if it cannot be decoded.
        """
        pixels: np.ndarray = self._decode([self._packed.find(key)])[0]["image"]
        return pixels

    def _decode(self, images: Sequence[PackedImage]) -> list[Example]:
        pixels = decode_all(self._codec, [image.stream for image in images], self._iterations)
        return [
            {"key": image.key, "image": each} for image, each in zip(images, pixels, strict=True)
        ]


def decode_all(
    codec: Codec, streams: Sequence[bytes], iterations: int | None = None
) -> list[np.ndarray]:
    """Decodes several streams.

    Raises:
        StreamError: of the first that cannot be decoded.
    """
    pictures = []
    for picture in codec.decode_batch(streams, iterations):
        if isinstance(picture, Exception):
            picture.args = (reworded(str(picture), _WORDS), *picture.args[1:])
            raise picture
        pictures.append(picture)
    return pictures
