"""How the workers of a run find each other, exchange what they need, and miss one that is lost.

Plain TCP and JSON, as JAX ends a process by a signal and a stack trace where a worker does not come
or is lost.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tfrnnc.errors import ConfigError, TrainingError

_LENGTH = struct.Struct(">Q")
_MAX_MESSAGE = 1 << 20  #: bytes of JSON
_CHUNK_BYTES = 1 << 20
_HELLO_SECONDS = 10  #: for a stranger's first message
_RETRY_SECONDS = 0.2
_KEEP_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


def parse_address(text: str) -> tuple[str, int]:
    """Splits HOST:PORT.

    Raises:
        ConfigError: if it is not of that form.

    Examples:
        >>> parse_address("train-0:4801")
        ('train-0', 4801)
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 1 << 16:
        raise ConfigError(f"{text!r} is not HOST:PORT, with a port from 1 to 65535")
    return host, int(port)


class Rendezvous:
    """The connections between worker 0 and the others.

    Args:
        address: HOST:PORT, where worker 0 listens. It is free again once all have come.
        workers: how many there are.
        worker: the number of this one.
        timeout: seconds until all must have come.

    Raises:
        ConfigError: if the address is not of that form.
        TrainingError: if worker 0 cannot listen there or be reached, not all come in time, or they
            disagree on how many they are or which.
    """

    def __init__(self, address: str, workers: int, worker: int, timeout: float):
        self.address = address
        self.workers = workers
        self.worker = worker
        host, port = parse_address(address)
        deadline = time.monotonic() + timeout
        self._sockets: dict[int, socket.socket] = {}
        self._over = threading.Event()
        self._loss = ""
        self._noticed = threading.Lock()
        if worker == 0:
            self._gather(port, deadline, timeout)
        else:
            self._sockets[0] = self._join(host, port, deadline, timeout)

    def exchange(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Gives every worker the messages of all, in the order of their numbers.

        All come as JSON gives them, this worker's own too: tuples as lists.

        Raises:
            TrainingError: if one is lost.
        """
        if self.worker:
            self._send(0, message)
            everyones: list[dict[str, Any]] = self._receive(0)["all"]
            return everyones
        messages = [json.loads(json.dumps(message))]
        messages += [self._receive(number) for number in range(1, self.workers)]
        self._tell_others({"all": messages})
        return messages

    def require_alike(self, settings: Mapping[str, Any]) -> None:
        """Compares settings with those of worker 0.

        Raises:
            ConfigError: if those of any worker differ, with the names and values that do.
        """
        first, *others = (each["settings"] for each in self.exchange({"settings": settings}))
        for number, other in enumerate(others, start=1):
            names = [name for name in {**first, **other} if first.get(name) != other.get(name)]
            if names:
                shown = ", ".join(
                    f"{name} is {_shown(other.get(name))} instead of {_shown(first.get(name))}"
                    for name in names
                )
                raise ConfigError(
                    f"worker {number} was started with other settings than worker 0: {shown}; "
                    "give all workers the same command, but for their number"
                )

    @contextmanager
    def together(self) -> Iterator[None]:
        """Ends its block on all workers alike: if it fails on one, the others fail too.

        Raises:
            TrainingError: on those where it did not fail by itself.
        """
        try:
            yield
        except BaseException:
            with suppress(TrainingError):
                self.exchange({"failed": True})
            raise
        for number, other in enumerate(self.exchange({"failed": False})):
            if other["failed"]:
                raise TrainingError(_failed(number))

    def share_files(self, paths: Sequence[Path], folder: Path) -> None:
        """Copies files of worker 0 into a folder of each other worker, under their own names.

        Args:
            paths: on worker 0, the files; elsewhere nothing.
            folder: on the other workers, the folder.

        Raises:
            OSError: if a file cannot be read or written.
            TrainingError: if a worker is lost.
        """
        if self.worker == 0:
            self._tell_others({"files": [path.name for path in paths]})
            for path in paths:
                content = path.read_bytes()
                for number in self._sockets:
                    with self._noticing(number):
                        self._sockets[number].sendall(_LENGTH.pack(len(content)) + content)
            return
        for name in self._receive(0)["files"]:
            with (folder / Path(name).name).open("wb") as file, self._noticing(0):
                (left,) = _LENGTH.unpack(_read(self._sockets[0], _LENGTH.size))
                while left:
                    chunk = _read(self._sockets[0], min(left, _CHUNK_BYTES))
                    file.write(chunk)
                    left -= len(chunk)

    def watch(self, lost: Callable[[str], None]) -> None:
        """Calls a function in another thread, once, when a worker is lost or has failed.

        Args:
            lost: takes what to tell the user.
        """
        reported = threading.Lock()

        def listen(number: int) -> None:
            try:
                self._receive(number)  # That it is done, if all goes well.
                return
            except TrainingError as error:
                reason = str(error)
            if self._over.is_set() or not reported.acquire(blocking=False):
                return
            if self.worker == 0:
                self._tell_others({"reason": reason})
            lost(reason)

        for number in self._sockets:
            threading.Thread(target=listen, args=(number,), daemon=True).start()

    def finish(self) -> None:
        """Tells the others that this worker leaves as it should."""
        self._over.set()
        self._tell_others({"done": True})

    def fail(self, seconds: float = 5) -> None:
        """Tells the others that this worker has failed.

        JAX ends those that lose worker 0 by a signal, so worker 0 waits until they have gone.

        Args:
            seconds: to wait at most.
        """
        self._over.set()
        self._tell_others({"reason": _failed(self.worker)})
        deadline = time.monotonic() + seconds
        for connection in self._sockets.values() if self.worker == 0 else ():
            with suppress(OSError):
                connection.settimeout(max(0.01, deadline - time.monotonic()))
                while connection.recv(_CHUNK_BYTES):
                    pass

    def close(self) -> None:
        """Closes the connections."""
        self._over.set()
        for connection in self._sockets.values():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _gather(self, port: int, deadline: float, timeout: float) -> None:
        try:
            listener = _listen(port)
        except OSError as error:
            raise TrainingError(
                f"worker 0 cannot listen on port {port} ({error.strerror or error}); end what uses "
                "it, or give all workers a --coordinator with another port"
            ) from error
        problem = ""
        with listener:
            while len(self._sockets) < self.workers - 1 and not problem:
                listener.settimeout(max(0.01, deadline - time.monotonic()))
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    missing = set(range(1, self.workers)) - set(self._sockets)
                    problem = (
                        f"after {timeout:g} seconds these workers have not come to port {port}: "
                        f"{', '.join(map(str, sorted(missing)))}; start them with the same "
                        "--coordinator, or see whether a firewall is between"
                    )
                else:
                    problem = self._admit(connection)
            self._tell_others({"problem": problem})
        if problem:
            self.close()
            raise TrainingError(problem)

    def _admit(self, connection: socket.socket) -> str:
        """Takes a worker in; returns what is wrong with it. Strangers are turned away."""
        connection.settimeout(_HELLO_SECONDS)
        try:
            hello = _read_message(connection)
            number, workers = int(hello["worker"]), int(hello["workers"])
        except (OSError, ValueError, KeyError, TypeError):
            connection.close()
            return ""
        problem = ""
        if workers != self.workers:
            problem = f"worker {number} was started with --workers {workers}, not {self.workers}"
        elif number in self._sockets or not 0 < number < workers:
            problem = f"two workers were started with --worker {number}"
        self._sockets[number if not problem else -1] = _kept_alive(connection)
        return problem

    def _join(self, host: str, port: int, deadline: float, timeout: float) -> socket.socket:
        while True:
            left = deadline - time.monotonic()
            try:
                connection = socket.create_connection((host, port), max(0.01, left))
                connection.settimeout(max(0.01, left + _HELLO_SECONDS))
                hello = {"worker": self.worker, "workers": self.workers}
                connection.sendall(_frame(hello))
                problem = _read_message(connection)["problem"]
                break
            except (OSError, ValueError, KeyError) as error:
                if left <= _RETRY_SECONDS:
                    reason = getattr(error, "strerror", None) or error
                    raise TrainingError(
                        f"worker 0 could not be reached at {self.address} within {timeout:g} "
                        f"seconds ({reason}); start it with the same --coordinator, or see whether "
                        "a firewall is between"
                    ) from error
            time.sleep(_RETRY_SECONDS)
        if problem:
            connection.close()
            raise TrainingError(problem)
        return _kept_alive(connection)

    def _tell_others(self, message: Mapping[str, Any]) -> None:
        for connection in self._sockets.values():
            with suppress(OSError):  # One that is lost is missed when it should answer.
                connection.sendall(_frame(message))

    def _send(self, number: int, message: Mapping[str, Any]) -> None:
        with self._noticing(number):
            self._sockets[number].sendall(_frame(message))

    def _receive(self, number: int) -> dict[str, Any]:
        with self._noticing(number):
            message = _read_message(self._sockets[number])
        if "reason" in message:
            raise TrainingError(message["reason"])
        return message

    @contextmanager
    def _noticing(self, number: int) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            with self._noticed:  # Those that are told leave, and are no loss of their own.
                reason = self._loss = self._loss or (
                    f"worker {number} is lost; start all workers again with --resume, which goes "
                    "on from the last checkpoint"
                )
            if self.worker == 0:
                self._tell_others({"reason": reason})
            raise TrainingError(reason) from error


def _failed(number: int) -> str:
    return f"worker {number} has failed; its own message says of what"


def _shown(value: object) -> str:
    return "not given" if value is None else json.dumps(value)


def _listen(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        with suppress(OSError):
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _kept_alive(connection: socket.socket) -> socket.socket:
    """A connection that notices when the other machine has lost its power."""
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connection


def _frame(message: Mapping[str, Any]) -> bytes:
    content = json.dumps(message).encode()
    return _LENGTH.pack(len(content)) + content


def _read_message(connection: socket.socket) -> dict[str, Any]:
    (length,) = _LENGTH.unpack(_read(connection, _LENGTH.size))
    if length > _MAX_MESSAGE:
        raise ValueError("too long for a message")
    message = json.loads(_read(connection, length))
    if not isinstance(message, dict):
        raise ValueError("not a message")
    return message


def _read(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(min(size - len(parts), _CHUNK_BYTES))
        if not part:
            raise ConnectionResetError("the connection was closed")
        parts += part
    return bytes(parts)
