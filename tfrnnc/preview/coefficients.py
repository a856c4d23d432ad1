"""The payload of a preview: quantised coefficients to bytes and back."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np

from tfrnnc.bitstream.range_coder import CoderState, RangeDecoder, RangeEncoder
from tfrnnc.preview.contexts import MAGNITUDE_LIMIT, UNIT, Contexts, context_limits
from tfrnnc.preview.layout import COEFFICIENTS, GLOBAL_CONTEXTS, LEVEL_LIMIT
from tfrnnc.preview.tables import Tables

#: Of a coefficient: the limits of its contexts, local and of all before, and for each context the
#: probabilities of its decisions.
_Plan: TypeAlias = tuple[list[int], list[int], list[list[int]]]

_EVEN = 32768  #: the probability of a sign


class CoefficientCoder:
    """Codes coefficients; threads may share it.

    Args:
        tables: of the decoder.
        contexts: of the tables, if they are known already.
    """

    def __init__(self, tables: Tables, contexts: Contexts | None = None):
        self._tables = tables
        self._contexts = contexts or context_limits(tables)
        self._neighbours = [
            list(zip(others.tolist(), weights.astype(int).tolist(), strict=True))
            for others, weights in self._contexts.neighbours
        ]
        self._of_step = functools.lru_cache(maxsize=None)(self._plan)

    def decode(self, payload: bytes, step: int) -> np.ndarray:
        """The coefficients that bytes settle, the others being 0.

        Args:
            payload: of the preview, whole or cut.
            step: index of its step.

        Returns:
            int16 (COEFFICIENTS,).

        Raises:
            CorruptStreamError: if no encoder writes such bytes.
        """
        levels = np.zeros(COEFFICIENTS, np.int16)
        if not payload:
            return levels
        decoder = RangeDecoder(payload)
        walk = _Walk(self._neighbours, self._of_step(step))
        for number, probabilities in enumerate(walk):
            level = _read_level(decoder, probabilities)
            if level is None:
                break
            levels[number] = level
            walk.add(level)
        return levels

    def encode(self, levels: np.ndarray, step: int, size: int) -> bytes:
        """The payload of coefficients: as many as fit, zeros after the last of them included.

        Args:
            levels: whole numbers (COEFFICIENTS,), no magnitude above LEVEL_LIMIT.
            step: index of their step.
            size: bytes of the payload, exactly.

        Returns:
            the bytes. They settle the first coefficients; where they happen to settle more than
            fits, these may be others than the levels.
        """
        encoder = RangeEncoder()
        best: CoderState = encoder.state
        walk = _Walk(self._neighbours, self._of_step(step))
        for level, probabilities in zip(levels.tolist(), walk, strict=True):
            encoder.encode(*_decisions(level, probabilities))
            walk.add(level)
            state = encoder.state
            if state.size > size:
                break
            if state.size + state.shortest_end()[1] <= size:
                best = state
        return encoder.finish(best).ljust(size, b"\0")

    def _plan(self, step: int) -> list[_Plan]:
        """Limits of the contexts, and probabilities by context, of each coefficient at a step."""
        tables = self._tables
        classes = np.minimum(tables.channel, 1)
        probabilities = tables.probability[tables.bases(step), classes].tolist()
        local = self._contexts.local[step].tolist()
        before = self._contexts.all_before[step].tolist()
        return list(zip(local, before, probabilities, strict=True))


class _Walk:
    """The probabilities of coefficient after coefficient, of one preview.

    Args:
        neighbours: of each coefficient, with weights.
        plan: of the step.
    """

    def __init__(self, neighbours: list[list[tuple[int, int]]], plan: list[_Plan]):
        self._neighbours = neighbours
        self._plan = plan
        self._magnitudes: list[int] = []
        self._sum = 0

    def __iter__(self) -> Iterator[Sequence[int]]:
        magnitudes = self._magnitudes
        for around, (local, before, probabilities) in zip(
            self._neighbours, self._plan, strict=True
        ):
            near = UNIT * sum(weight * magnitudes[other] for other, weight in around)
            all_before = UNIT * self._sum
            context = GLOBAL_CONTEXTS * sum(limit <= near for limit in local)
            yield probabilities[context + sum(limit <= all_before for limit in before)]

    def add(self, level: int) -> None:
        """Says what the coefficient is."""
        magnitude = min(abs(level), MAGNITUDE_LIMIT)
        self._magnitudes.append(magnitude)
        self._sum += magnitude


def _decisions(level: int, probabilities: Sequence[int]) -> tuple[list[int], list[int]]:
    """The bits of a coefficient, and their probabilities."""
    is_zero, is_one, is_all = probabilities
    if not level:
        return [1], [is_zero]
    negative = int(level < 0)
    if abs(level) == 1:
        return [0, negative, 1], [is_zero, _EVEN, is_one]
    more = abs(level) - 2
    bits, chances = [0, negative, 0] + more * [0], [is_zero, _EVEN, is_one] + more * [is_all]
    if abs(level) < LEVEL_LIMIT:
        bits.append(1)
        chances.append(is_all)
    return bits, chances


def _read_level(decoder: RangeDecoder, probabilities: Sequence[int]) -> int | None:
    """A coefficient, or None if the bytes do not settle it."""
    is_zero, is_one, is_all = probabilities
    if (bits := decoder.decode([is_zero])) != [0]:
        return 0 if bits else None
    bits = decoder.decode([_EVEN, is_one])
    if len(bits) < 2:
        return None
    negative, one = bits
    magnitude = 1 if one else 2
    while not one and magnitude < LEVEL_LIMIT:
        if not (bits := decoder.decode([is_all])):
            return None
        if bits[0]:
            break
        magnitude += 1
    return -magnitude if negative else magnitude
