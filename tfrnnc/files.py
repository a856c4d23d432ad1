"""Files that are never half-written."""

from __future__ import annotations

import atexit
import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_STANDARD_STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}
_OPEN_FILE = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
_LONGEST_NAME = 255  # Bytes, where the system does not tell.
_NO_RENAME = (errno.EBUSY, errno.EXDEV, errno.EPERM, errno.EACCES, errno.EROFS, errno.ETXTBSY)
# What a signal's handler raises may come between the lines that make a file and those that see to
# its end, so that the end of the process has to look once more.
_temporary: set[Path] = set()


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path whose content takes the place of `path` when the block ends without error.

    A file that is there already keeps its permissions and its owner, as far as the system allows.
    A symbolic link stays, and the file that it names is replaced. Pipes, devices and
    open files such as /dev/stdout are written to, not replaced. So is a file that cannot be
    renamed over, as it is mounted or its folder is read-only; only such a file is half-written if
    the disk is full. Whatever fails, no temporary file stays once the process has ended.

    Args:
        path: the file to make or replace. The temporary one lies beside it if it can, and ends in
            the same name, so that writers that look at the extension see the right one.

    Raises:
        OSError: if it cannot be written.

    Examples:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with replacing(Path(folder) / "note.txt") as temporary:
        ...         _ = temporary.write_text("whole")
        ...     (Path(folder) / "note.txt").read_text()
        'whole'
    """
    target = Path(path)
    if target.is_symlink() and _descriptor(target) is None:
        target = Path(os.path.realpath(target))
    status = _status(target)
    replaceable = _descriptor(target) is None and (status is None or stat.S_ISREG(status.st_mode))
    temporary, beside = _create_temporary(target, status, replaceable)
    try:
        yield temporary
        if beside and status is not None:
            _take_over(status, temporary)
        if not (beside and _rename(temporary, target)):
            _copy(temporary, target)
    finally:
        _remove(temporary)


@contextmanager
def temporary_file(beside: Path) -> Iterator[Path]:
    """An empty file that is there until the block ends, or the process.

    Args:
        beside: a file in the same folder.

    Raises:
        OSError: if it cannot be made.
    """
    path = _create(beside.parent, beside.name, 0o600)
    try:
        yield path
    finally:
        _remove(path)


def open_regular(path: Path) -> BinaryIO:
    """Opens a file of unknown origin. A pipe might never begin, and a device have no end.

    Raises:
        OSError: if it cannot be read, or is no regular file.
    """
    if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return path.open("rb")


@atexit.register
def remove_temporary_files() -> None:
    """Removes what is half-written; for processes whose end does not run what `atexit` knows."""
    for path in tuple(_temporary):
        _remove(path)


def _remove(temporary: Path) -> None:
    with suppress(OSError):
        temporary.unlink()
    _temporary.discard(temporary)


def _descriptor(path: Path) -> int | None:
    """The number of the open file that a path such as /dev/stdout stands for."""
    name = str(path)
    match = _OPEN_FILE.fullmatch(name)
    return int(match[1]) if match else _STANDARD_STREAMS.get(name)


def _status(path: Path) -> os.stat_result | None:
    """What there is at a path; None for nothing.

    Raises:
        OSError: if there is a folder, a file that is not open any more, or nothing can be told.
    """
    descriptor = _descriptor(path)
    try:
        status = path.stat() if descriptor is None else os.fstat(descriptor)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return status


def _create_temporary(
    target: Path, status: os.stat_result | None, replaceable: bool
) -> tuple[Path, bool]:
    """An empty file, and whether it lies beside the target and can be renamed.

    Raises:
        OSError: if there is no place for it.
    """
    # Nobody may read it who may not read what it replaces.
    mode = 0o666 if status is None else stat.S_IMODE(status.st_mode) & 0o666 | 0o600
    if replaceable:
        try:
            return _create(target.parent, target.name, mode), True
        except OSError as error:
            if status is None or error.errno not in _NO_RENAME:
                # The temporary file's name would tell the user nothing.
                raise OSError(error.errno, error.strerror, str(target)) from error
    return _create(Path(tempfile.gettempdir()), target.name, 0o600), False


def _create(folder: Path, name: str, mode: int) -> Path:
    while True:
        prefix = f".{secrets.token_hex(4)}."
        path = folder / (prefix + _end_of(name, _longest_name(folder) - len(prefix)))
        _temporary.add(path)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
            return path
        except OSError as error:
            _temporary.discard(path)
            if not isinstance(error, FileExistsError):
                raise


def _longest_name(folder: Path) -> int:
    """How many bytes a file's name may have."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):
        return _LONGEST_NAME


def _end_of(name: str, size: int) -> str:
    """The last characters of a name that take no more than `size` bytes."""
    while len(os.fsencode(name)) > size:
        name = name[1:]
    return name


def _take_over(status: os.stat_result, path: Path) -> None:
    """Gives a file the owner and the permissions of another, where the system allows it."""
    own = path.stat()
    if (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid):
        with suppress(OSError):
            os.chown(path, status.st_uid, status.st_gid)
    with suppress(OSError):  # Some file systems have no permissions.
        path.chmod(stat.S_IMODE(status.st_mode) & 0o777)


def _rename(temporary: Path, target: Path) -> bool:
    """Puts a file in the place of another. Returns whether that was possible.

    Raises:
        OSError: if it failed for a reason that would keep the file from being written, too.
    """
    try:
        os.replace(temporary, target)
    except OSError as error:
        if error.errno in _NO_RENAME:
            return False
        raise OSError(error.errno, error.strerror, str(target)) from error
    return True


def _copy(temporary: Path, target: Path) -> None:
    """Writes a file's content to another, a pipe or a device.

    Raises:
        OSError: if it cannot be written.
    """
    descriptor = _descriptor(target)
    file = target if descriptor is None else os.dup(descriptor)
    with temporary.open("rb") as source, open(file, "wb") as sink:
        shutil.copyfileobj(source, sink)
