"""What holds for every objective that is installed, with every architecture that was pretrained by it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.pretraining.case import Tried
from tfx_core import ObjectiveSpec
from tfx_core.plugins import registry
from tfx_training.objective import Batch, generator_of

PAIRS = [
    (entry.spec.name, model_type) for entry in registry.specs(ObjectiveSpec) for model_type in entry.spec.architectures
]


@pytest.fixture(params=PAIRS, ids="-".join)
def tried(request: pytest.FixtureRequest, tmp_path: Path) -> Tried:
    name, model_type = request.param
    return Tried(name, model_type, tmp_path)


def examples(tried: Tried, epoch: int, count: int = 4) -> list[Any]:
    """The first rows of an epoch, as examples."""
    rows = tried.objective.rows(tried.corpus, generator_of(0, epoch))
    return [tried.objective.example(rows[number], generator_of(0, epoch, number)) for number in range(count)]


def same(one: Batch, other: Batch) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_row_depends_on_its_numbers_alone(tried: Tried) -> None:
    objective = tried.objective
    rows = objective.rows(tried.corpus, generator_of(0, 0))
    assert len(rows) >= 4
    once = objective.batch([objective.example(rows[number], generator_of(0, 0, number)) for number in (3, 1, 2)])
    again = objective.rows(tried.corpus, generator_of(0, 0))
    twice = objective.batch([objective.example(again[number], generator_of(0, 0, number)) for number in (3, 1, 2)])
    assert same(once, twice)


def test_an_epoch_draws_anew(tried: Tried) -> None:
    one, other = (tried.objective.batch(examples(tried, epoch)) for epoch in (0, 1))
    assert same(one, other) != tried.case.draws


def test_a_batch_is_the_mean_of_its_rows(tried: Tried) -> None:
    objective = tried.objective
    trainee = objective.trainee(tried.models()).eval()
    several = examples(tried, 0)
    torch.manual_seed(0)
    with torch.no_grad():
        whole = trainee(objective.batch(several)).losses
        torch.manual_seed(0)  # a model that draws does so row by row
        alone = [
            (trainee(batch).losses, objective.counts(batch)) for batch in ([objective.batch([one]) for one in several])
        ]
    counts = objective.counts(objective.batch(several))
    assert whole.keys() == objective.terms.keys() == counts.keys()
    for term, loss in whole.items():
        assert counts[term] == sum(each[term] for _, each in alone) > 0
        total = sum(float(losses[term]) * each[term] for losses, each in alone)
        assert float(loss) == pytest.approx(total / counts[term], rel=1e-4)


def test_it_learns(tried: Tried) -> None:
    objective, case = tried.objective, tried.case
    trainee = objective.trainee(tried.models()).train()
    optimizer = torch.optim.AdamW([each for each in trainee.parameters() if each.requires_grad], case.rate)
    torch.manual_seed(0)
    losses: list[dict[str, float]] = []
    epoch = 0
    while len(losses) < case.steps:
        carried = None
        rows = objective.rows(tried.corpus, generator_of(0, epoch))
        for numbers in objective.order(rows, 8, generator_of(0, epoch)):
            batch = objective.batch([objective.example(rows[each], generator_of(0, epoch, each)) for each in numbers])
            outcome = trainee(batch, carried) if objective.follows else trainee(batch)
            carried = outcome.carried
            loss = sum(objective.terms[term] * each for term, each in outcome.losses.items())
            assert isinstance(loss, torch.Tensor)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append({"sum": loss.item(), **{term: each.item() for term, each in outcome.losses.items()}})
        epoch += 1
    begin, end = losses[:5], losses[case.steps - 10 : case.steps]
    fallen = {name: np.mean([each[name] for each in end]) / np.mean([each[name] for each in begin]) for name in end[0]}
    assert fallen["sum"] < 2 / 3
    assert all(fallen[term] < 0.9 for term in objective.terms), fallen  # in the sum a small term would not be missed
