"""How many requests per second examples/service answers, and whether its memory stays flat.

    python benchmarks/serving.py FOLDER [--requests 20000] [--seconds 300] [--json FILE]

Thumbnails of FOLDER are sent by 8 clients on localhost, in turns to be encoded to 64 bytes and to
be decoded to PNG. Every answer is compared with what the codec itself makes. It stops after
this many requests or seconds, whichever is first. The clients take CPU time too, on the same
machine.
"""

from __future__ import annotations

import io
import json
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from PIL import Image

from machine import describe_machine
from tfrnnc.cli.common import command
from tfrnnc.codec import load
from tfrnnc.errors import DataError, TfrnncError
from tfrnnc.images import find_images, read_image

ROOT = Path(__file__).parents[1]
SIDE, MAX_BYTES = 32, 64
START_SECONDS = 300


class Call(NamedTuple):
    """A request, and what should be answered: bytes, or pixels of a PNG."""

    path: str
    kind: str
    body: bytes
    expected: bytes | np.ndarray


class Load:
    """Clients that send calls until there have been enough.

    Attributes:
        answered: requests with an answer.
        wrong: answers other than expected, errors among them.
        times: seconds of each request.
        memory: pairs of requests answered and MB that the service took.
    """

    def __init__(self, port: int, pid: int, calls: list[Call], requests: int, seconds: float):
        self._port, self._pid, self._calls = port, pid, calls
        self._requests, self._seconds = requests, seconds
        self._lock = threading.Lock()
        self._sent = self.answered = self.wrong = 0
        self.times: list[float] = []
        self.memory: list[tuple[int, float]] = []

    def run(self, clients: int) -> float:
        """Sends all; returns the seconds that it took."""
        begin = time.monotonic()
        self._end = begin + self._seconds
        threads = [threading.Thread(target=self._client) for _ in range(clients)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.memory.append((self.answered, resident_megabytes(self._pid)))
            time.sleep(1)
        for thread in threads:
            thread.join()
        return time.monotonic() - begin

    def _client(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        while (number := self._next()) is not None:
            call = self._calls[number % len(self._calls)]
            begin = time.monotonic()
            try:
                right = answers_right(connection, call)
            except (OSError, HTTPException):
                right = False
                connection.close()
            with self._lock:
                self.answered += 1
                self.wrong += not right
                self.times.append(time.monotonic() - begin)
        connection.close()

    def _next(self) -> int | None:
        with self._lock:
            if self._sent >= self._requests or time.monotonic() >= self._end:
                return None
            self._sent += 1
            return self._sent - 1


def answers_right(connection: HTTPConnection, call: Call) -> bool:
    """Whether a call is answered as expected."""
    connection.request("POST", call.path, call.body, {"Content-Type": call.kind})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        return False
    if isinstance(call.expected, bytes):
        return content == call.expected
    with Image.open(io.BytesIO(content)) as image:
        return np.array_equal(np.asarray(image), call.expected)


def make_calls(folder: str, images: int) -> list[Call]:
    """Calls for the thumbnails of a folder, with what the codec makes of them."""
    codec = load(threads=1)
    calls = []
    for path in find_images(folder)[:images]:
        pixels = read_image(path)[:SIDE, :SIDE]
        if pixels.shape[:2] != (SIDE, SIDE):
            continue
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "png")
        data = codec.encode(pixels, max_bytes=MAX_BYTES)
        calls.append(Call(f"/encode?max_bytes={MAX_BYTES}", "image/png", file.getvalue(), data))
        calls.append(Call("/decode", "application/octet-stream", data, codec.decode(data)))
    if not calls:
        raise DataError(f"{folder}: holds no image of at least {SIDE}x{SIDE} pixels")
    return calls


def start_service() -> tuple[subprocess.Popen, int]:
    """Starts uvicorn and waits until it answers; returns the process and its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    words = ("--app-dir", ROOT / "examples" / "service", "--port", port, "--log-level", "warning")
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "image_service:app", *map(str, words)]
    )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return process, port
        except (OSError, HTTPException):
            time.sleep(0.2)
    process.kill()
    raise TfrnncError("the service did not start; its own message says why")


def resident_megabytes(pid: int) -> float:
    """The memory of a process, in MB (Linux)."""
    text = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"VmRSS:\s+(\d+) kB", text)
    return int(match[1]) / 1000 if match else 0.0


def memory_at(samples: list[tuple[int, float]], shares: tuple[float, ...]) -> dict[str, float]:
    """The memory after shares of all requests, as the median of the samples around them."""
    total = samples[-1][0]
    found = {}
    for share in shares:
        near = sorted(samples, key=lambda each: abs(each[0] - share * total))[:5]
        found[f"{share:.0%}"] = round(statistics.median(memory for _, memory in near), 1)
    return found


@command()
@click.argument("folder")
@click.option("--clients", type=click.IntRange(1), default=8, show_default=True)
@click.option("--images", type=click.IntRange(1), default=64, show_default=True)
@click.option("--requests", type=click.IntRange(1), default=20_000, show_default=True)
@click.option("--seconds", type=click.FloatRange(1), default=300, show_default=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write results here.")
def main(folder, clients, images, requests, seconds, json_file):
    """Measures the service with thumbnails of FOLDER."""
    calls = make_calls(folder, images)
    process, port = start_service()
    try:
        load_run = Load(port, process.pid, calls, requests, seconds)
        taken = load_run.run(clients)
    finally:
        process.terminate()
        process.wait()
    times = sorted(load_run.times)
    results = {
        "machine": describe_machine(),
        "clients": clients,
        "requests": load_run.answered,
        "wrong": load_run.wrong,
        "seconds": round(taken, 1),
        "requests_per_second": round(load_run.answered / taken, 1),
        "median_milliseconds": round(1000 * statistics.median(times), 1),
        "p99_milliseconds": round(1000 * times[int(0.99 * (len(times) - 1))], 1),
        "resident_megabytes": memory_at(load_run.memory, (0.05, 0.25, 0.5, 0.75, 1.0)),
    }
    text = json.dumps(results, indent=2) + "\n"
    if json_file:
        json_file.write_text(text)
    click.echo(text, nl=False)
    if load_run.wrong:
        raise TfrnncError(f"{load_run.wrong} of {load_run.answered} answers were wrong")


if __name__ == "__main__":
    main()
