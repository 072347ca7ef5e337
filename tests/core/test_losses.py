"""Losses, without a model: which labels count, and what they are refused for."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.model.heads import IGNORED, classification_loss, next_labels, next_token_loss, token_loss


@pytest.mark.parametrize("wrong", [IGNORED, 2, 1.5, float("nan")])
def test_several_classes_at_once_have_probabilities_for_labels(wrong: float) -> None:
    labels = torch.tensor([[0, 1.0], [0.5, wrong]])
    with pytest.raises(InputError, match=r"^labels: \S+ is none of 0 to 1"):
        classification_loss(torch.zeros(2, 2), labels, "multi_label_classification")


@pytest.mark.parametrize("loss", [next_token_loss, token_loss])
def test_losses_compile_without_a_break(loss: Callable[..., Tensor | None]) -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(3, 5, 7, generator=generator), torch.randint(0, 7, (3, 5), generator=generator)
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 0, 1, 1, 1], [1, 1, 1, 1, 1]]).bool()
    torch.compiler.reset()
    compiled = torch.compile(loss, backend="eager", fullgraph=True)
    for given in (None, mask):
        torch.testing.assert_close(compiled(logits, labels, given), loss(logits, labels, given))


def test_each_real_token_predicts_the_next_real_one() -> None:
    labels = torch.tensor([[1, 2, 3, 4, 5], [1, 2, 3, IGNORED, 5], [1, 2, 3, 4, 5]])
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 0, 1, 1, 1], [0, 0, 0, 1, 0]]).bool()
    no = IGNORED
    assert next_labels(labels, mask).tolist() == [[no, no, 4, 5, no], [3, no, no, 5, no], [no] * 5]
    assert next_labels(labels[:1]).tolist() == [[2, 3, 4, 5, no]]
