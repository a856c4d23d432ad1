"""Work that an encoder asks for, so that the same work of many images is done at once.

Encoders are generators: they yield what they need of the runtime or of the entropy model, and are
sent the result. `run_alone` does each piece of work as it comes; `run_together` lets many encoders
go on side by side, and does what they need in the same iteration in one call.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from tfrnnc.bitstream import EntropyModel
from tfrnnc.errors import ConfigError, ImageError, RunError, StreamError
from tfrnnc.runtimes.runtime import Runtime

T = TypeVar("T")

#: What stands in a batch's results in place of an item that cannot be encoded or decoded.
ItemError: TypeAlias = ConfigError | ImageError | RunError | StreamError
ITEM_ERRORS = (ConfigError, ImageError, RunError, StreamError)


class EncodeIteration(NamedTuple):
    """E_t of an image; see `Runtime.encode_iteration`, whose result is sent."""

    residual: np.ndarray
    states: Any
    iteration: int


class DecodeIteration(NamedTuple):
    """D_t of an image; see `Runtime.decode_iteration`, whose result is sent."""

    plane: np.ndarray
    states: Any
    reconstruction: np.ndarray | None
    iteration: int


class DecodeStates(NamedTuple):
    """D_t of an image without its picture; see `Runtime.decode_states`, whose result is sent."""

    plane: np.ndarray
    states: Any
    iteration: int


class Probabilities(NamedTuple):
    """Probabilities of a plane; see `EntropyModel.probabilities`, whose result is sent."""

    planes: Sequence[np.ndarray]
    plane: np.ndarray
    iteration: int


Call: TypeAlias = EncodeIteration | DecodeIteration | DecodeStates | Probabilities
#: A computation that yields calls, is sent their results, and returns something.
Calls: TypeAlias = Generator[Call, Any, T]


class Worker(NamedTuple):
    """What does the work.

    Attributes:
        runtime: of the model.
        entropy_model: of its bits; None where no probabilities are asked for.
    """

    runtime: Runtime
    entropy_model: EntropyModel | None = None

    def do(self, call: Call) -> Any:
        """The result of a call."""
        if isinstance(call, EncodeIteration):
            return self.runtime.encode_iteration(*call)
        if isinstance(call, DecodeIteration):
            return self.runtime.decode_iteration(*call)
        if isinstance(call, DecodeStates):
            return self.runtime.decode_states(*call)
        assert self.entropy_model is not None
        return self.entropy_model.probabilities(call.planes, call.plane)

    def do_all(self, calls: Sequence[Call]) -> Sequence[Any]:
        """The results of calls of one kind, in one iteration, for images of one size."""
        first = calls[0]
        if len(calls) == 1:
            return [self.do(first)]
        columns: list[Any] = list(zip(*calls, strict=True))
        columns[-1] = first.iteration
        if isinstance(first, EncodeIteration):
            return self.runtime.encode_iteration_of_batch(*columns)
        if isinstance(first, DecodeIteration):
            return self.runtime.decode_iteration_of_batch(*columns)
        if isinstance(first, DecodeStates):
            return self.runtime.decode_states_of_batch(*columns)
        assert self.entropy_model is not None
        return list(self.entropy_model.probabilities_of_batch(*columns[:-1]))

    def try_all(self, calls: Sequence[Call]) -> Sequence[Any]:
        """As `do_all`; where that fails, each call is done alone, and errors stand for results."""
        try:
            return self.do_all(calls)
        except ITEM_ERRORS as error:
            if len(calls) == 1:
                return [error]
        return [self.try_one(call) for call in calls]

    def try_one(self, call: Call) -> Any:
        """The result of a call, or the error that it ends with."""
        try:
            return self.do(call)
        except ITEM_ERRORS as error:
            return error


def run_alone(worker: Worker, calls: Calls[T]) -> T:
    """What one computation returns; what goes wrong with its calls is raised where it made them."""
    steps = run_stepwise(worker, calls)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            returned: T = end.value
            return returned


def run_stepwise(worker: Worker, calls: Calls[T]) -> Generator[None, None, T]:
    """As `run_alone`, but yields after each call; closing it closes the computation."""
    result = None
    with closing(calls):
        while True:
            try:
                call = _next_call(calls, result)
            except StopIteration as end:
                returned: T = end.value
                return returned
            result = worker.try_one(call)
            del call  # What it was given may be large, and of no use any more.
            yield


def run_together(worker: Worker, computations: Sequence[Calls[T]]) -> list[T | ItemError]:
    """What computations return, or the errors that they raise.

    Args:
        worker: what does the work.
        computations: for images of one size, and of half of it.
    """
    results: list[T | ItemError] = [_NOT_RUN] * len(computations)
    waiting: dict[tuple[tuple[int, int], type, int], list[int]] = {}
    calls: dict[int, Call] = {}
    stride = worker.runtime.stride

    def go_on(number: int, result: Any) -> None:
        try:
            call = _next_call(computations[number], result)
        except StopIteration as end:
            results[number] = end.value
        except ITEM_ERRORS as error:
            results[number] = error
        else:
            calls[number] = call
            kind = _grid(call, stride), type(call), call.iteration
            waiting.setdefault(kind, []).append(number)

    for number in range(len(computations)):
        go_on(number, None)
    while waiting:
        # What is furthest behind comes first, so that the others wait for it and go on together;
        # and what is written last, as some have to be for others to have it done with them. Images
        # that are encoded at half their resolution too are so once all are encoded as they are.
        kind = max(waiting, key=lambda kind: (kind[0], kind[1] is not Probabilities, -kind[2]))
        numbers = waiting.pop(kind)
        done = worker.try_all([calls.pop(number) for number in numbers])
        for number, result in zip(numbers, done, strict=True):
            go_on(number, result)
    return results


def _next_call(calls: Calls[Any], result: Any) -> Call:
    """The next call of a computation that is sent a result; an error is raised in it."""
    return calls.throw(result) if isinstance(result, ITEM_ERRORS) else calls.send(result)


def _grid(call: Call, stride: int) -> tuple[int, int]:
    """Rows and columns of the latent bits that a call is about."""
    if isinstance(call, EncodeIteration):
        height, width, _ = call.residual.shape
        return height // stride, width // stride
    rows, columns, _ = call.plane.shape
    return rows, columns


_NOT_RUN = RunError("the computation was not run")
