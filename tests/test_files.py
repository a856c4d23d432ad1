import pytest

from tfrnnc.files import replacing


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
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "nowhere" / "note.txt"):
        pass
