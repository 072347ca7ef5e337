"""What a task can be called with beside a list: iterators and data sets, which are read as their results are."""

from collections.abc import Iterable, Iterator, Sized
from typing import Any


def is_lazy(inputs: object) -> bool:
    """Whether inputs come one by one, so that their results do: an iterator, or a data set that is read by index."""
    return isinstance(inputs, Iterable) != isinstance(inputs, Sized) or _is_indexed(inputs)


def items(inputs: Any) -> Iterable[object] | None:
    """The inputs one after the other; None for what holds none."""
    if isinstance(inputs, Iterable):
        return inputs
    return _by_index(inputs) if _is_indexed(inputs) else None


def size(inputs: object) -> int | None:
    """How many inputs there are, where that is known."""
    return len(inputs) if isinstance(inputs, Sized) else None


def _is_indexed(inputs: object) -> bool:
    """Whether this is a data set of torch's kind, with a length and items by number and nothing else."""
    return isinstance(inputs, Sized) and not isinstance(inputs, Iterable) and hasattr(type(inputs), "__getitem__")


def _by_index(inputs: Any) -> Iterator[object]:
    return (inputs[number] for number in range(len(inputs)))
