"""What is to be packed: images with their keys, and which shard each goes into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Union

from tfrnnc.errors import DataError
from tfrnnc.pipelines.shard import shard_of
from tfrnnc.pipelines.storage import image_names, is_folder, join, read_bytes

if TYPE_CHECKING:
    import numpy as np

#: An image: the path or URI of its file, the file's bytes, or its pixels as `Codec.encode` takes
#: them.
Content = Union[str, bytes, "np.ndarray"]
Item = tuple[str, Content]  #: a key and the image


def list_images(location: str) -> Iterator[Item]:
    """The images of a folder, or those that a list names.

    Args:
        location: a folder, which is searched with the folders below it for files with an
            extension of an image, or a text file with a path or URI in each line. Either may be
            a URI itself.

    Yields:
        keys and locations. A key is the path below the folder, with slashes, or the line.

    Raises:
        DataError: if there is no such folder or file, or it cannot be read.
    """
    try:
        if is_folder(location):
            for name in image_names(location):
                yield name, join(location, name)
        else:
            yield from read_list(read_bytes(location).decode("utf-8", "surrogateescape"))
    except OSError as error:
        raise DataError(
            f"{location}: cannot be read ({error.strerror or error}); give a folder of images, or "
            "a text file with a path in each line"
        ) from error


def read_list(text: str) -> Iterator[Item]:
    r"""The images that a text names, a path or URI in each line; the line is the key.

    Examples:
        >>> list(read_list("a.png\nphotos/b.jpg\n"))
        [('a.png', 'a.png'), ('photos/b.jpg', 'photos/b.jpg')]
    """
    for line in text.split("\n"):
        path = line.removesuffix("\r")
        if path:
            yield path, path


def assign_to_shards(items: Iterable[Item], count: int) -> list[list[Item]]:
    """Divides images among shards by their keys, whatever order they come in.

    Args:
        items: keys and images.
        count: how many shards there are.

    Returns:
        the images of each shard.
    """
    shards: list[list[Item]] = [[] for _ in range(count)]
    for item in items:
        shards[shard_of(item[0], count)].append(item)
    return shards
