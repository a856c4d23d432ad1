"""Files on this machine, by their path, and in other stores, by their URI."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tfrnnc.files import replacing
from tfrnnc.images import EXTENSIONS, find_images
from tfrnnc.pipelines.arrow import import_arrow

_WHOLE_AT_ONCE = ("s3", "gcs", "abfs")  # PyArrow's names of stores where a file appears when whole.


def is_uri(location: str) -> bool:
    """Whether this is a URI, such as gs://bucket/folder, rather than a path.

    Examples:
        >>> is_uri("gs://bucket/a.png"), is_uri("photos/a.png")
        (True, False)
    """
    return "://" in location


def join(folder: str, name: str) -> str:
    """The location of a file in a folder.

    Examples:
        >>> join("gs://bucket/shards/", "a.parquet")
        'gs://bucket/shards/a.parquet'
    """
    return f"{folder.rstrip('/')}/{name}" if is_uri(folder) else os.path.join(folder, name)


def read_bytes(location: str) -> bytes:
    """A file's content.

    Raises:
        OSError: if it cannot be read.
    """
    if not is_uri(location):
        return Path(location).read_bytes()
    filesystem, path = _filesystem(location)
    with filesystem.open_input_stream(path) as stream:
        content: bytes = stream.read()
        return content


def open_at_random(location: str) -> Any:
    """A file to read anywhere in, for PyArrow.

    Raises:
        OSError: if it cannot be opened.
    """
    if not is_uri(location):
        return import_arrow("pyarrow").OSFile(location, "rb")
    filesystem, path = _filesystem(location)
    return filesystem.open_input_file(path)


def write_whole(location: str, data: bytes) -> None:
    """Writes a file whole or not at all, and its folder where that is missing.

    Files get a temporary name first; stores where a file appears only when it is whole need none.

    Raises:
        OSError: if it cannot be written.
    """
    if not is_uri(location):
        Path(location).parent.mkdir(parents=True, exist_ok=True)
        with replacing(location) as temporary:
            temporary.write_bytes(data)
        return
    filesystem, path = _filesystem(location)
    at_once = filesystem.type_name in _WHOLE_AT_ONCE
    folder, _, name = path.rpartition("/")
    written = path if at_once else f"{folder}/.{os.getpid()}.{name}"
    if not at_once:
        filesystem.create_dir(folder, recursive=True)
    with filesystem.open_output_stream(written) as stream:
        stream.write(data)
    if written != path:
        filesystem.move(written, path)


def remove(location: str) -> None:
    """Removes a file, if there is one.

    Raises:
        OSError: if it cannot be removed.
    """
    if not is_uri(location):
        Path(location).unlink(missing_ok=True)
    elif is_file(location):
        filesystem, path = _filesystem(location)
        filesystem.delete_file(path)


def is_file(location: str) -> bool:
    """Whether there is such a file."""
    return Path(location).is_file() if not is_uri(location) else _type(location) == "File"


def is_folder(location: str) -> bool:
    """Whether there is such a folder."""
    return Path(location).is_dir() if not is_uri(location) else _type(location) == "Directory"


def list_names(folder: str) -> list[str]:
    """The names of the files in a folder, sorted.

    Raises:
        OSError: if there is no such folder, or it cannot be read.
    """
    if not is_uri(folder):
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    return sorted(info.base_name for info in _files_below(folder, recursive=False))


def image_names(folder: str) -> list[str]:
    """The image files in a folder and those below it, with slashes, sorted by their path.

    Raises:
        OSError: if there is no such folder, or it cannot be read.
    """
    if not is_uri(folder):
        return [path.relative_to(folder).as_posix() for path in find_images(folder)]
    _, base = _filesystem(folder)
    names = [
        info.path.removeprefix(base).lstrip("/")
        for info in _files_below(folder, recursive=True)
        if os.path.splitext(info.base_name)[1].lower() in EXTENSIONS
    ]
    return sorted(names)


def _files_below(folder: str, recursive: bool) -> list[Any]:
    filesystem, path = _filesystem(folder)
    arrow = import_arrow("pyarrow.fs")
    selector = arrow.FileSelector(path, recursive=recursive)
    return [info for info in filesystem.get_file_info(selector) if info.type == arrow.FileType.File]


def _type(location: str) -> str:
    filesystem, path = _filesystem(location)
    name: str = filesystem.get_file_info(path).type.name
    return name


def _filesystem(uri: str) -> tuple[Any, str]:
    """PyArrow's file system for a URI, and the path in it.

    Raises:
        OSError: if PyArrow knows no such store.
    """
    arrow = import_arrow("pyarrow")
    try:
        filesystem, path = import_arrow("pyarrow.fs").FileSystem.from_uri(uri.rstrip("/"))
    except arrow.ArrowException as error:
        raise OSError(None, f"PyArrow cannot open this store: {error}", uri) from error
    return filesystem, path
