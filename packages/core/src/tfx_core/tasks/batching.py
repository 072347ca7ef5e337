"""The one place that decides which inputs run together: bounded chunks, longest first, batches under a token budget."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

Value = TypeVar("Value")

CHUNK_INPUTS = 1024
"""Inputs that are tokenized and sorted together: many batches' worth, so that sorting leaves little padding."""

CHUNK_CHARACTERS = 4_000_000
"""Text that is tokenized together: bounds the memory of a chunk of long documents."""

LOGITS_BYTES = 256 * 2**20
"""Room for logits that are computed at once: with a large vocabulary it is them, not the states, that fill memory."""


def chunks(inputs: Iterable[Value], rows_of: Callable[[Value], int] = lambda value: 1) -> Iterator[list[Value]]:
    """``inputs`` in order, in lists small enough to hold their tokens and results in memory.

    ``rows_of`` says in how many rows of about its length an input is read.
    """
    chunk: list[Value] = []
    rows = characters = 0
    for value in inputs:
        chunk.append(value)
        own = max(1, rows_of(value))
        rows += own
        characters += own * _text_length(value)
        if rows >= CHUNK_INPUTS or characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, rows, characters = [], 0, 0
    if chunk:
        yield chunk


def token_batches(lengths: Sequence[int], budget: int, most: int | None = None) -> Iterator[list[int]]:
    """Indices into ``lengths``, longest first, in groups whose longest length times size stays within ``budget``.

    A row longer than the budget goes alone, and no group has more than ``most`` rows. The first batch is the largest,
    so what does not fit in memory fails at the start and not at the end.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    start = 0
    while start < len(order):
        size = max(1, budget // max(1, lengths[order[start]]))
        size = size if most is None else min(size, most)
        yield order[start : start + size]
        start += size


def _text_length(value: object) -> int:
    """Characters of text in one input of a task: a string, or strings in a mapping or sequence."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(_text_length(part) for part in value.values())
    if isinstance(value, Sequence):
        return sum(_text_length(part) for part in value)
    return 0
