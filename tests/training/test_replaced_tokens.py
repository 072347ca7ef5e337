"""What is drawn in the place of hidden tokens, and what a teacher's probabilities cost."""

import pytest
import torch

from tfx_training.objectives.distillation import soft_target_loss
from tfx_training.objectives.replaced_tokens import drawn, with_samples

DRAWS = 100_000
PROBABILITIES = torch.tensor([0.5, 0.25, 0.2, 0.05, 0.0])


@pytest.mark.parametrize("temperature", [1.0, 2.0, 0.5])
def test_samples_are_as_frequent_as_the_softmax_says(temperature: float) -> None:
    torch.manual_seed(0)
    logits = PROBABILITIES.log()
    samples = drawn(logits.expand(DRAWS, -1), temperature)
    frequencies = torch.bincount(samples, minlength=len(logits)) / DRAWS
    wanted = (logits / temperature).softmax(-1)
    assert (frequencies - wanted).abs().max() < 0.005
    assert frequencies[-1] == 0


def test_samples_are_of_torchs_generator_and_of_each_row_its_own() -> None:
    logits = torch.zeros(1000, 7)
    torch.manual_seed(3)
    once = drawn(logits)
    torch.manual_seed(3)
    assert torch.equal(drawn(logits), once)
    assert not torch.equal(drawn(logits), once)
    assert len(once.unique()) == 7


def test_a_label_says_replaced_only_where_a_sample_differs() -> None:
    ids = torch.tensor([[2, 9, 9, 3], [2, 7, 9, 3]])
    hidden = torch.tensor([[False, True, True, False], [False, False, True, False]])
    given, replaced = with_samples(ids, hidden, wanted=torch.tensor([4, 5, 6]), samples=torch.tensor([4, 8, 1]))
    assert given.tolist() == [[2, 4, 8, 3], [2, 7, 1, 3]]
    assert replaced.tolist() == [[0, 0, 1, 0], [0, 0, 1, 0]]
    assert ids.tolist() == [[2, 9, 9, 3], [2, 7, 9, 3]]


def test_soft_targets_are_the_divergence_of_both_times_the_temperature_squared() -> None:
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (torch.randn(5, 11, generator=generator) for _ in range(2))
    temperature = 2.0
    q, p = (torch.exp(each / temperature) for each in (ours, theirs))
    q, p = (each / each.sum(-1, keepdim=True) for each in (q, p))
    wanted = sum(float((p[row] * (p[row] / q[row]).log()).sum()) for row in range(5)) / 5 * temperature**2
    assert float(soft_target_loss(ours, theirs, temperature)) == pytest.approx(wanted, rel=1e-5)
    assert float(soft_target_loss(theirs, theirs, temperature)) == pytest.approx(0.0, abs=1e-6)
