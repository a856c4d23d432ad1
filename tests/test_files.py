import errno
import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from tfrnnc.files import replacing

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")


def write(path, text="new"):
    with replacing(path) as temporary:
        temporary.write_text(text)


def refuse(number):
    """Stands for a system call that fails."""

    def call(*arguments, **_):
        raise OSError(number, os.strerror(number), str(arguments[0]))

    return call


def test_makes_a_file(tmp_path):
    with replacing(str(tmp_path / "new.txt")) as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "new.txt").exists()
    assert (tmp_path / "new.txt").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["new.txt"]


def test_replaces_a_file_only_when_it_is_whole(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_keeps_the_old_content_and_leaves_nothing_else(tmp_path, error):
    path = tmp_path / "note.txt"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_exception_before_the_first_file_leaves_nothing(tmp_path):
    with pytest.raises(ValueError), replacing(tmp_path / "note.txt"):
        raise ValueError
    assert not list(tmp_path.iterdir())


def test_a_writer_may_remove_the_temporary_file(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "note.txt") as temporary:
        temporary.unlink()
    assert not list(tmp_path.iterdir())


def test_the_temporary_file_lies_beside_and_keeps_the_extensions(tmp_path):
    with replacing(tmp_path / "model.weights.h5") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(".weights.h5")


def test_the_file_is_as_readable_as_any_other(tmp_path):
    (tmp_path / "plain.txt").write_text("plain")
    with replacing(tmp_path / "note.txt") as temporary:
        temporary.write_text("new")
    modes = [(tmp_path / name).stat().st_mode for name in ("plain.txt", "note.txt")]
    assert modes[0] == modes[1]


def test_a_missing_folder_is_an_error(tmp_path):
    path = tmp_path / "nowhere" / "note.txt"
    with pytest.raises(FileNotFoundError) as error, replacing(path):
        pass
    assert error.value.filename == str(path)


# What is replaced


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755])
def test_the_mode_of_what_is_replaced_stays(tmp_path, mode):
    path = tmp_path / "note.txt"
    path.write_text("old")
    path.chmod(mode)
    with replacing(path) as temporary:
        # Nobody reads what is written who may not read what it replaces.
        assert not stat.S_IMODE(temporary.stat().st_mode) & ~(mode | 0o600)
        temporary.write_text("new")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_text() == "new"


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to be root")
def test_the_owner_of_what_is_replaced_stays(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("old")
    os.chown(path, 12345, 23456)
    write(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


@posix
@pytest.mark.parametrize("there", [True, False])
def test_links_stay_and_their_target_is_replaced(tmp_path, there):
    target = tmp_path / "deep" / "note.txt"
    target.parent.mkdir()
    if there:
        target.write_text("old")
    (tmp_path / "second").symlink_to("deep/note.txt")
    (tmp_path / "first").symlink_to(tmp_path / "second")
    write(tmp_path / "first")
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


@posix
def test_links_in_a_circle_are_an_error(tmp_path):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(OSError, match="[Ss]ymbolic link"):
        write(tmp_path / "one")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_is_an_error_before_anything_is_written(tmp_path):
    with pytest.raises(IsADirectoryError), replacing(tmp_path):
        raise AssertionError("not reached")


@posix
def test_pipes_are_written_to(tmp_path):
    path = tmp_path / "pipe.txt"
    os.mkfifo(path)
    received = []
    reader = threading.Thread(target=lambda: received.append(path.read_text()), daemon=True)
    reader.start()
    write(path)
    reader.join(20)
    assert received == ["new"]
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_devices_are_written_to(tmp_path):
    # By a link, as whatever replaces files without looking would replace that only.
    path = tmp_path / "nothing.txt"
    path.symlink_to("/dev/null")
    write(path)
    assert path.is_symlink()
    assert stat.S_ISCHR(path.stat().st_mode)


@posix
def test_open_files_are_written_to(tmp_path):
    script = (
        "import sys\nfrom tfrnnc.files import replacing\nfor name in sys.argv[1:]:\n"
        "    with replacing(name) as temporary:\n        temporary.write_text(name)"
    )
    names = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"][: 3 if sys.platform == "linux" else 2]
    command = [sys.executable, "-c", script, *names]
    piped = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    assert piped.stdout.decode() == "".join(names)
    log = tmp_path / "log.txt"
    log.write_text("before")
    with log.open("a") as file:
        subprocess.run(command, stdout=file, check=True)
    assert log.read_text() == "before" + "".join(names)
    with pytest.raises(OSError, match="[Bb]ad file"):
        write("/dev/fd/987654")


# Where files cannot be renamed


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EXDEV, errno.EPERM, errno.EACCES])
def test_what_cannot_be_renamed_over_is_written_to(tmp_path, monkeypatch, number):
    path = tmp_path / "mounted.txt"
    path.write_text("something longer")
    inode = path.stat().st_ino
    monkeypatch.setattr(os, "replace", refuse(number))
    write(path)
    assert path.read_text() == "new"
    assert path.stat().st_ino == inode
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_file_in_a_folder_that_cannot_be_written_is_written_to(tmp_path, monkeypatch, number):
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    path = folder / "note.txt"
    path.write_text("old")
    really = os.open

    def call(name, *arguments, **options):
        if os.fspath(name).startswith(str(folder)):
            refuse(number)(name)
        return really(name, *arguments, **options)

    monkeypatch.setattr(os, "open", call)
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    write(path)
    assert path.read_text() == "new"
    with pytest.raises(OSError, match=os.strerror(number)):
        write(folder / "other.txt")
    assert list(folder.iterdir()) == [path]
    assert not list(elsewhere.iterdir())


