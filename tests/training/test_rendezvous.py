"""Workers that find each other, on localhost and without JAX."""

from __future__ import annotations

import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tfrnnc.errors import ConfigError, TfrnncError, TrainingError
from tfrnnc.training.rendezvous import Rendezvous, parse_address


@pytest.fixture
def address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def run(address, work, places=((3, 0), (3, 1), (3, 2)), timeout=20.0):
    """Runs a function on each worker, in threads; returns what they return or raise."""

    def one(workers, worker):
        rendezvous = Rendezvous(address, workers, worker, timeout)
        try:
            return work(rendezvous)
        finally:
            rendezvous.close()

    with ThreadPoolExecutor(len(places)) as pool:
        futures: list[Future] = [pool.submit(one, *place) for place in places]
        return [future.exception() or future.result() for future in futures]


@pytest.mark.parametrize("text", ["localhost", "localhost:", ":80", "a:0", "a:65536", "a:b", ""])
def test_an_address_is_a_host_and_a_port(text):
    with pytest.raises(ConfigError, match="HOST:PORT"):
        parse_address(text)


def test_addresses():
    assert parse_address("[::1]:80") == ("::1", 80)


def test_all_get_the_messages_of_all(address):
    everything = [{"worker": 0}, {"worker": 1}, {"worker": 2}]
    results = run(address, lambda each: each.exchange({"worker": each.worker}))
    assert results == [everything] * 3


def test_others_get_the_files_of_worker_0(address, tmp_path):
    content = bytes(range(256)) * 5000
    for number in range(3):
        (tmp_path / str(number)).mkdir()
    (tmp_path / "0" / "state").write_bytes(content)
    (tmp_path / "0" / "empty").write_bytes(b"")

    def share(each):
        folder = tmp_path / str(each.worker)
        paths = [folder / "state", folder / "empty"] if each.worker == 0 else []
        each.share_files(paths, folder)
        return each.exchange({})

    assert run(address, share) == [[{}, {}, {}]] * 3
    for number in (1, 2):
        assert (tmp_path / str(number) / "state").read_bytes() == content
        assert (tmp_path / str(number) / "empty").read_bytes() == b""


def test_settings_that_differ_are_named_on_all(address):
    def compare(each):
        each.require_alike({"batch_size": 8 if each.worker == 2 else 4, "seed": 0})

    for error in run(address, compare):
        assert isinstance(error, ConfigError)
        assert "worker 2 was started with other settings" in str(error)
        assert "batch_size is 8 instead of 4;" in str(error)
        assert "seed" not in str(error)


def test_settings_of_any_type_are_alike(address):
    """Those of an architecture's layout are tuples, which JSON sends as lists."""

    def compare(each):
        return each.require_alike({"encoder": ("conv 3x3/32 s2",), "bits": 8, "config": None})

    assert run(address, compare) == [None] * 3


def test_what_fails_on_one_fails_on_all(address):
    def prepare(each):
        with each.together():
            if each.worker == 1:
                raise TrainingError("no images")

    errors = [str(error) for error in run(address, prepare)]
    assert errors[1] == "no images"
    assert errors[0] == errors[2] == "worker 1 has failed; its own message says of what"


def test_a_worker_that_goes_is_missed(address):
    def leave(each):
        if each.worker != 1:
            each.exchange({})

    first, _, last = run(address, leave)
    for error in (first, last):
        assert isinstance(error, TrainingError)
        assert str(error).startswith("worker 1 is lost; start all workers again with --resume")


@pytest.mark.parametrize("lost", [0, 1])
def test_the_watch_reports_who_is_lost_or_has_failed(address, lost):
    def work(each):
        reports: list[str] = []
        each.watch(reports.append)
        if each.worker == lost:
            each.fail() if lost == 0 else each.close()
            return reports
        deadline = time.monotonic() + 20
        while not reports and time.monotonic() < deadline:
            time.sleep(0.01)
        return reports

    results = run(address, work)
    word = "has failed" if lost == 0 else "is lost"
    assert results.pop(lost) == []
    for reports in results:
        assert len(reports) == 1
        assert reports[0].startswith(f"worker {lost} {word}")


def test_those_that_leave_as_they_are_told_of_a_loss_are_not_the_loss(address):
    def work(each):
        def tell_slowly(message):
            tell(message)
            time.sleep(pauses.pop() if pauses else 0)

        pauses = [1.0]  # so that worker 2 is gone before worker 0 has said why
        tell, each._tell_others = each._tell_others, tell_slowly
        reports: list[str] = []
        each.watch(reports.append)
        deadline = time.monotonic() + (0 if each.worker == 1 else 20)
        while not reports and time.monotonic() < deadline:
            time.sleep(0.01)
        each.close()
        return reports

    first, lost, last = run(address, work)
    assert lost == []
    for (report,) in (first, last):
        assert report.startswith("worker 1 is lost")


def test_the_watch_is_silent_about_those_that_are_done(address):
    def work(each):
        reports: list[str] = []
        each.watch(reports.append)
        each.finish()
        time.sleep(0.2)
        return reports

    assert run(address, work) == [[], [], []]


def test_worker_0_that_is_not_there(address):
    (error,) = run(address, lambda each: None, places=[(2, 1)], timeout=0.5)
    assert isinstance(error, TrainingError)
    assert f"worker 0 could not be reached at {address} within 0.5 seconds" in str(error)


def test_workers_that_do_not_come_are_named_to_those_who_did(address):
    errors = run(address, lambda each: None, places=[(4, 0), (4, 2)], timeout=2)
    for error in errors:
        assert "after 2 seconds these workers have not come to port" in str(error)
        assert ": 1, 3; start them" in str(error)


def test_a_port_that_is_taken(address):
    host, port = parse_address(address)
    with socket.create_server((host, port)):
        (error,) = run(address, lambda each: None, places=[(2, 0)])
    assert isinstance(error, TrainingError)
    assert f"worker 0 cannot listen on port {port}" in str(error)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ([(3, 0), (3, 1), (3, 1)], "two workers were started with --worker 1"),
        ([(2, 0), (3, 1)], "worker 1 was started with --workers 3, not 2"),
    ],
)
def test_workers_that_disagree_on_their_numbers(address, places, message):
    for error in run(address, lambda each: None, places):
        assert isinstance(error, TfrnncError)
        assert message in str(error)


def test_strangers_are_turned_away(address):
    host, port = parse_address(address)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(Rendezvous, address, 2, 0, 20.0)
        for content in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 16, b"\0" * 7 + b"\x02[]", b""):
            deadline = time.monotonic() + 20
            while True:
                try:
                    stranger = socket.create_connection((host, port), 5)
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
            stranger.sendall(content)
            stranger.close()
        second = pool.submit(Rendezvous, address, 2, 1, 20.0)
        first.result().close()
        second.result().close()


def test_files_keep_to_the_folder(address, tmp_path):
    """A name with a path in it is taken for its last part."""
    inner = tmp_path / "inner"
    inner.mkdir()

    def share(each):
        if each.worker == 0:
            each._tell_others({"files": ["../out"]})
            each._sockets[1].sendall(b"\0" * 7 + b"\x01x")
        else:
            each.share_files([], inner)
        each.exchange({})

    run(address, share, places=[(2, 0), (2, 1)])
    assert [path.name for path in Path(tmp_path).rglob("*") if path.is_file()] == ["out"]
    assert (inner / "out").read_bytes() == b"x"
