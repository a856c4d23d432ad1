"""Encodes and decodes images over HTTP (pip install 'tfrnnc[service]').

uvicorn --app-dir examples/service image_service:app
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

import numpy as np
from fastapi import FastAPI, HTTPException, Query, Request, Response
from PIL import Image

import tfrnnc
from tfrnnc.advice import reworded
from tfrnnc.errors import ConfigError, ImageError, StreamError, TooLargeError
from tfrnnc.images import read_image

T = TypeVar("T")

STREAM_TYPE = "application/octet-stream"
#: What a client can do about an error, by the option of the command line that does the same.
WORDS = {"--partial": "partial=true"}
RETRY_AFTER = {"Retry-After": "1"}

logger = logging.getLogger("image_service")


@dataclass(frozen=True)
class Limits:
    """What one request may take, and how many may wait.

    Attributes:
        max_body: bytes of a request.
        max_pixels: of an image, padded to the model's stride.
        max_work: padded pixels times iterations.
        seconds: until a request is answered, and until its body has come.
        threads: requests that are worked on at the same time.
        waiting: requests that wait for a thread; more are turned away.
    """

    max_body: int = 4 << 20
    max_pixels: int = 1 << 21
    max_work: int = 1 << 24
    seconds: float = 20
    threads: int = os.cpu_count() or 1
    waiting: int = 32


class Workshop:
    """Threads that work on requests, with a bound on how many wait and how long.

    Work that takes too long cannot be ended; it keeps its thread until it is done, and the limits
    on pixels and work bound how long that is.
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self._pool = ThreadPoolExecutor(limits.threads, thread_name_prefix="codec")
        self._lock = threading.Lock()
        self._open = 0

    async def run(self, work: Callable[[], T]) -> T:
        """What the function returns, computed in a thread.

        Raises:
            HTTPException: 503 if too many wait, or it takes too long.
        """
        with self._lock:
            if self._open >= self._limits.threads + self._limits.waiting:
                raise HTTPException(503, "too many requests wait; try again", RETRY_AFTER)
            self._open += 1
        job = self._pool.submit(work)
        # Of the job in its thread: what waits for it here can be cancelled while it still runs.
        job.add_done_callback(self._close_one)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(job), self._limits.seconds)
        except asyncio.TimeoutError:
            raise HTTPException(503, "it takes too long; try again", RETRY_AFTER) from None

    def _close_one(self, job: Future) -> None:
        with self._lock:
            self._open -= 1


def make_app(limits: Limits = Limits(), codec: tfrnnc.Codec | None = None) -> FastAPI:
    """The service.

    Args:
        limits: on what requests take.
        codec: shared by all threads; None loads the default preset with one thread per request.
    """
    app = FastAPI(title="tfrnnc")
    shared = codec or tfrnnc.load(threads=1)
    workshop = Workshop(limits)
    bounds = {"max_pixels": limits.max_pixels, "max_work": limits.max_work}

    @app.get("/health")
    async def health() -> dict[str, str]:
        """That the service answers, and with which model."""
        return {"status": "ok", "model": str(shared.identity)}

    @app.post("/decode")
    async def decode(
        request: Request,
        format: Literal["png", "webp"] = "png",
        iterations: Annotated[int | None, Query(ge=1, le=255)] = None,
        partial: bool = False,
    ) -> Response:
        """The picture of a stream, without further loss; `partial` takes streams that were cut."""
        _require_type(request, STREAM_TYPE)
        data = await _read_body(request, limits)

        def work() -> bytes:
            pixels = shared.decode(data, iterations, allow_truncated=partial, **bounds)
            return _written(pixels, format)

        return Response(await _answered(workshop, work), media_type=f"image/{format}")

    @app.post("/encode")
    async def encode(
        request: Request,
        max_bytes: Annotated[int | None, Query(ge=1)] = None,
        iterations: Annotated[int | None, Query(ge=1, le=255)] = None,
    ) -> Response:
        """The stream of an image, of at most `max_bytes`."""
        _require_type(request, "image/")
        data = await _read_body(request, limits)
        options = tfrnnc.EncodeOptions(
            max_bytes=max_bytes, iterations=iterations, effort=0, **bounds
        )

        def work() -> bytes:
            pixels = read_image(io.BytesIO(data), max_pixels=limits.max_pixels)
            return shared.encode(pixels, options)

        return Response(await _answered(workshop, work), media_type=STREAM_TYPE)

    return app


async def _read_body(request: Request, limits: Limits) -> bytes:
    """The body, of which no more is read than is allowed."""

    async def read() -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > limits.max_body:
                raise HTTPException(413, f"the body has more than {limits.max_body} bytes")
        return bytes(body)

    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > limits.max_body:
        raise HTTPException(413, f"the body has more than {limits.max_body} bytes")
    try:
        return await asyncio.wait_for(read(), limits.seconds)
    except asyncio.TimeoutError:
        raise HTTPException(408, "the body did not come in time") from None


async def _answered(workshop: Workshop, work: Callable[[], bytes]) -> bytes:
    """What the work returns; its errors as those of HTTP."""
    try:
        return await workshop.run(work)
    except TooLargeError as error:
        raise HTTPException(413, reworded(str(error), WORDS)) from error
    except (StreamError, ImageError, ConfigError) as error:
        raise HTTPException(422, reworded(str(error), WORDS)) from error
    except (tfrnnc.RunError, MemoryError) as error:
        logger.warning("out of memory: %s", error)
        raise HTTPException(503, "no memory for it now; try again", RETRY_AFTER) from error


def _require_type(request: Request, wanted: str) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (given.startswith(wanted) if wanted.endswith("/") else given == wanted):
        shown = f"{wanted}*" if wanted.endswith("/") else wanted
        raise HTTPException(415, f"the body must be {shown}, not {given or 'of no type'}")


def _written(pixels: np.ndarray, format: str) -> bytes:
    file = io.BytesIO()
    lossless = {"lossless": True} if format == "webp" else {}
    Image.fromarray(pixels).save(file, format, **lossless)
    return file.getvalue()


def __getattr__(name: str) -> FastAPI:
    # `uvicorn image_service:app` asks for it; importing the module loads no model.
    if name == "app":
        return make_app()
    raise AttributeError(name)
