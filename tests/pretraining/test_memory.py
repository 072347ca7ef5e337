"""Segments with a memory that is long enough have the losses of one long text."""

from pathlib import Path
from typing import Any

import pytest
import torch

import tfx_core
from tests.cases import case_of
from tests.core.text.folders import write
from tests.pretraining.texts import COUNTED
from tfx_core.errors import InputError
from tfx_training import TokenCorpus
from tfx_training.objective import Trainee, generator_of
from tfx_training.objectives.segments import Segments

LENGTH = 8


@pytest.fixture
def tokenizer(tmp_path: Path) -> tfx_core.Tokenizer:
    return tfx_core.load_tokenizer(
        write(tmp_path, {**case_of("transfo-xl").released(), "config.json": {"model_type": "transfo-xl"}})
    )


def trainee(objective: Segments, **config: Any) -> Trainee:
    tiny = {name: value for name, value in case_of("transfo-xl").tiny.items() if name != "vocab_size"}
    config = {"same_length": False, "init_std": 0.3, **config}
    return objective.trainee(objective.new_models("transfo-xl", seed=0, **{**tiny, **config})).eval()


@torch.no_grad()
def losses(objective: Segments, reader: Trainee, corpus: TokenCorpus, batches: int) -> list[float]:
    """Of the first batches of two readers, each going on with what was carried out of the one before."""
    rows = objective.rows(corpus, generator_of(0))
    carried, found = None, []
    for numbers in objective.order(rows, 2, generator_of(0))[:batches]:
        batch = objective.batch([objective.example(rows[each], generator_of(0)) for each in numbers])
        outcome = reader(batch, carried)
        carried = outcome.carried
        found.append(float(outcome.losses["loss"]))
    return found


def test_segments_are_one_long_text(tokenizer: tfx_core.Tokenizer) -> None:
    corpus = TokenCorpus.of(tokenizer, COUNTED[:8])
    short, long = Segments(tokenizer, length=LENGTH), Segments(tokenizer, length=4 * LENGTH)
    total = len(short.order(short.rows(corpus, generator_of(0)), 2, generator_of(0)))
    assert total % 4 == 0, "else the two cut the text at different places"
    by_segments = losses(short, trainee(short, mem_len=4 * LENGTH), corpus, 4)
    (at_once,) = losses(long, trainee(long, mem_len=4 * LENGTH), corpus, 1)
    assert sum(by_segments) / 4 == pytest.approx(at_once, rel=1e-5)
    forgetful = losses(short, trainee(short, mem_len=0), corpus, 4)
    assert forgetful[0] == pytest.approx(by_segments[0], rel=1e-5)
    assert forgetful[1:] != pytest.approx(by_segments[1:], rel=1e-3)


def test_what_is_carried_is_detached_and_no_longer_than_asked(tokenizer: tfx_core.Tokenizer) -> None:
    objective = Segments(tokenizer, length=LENGTH)
    reader = trainee(objective, mem_len=12).train()
    rows = objective.rows(TokenCorpus.of(tokenizer, COUNTED), generator_of(0))
    batch = objective.batch([objective.example(rows[each], generator_of(0)) for each in (0, 9)])
    once = reader(batch)
    twice = reader(batch, once.carried)
    for outcome, slots in ((once, LENGTH), (twice, 12)):
        assert {tuple(each.shape) for each in outcome.carried} == {(slots, 2, 24)}
        assert not any(each.requires_grad for each in outcome.carried)
    assert reader.eval()(batch, list(twice.carried)).losses.keys() == {"loss"}


def test_a_model_without_a_memory_of_segments(tokenizer: tfx_core.Tokenizer) -> None:
    tiny = {name: value for name, value in case_of("gpt2").tiny.items() if name != "vocab_size"}
    objective = Segments(tokenizer, length=8)
    models = objective.new_models("gpt2", seed=0, **tiny)
    with pytest.raises(InputError, match="gpt2: this model has no memory of segments; learn with 'causal'"):
        objective.trainee(models)