# Names


@pytest.mark.parametrize("letter", ["n", "ä", "\U0001f600"])
def test_the_longest_names(tmp_path, letter):
    name = letter * (251 // len(letter.encode())) + ".txt"
    with replacing(tmp_path / name) as temporary:
        assert temporary.name.endswith(".txt")
        temporary.write_text("new")
    assert (tmp_path / name).read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_name_that_is_too_long_is_an_error(tmp_path):
    with pytest.raises(OSError, match="too long"):
        write(tmp_path / ("n" * 256))
    assert not list(tmp_path.iterdir())


# Signals

AS_IT_IS_MADE = """
import os, signal, sys
from tfrnnc.cli import file_tasks
from tfrnnc.files import replacing

def open_and_signal(*arguments, open=os.open):
    descriptor = open(*arguments)
    os.kill(os.getpid(), int(sys.argv[2]))
    return descriptor

class Task:
    def run(self, chunk, settled):
        with replacing(sys.argv[1]) as temporary:
            temporary.write_text("new")

os.open = open_and_signal
signal.signal(signal.SIGTERM, file_tasks._end)
"""


@posix
@pytest.mark.parametrize(
    ("number", "call"),
    [
        (signal.SIGINT, "Task().run([], True)"),  # as in the process of the user
        (
            signal.SIGTERM,  # as in those that it starts
            "file_tasks._run_chunk(Task(), file_tasks._Chunk([], None, frozenset()))",
        ),
    ],
)
def test_a_signal_just_as_the_temporary_file_is_made_leaves_none(tmp_path, number, call):
    command = [sys.executable, "-c", AS_IT_IS_MADE + call, tmp_path / "new.txt", str(int(number))]
    ended = subprocess.run(command, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == (-number if number == signal.SIGINT else 128 + number), ended.stderr
    assert not list(tmp_path.iterdir())


# Full disks


@posix
def test_a_full_disk_keeps_the_old_content_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("old")
    script = (
        "import resource, sys\nfrom tfrnnc.files import replacing\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with replacing(sys.argv[1]) as temporary:\n    temporary.write_bytes(bytes(5000))"
    )
    command = [sys.executable, "-c", script, str(path)]
    assert b"File too large" in subprocess.run(command, stderr=subprocess.PIPE).stderr
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
def test_a_full_device_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "full.txt"
    path.symlink_to("/dev/full")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(OSError, match="No space left"):
        write(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_other_failures_of_renaming_keep_the_old_content(tmp_path, monkeypatch, number):
    path = tmp_path / "note.txt"
    path.write_text("old")
    monkeypatch.setattr(os, "replace", refuse(number))
    with pytest.raises(OSError, match=os.strerror(number)):
        write(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_threads_do_not_disturb_each_other(tmp_path):
    paths = [tmp_path / f"{number}.txt" for number in range(8)] * 5
    threads = [threading.Thread(target=write, args=(path, path.name)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == sorted(
        {p.name for p in paths}
    )
