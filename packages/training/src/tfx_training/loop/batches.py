"""The batches of each update of a process, prepared beside the computation."""

import queue
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from tfx_training.objective import Batch, Objective, generator_of, generator_of_order
from tfx_training.settings import TrainingSettings

T = TypeVar("T")
Made: TypeAlias = queue.Queue[tuple[T | None, BaseException | None]]

_AHEAD = 2
"""Updates that are prepared before they are needed."""


@dataclass(frozen=True)
class Update:
    """What one process computes of an update."""

    epoch: int
    number: int
    """Of the update within the epoch."""

    of: int
    """How many updates the epoch has."""

    batches: Sequence[Batch]
    counts: Sequence[Mapping[str, int]]
    """Of each batch, over how many things its losses are means."""

    tokens: int


@dataclass(frozen=True)
class Share:
    """Which of several processes this is."""

    process: int
    processes: int


def updates(
    objective: Objective[Any, Any],
    corpus: Any,
    settings: TrainingSettings,
    share: Share,
    epoch: int,
    number: int,
    *,
    rows: Sequence[Any] | None = None,
) -> Iterator[Update]:
    """The updates of all epochs, without end, from one on: what each is depends on its two numbers alone.

    ``rows`` are those of that first epoch, where they are there already.
    """
    size = settings.rows_of_a_slice(share.processes)
    begin = share.process * settings.accumulation * size
    while True:
        rows = objective.rows(corpus, generator_of(settings.seed, epoch)) if rows is None else rows
        order = objective.order(rows, settings.batch_size, generator_of_order(settings.seed, epoch))
        for each in range(number, len(order)):
            mine = order[each, begin : begin + settings.accumulation * size].reshape(settings.accumulation, size)
            batches = [batch_of(objective, rows, numbers, settings.seed, epoch) for numbers in mine]
            counts = [objective.counts(batch) for batch in batches]
            yield Update(epoch, each, len(order), batches, counts, sum(map(tokens_in, batches)))
        epoch, number, rows = epoch + 1, 0, None


def batch_of(
    objective: Objective[Any, Any], rows: Sequence[Any], numbers: NDArray[np.int64], seed: int, epoch: int
) -> Batch:
    """The batch of some rows of an epoch."""
    return objective.batch(
        [objective.example(rows[each], generator_of(seed, epoch, each)) for each in map(int, numbers)]
    )


def tokens_in(batch: Batch) -> int:
    """How many tokens a batch has, without padding where it says which they are."""
    mask, ids = batch.get("attention_mask"), batch.get("input_ids")
    if mask is not None and mask.dim() == 2:
        return int(mask.sum())
    return 0 if ids is None else ids.numel()


def prepared(items: Iterator[T]) -> Generator[T, None, None]:
    """The items, the next of which a thread makes meanwhile; close it to end the thread."""
    made: Made[T] = queue.Queue(_AHEAD)
    ended = threading.Event()
    thread = threading.Thread(target=_make, args=(items, made, ended), name="batches", daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if error is not None:
                if isinstance(error, StopIteration):
                    return
                raise error
            assert item is not None
            yield item
    finally:
        ended.set()
        while thread.is_alive():
            _empty(made)
            thread.join(0.01)


def _make(items: Iterator[T], made: Made[T], ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            made.put((next(items), None))
        except BaseException as error:  # raised again where the items are used
            made.put((None, error))
            return


def _empty(made: Made[T]) -> None:
    while not made.empty():
        made.get_nowait()
