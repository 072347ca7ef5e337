"""XLNet's memory and targets: nothing that is predicted is seen, and what is remembered is what was read."""

from pathlib import Path

import pytest
import torch

from tests.pretraining.case import Tried
from tfx_core.errors import InputError
from tfx_training.objective import Batch, generator_of


@pytest.fixture
def tried(tmp_path: Path) -> Tried:
    return Tried("permutation", "xlnet", tmp_path)


def batches_of(tried: Tried, count: int) -> list[Batch]:
    """Batches of two rows that follow each other."""
    objective, rows = tried.objective, tried.objective.rows(tried.corpus, generator_of(0))
    order = objective.order(rows, 2, generator_of(0))
    return [
        objective.batch([objective.example(rows[row], generator_of(0, 0, row)) for row in numbers])
        for numbers in order[:count]
    ]


def test_a_target_does_not_depend_on_itself_or_what_comes_later(tried: Tried) -> None:
    (batch,) = batches_of(tried, 1)
    model = tried.models()["model"].eval()
    inputs = {name: column for name, column in batch.items() if name != "labels"}
    logits = model(**inputs).logits
    place = batch["target_mapping"].argmax(-1)
    for target in range(place.shape[1]):
        changed = batch["input_ids"].clone()
        rows = torch.arange(2)
        changed[rows, place[:, target]] = (changed[rows, place[:, target]] + 1) % 50
        moved = (model(**{**inputs, "input_ids": changed}).logits - logits).abs().amax(-1) > 0
        hidden = batch["perm_mask"][rows[:, None], place, place[:, target, None]]
        assert not moved[hidden].any()  # whoever may not see it is not moved, the target itself included
        assert moved[~hidden].all()


def test_rows_follow_and_the_memory_is_of_what_is_read_on_from(tried: Tried) -> None:
    first, second = batches_of(tried, 2)
    assert not torch.equal(first["input_ids"][:, :24], second["input_ids"][:, :24])
    trainee = tried.objective.trainee(tried.models()).eval()
    outcome = trainee(first)
    assert {tuple(each.shape) for each in outcome.carried} == {(24, 2, 24)}
    assert not any(each.requires_grad for each in outcome.carried)
    embedded = trainee.model("model").backbone.embed(first["input_ids"][:, :24])
    torch.testing.assert_close(outcome.carried[0].transpose(0, 1), embedded)
    after = trainee(second, outcome.carried)
    assert {tuple(each.shape) for each in after.carried} == {(32, 2, 24)}  # mem_len
    assert after.losses["loss"] != trainee(second).losses["loss"]


def test_models_that_remember_otherwise_are_refused(tried: Tried) -> None:
    objective, tiny = tried.objective, {"d_model": 8, "n_layer": 1, "n_head": 2, "d_inner": 8}
    made = objective.new_models("xlnet", seed=0, **tiny)["model"].config
    assert (made.reuse_len, made.mem_len) == (24, 32)
    for wrong, said in (
        ({"reuse_len": None}, "the model has reuse_len=None; this objective needs reuse_len=24"),
        ({"bi_data": True}, "the model has bi_data=True; this objective needs bi_data=False"),
        ({"mem_len": None}, "the model has mem_len=None and would remember all"),
    ):
        with pytest.raises(InputError, match=said):
            objective.trainee(objective.new_models("xlnet", seed=0, **{**tiny, **wrong}))
