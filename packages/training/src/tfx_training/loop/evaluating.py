"""How good the models are on rows that they do not learn from."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from numpy.typing import NDArray
from torch import Tensor, nn

from tfx_training.loop.batches import batch_of
from tfx_training.objective import Objective, Outcome, generator_of, generator_of_order

_EPOCH = 2**31
"""A number that no epoch of a training has, so that what is drawn for an evaluation is drawn for nothing else."""


def evaluate(
    objective: Objective[Any, Any], trainee: nn.Module, corpus: Any, accelerator: Accelerator, size: int, seed: int
) -> Mapping[str, float]:
    """The objective's measures of all rows of a corpus, ``size`` at a time in each process; each time the same.

    Where batches follow their texts it is of as many rows as make whole batches.

    The state of torch's generators afterwards is that before.
    """
    sums = torch.zeros(3, len(objective.terms), dtype=torch.float64)
    guesses: set[str] = set()
    was_training = trainee.training
    trainee.eval()
    with torch.random.fork_rng([accelerator.device] if accelerator.device.type == "cuda" else []), torch.no_grad():
        torch.manual_seed(seed)
        for outcome, counts in _outcomes(objective, trainee, corpus, accelerator, size, seed):
            sums += _weighed(objective, outcome, counts)
            guesses |= outcome.right.keys()
        judged = objective.judged(accelerator.unwrap_model(trainee), corpus)
    trainee.train(was_training)
    losses, right, counted = over_processes(accelerator, sums).tolist()
    means = {term: losses[place] / max(counted[place], 1) for place, term in enumerate(objective.terms)}
    shares = {
        term: right[place] / max(counted[place], 1) for place, term in enumerate(objective.terms) if term in guesses
    }
    return {**objective.measures(means, shares, corpus), **judged}


def over_processes(accelerator: Accelerator, values: Tensor) -> Tensor:
    """The sum over all processes, on the CPU."""
    if accelerator.num_processes == 1:
        return values.cpu()
    summed: Tensor = accelerator.reduce(values.to(accelerator.device), reduction="sum")
    return summed.cpu()


def _outcomes(
    objective: Objective[Any, Any], trainee: nn.Module, corpus: Any, accelerator: Accelerator, size: int, seed: int
) -> Iterator[tuple[Outcome, Mapping[str, int]]]:
    """What comes out of each batch of this process; it counts nothing where there are none left for all processes."""
    rows = objective.rows(corpus, generator_of(seed, _EPOCH))
    carried = None
    for numbers, counts_at_all in _shares(objective, rows, accelerator, size, seed):
        batch = batch_of(objective, rows, numbers, seed, _EPOCH)
        moved = send_to_device(batch, accelerator.device)
        outcome: Outcome = trainee(moved, carried) if objective.follows else trainee(moved)
        carried = outcome.carried
        yield outcome, objective.counts(batch) if counts_at_all else dict.fromkeys(objective.terms, 0)


def _shares(
    objective: Objective[Any, Any], rows: Any, accelerator: Accelerator, size: int, seed: int
) -> Iterator[tuple[NDArray[np.int64], bool]]:
    """The rows of each batch of this process, and whether they count: all processes have as many batches."""
    process, processes = accelerator.process_index, accelerator.num_processes
    if objective.follows:
        width = min(size * processes, len(rows)) // processes * processes
        order = objective.order(rows, max(width, processes), generator_of_order(seed, _EPOCH))
        mine = order.reshape(len(order), processes, -1)[:, process]
        yield from ((numbers, True) for numbers in mine)
        return
    batches = [np.arange(begin, min(begin + size, len(rows))) for begin in range(0, len(rows), size)]
    for begin in range(0, len(batches), processes):
        place = begin + process
        yield batches[min(place, len(batches) - 1)], place < len(batches)


def _weighed(objective: Objective[Any, Any], outcome: Outcome, counts: Mapping[str, int]) -> Tensor:
    """Of each term the loss and the guesses, times what they are means over, and that: ``(3, terms)``."""
    values = torch.zeros(3, len(objective.terms), dtype=torch.float64)
    for place, term in enumerate(objective.terms):
        if counts[term]:
            right = outcome.right.get(term)
            values[0, place] = float(outcome.losses[term]) * counts[term]
            values[1, place] = 0.0 if right is None else float(right) * counts[term]
            values[2, place] = counts[term]
    return values
