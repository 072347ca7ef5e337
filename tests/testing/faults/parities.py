"""Architectures that give something else than their reference, in one way each; the reference is a module of ours."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tests.testing.faults import Fault
from tfx_testing import ArchitectureCase, Checks, ParityChecks, Variant
from tfx_testing.parity.case import Case
from tfx_testing.toys import ToyChecks

TINY: Mapping[str, Any] = {"vocab_size": 40, "hidden_size": 8, "max_position_embeddings": 40}


class Reference(nn.Module):
    """What the toy encoder computes, as somebody else would write it."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        config = case.config
        self.toy = nn.Module()
        self.toy.embedding = nn.Embedding(config["vocab_size"], config["hidden_size"])
        self.predictions = nn.Linear(config["hidden_size"], config["vocab_size"])

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        logits = self.predictions(self.states(input_ids, attention_mask))
        if labels is None:
            return {"logits": logits}
        return {"loss": nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten()), "logits": logits}

    def states(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        mask = attention_mask[..., None].float()
        x = self.toy.embedding(input_ids) + self.places(mask)
        return x + (x * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True)

    def places(self, mask: Tensor) -> Tensor:
        return 0.1 * (mask.cumsum(1) - 1)


class CountsFromOne(Reference):
    """Its positions begin with 1."""

    def places(self, mask: Tensor) -> Tensor:
        return 0.1 * mask.cumsum(1)


class CountsPadding(Reference):
    """Takes the mean of all columns."""

    def states(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.toy.embedding(input_ids) + self.places(attention_mask[..., None].float())
        return x + x.mean(1, keepdim=True)


class Detached(Reference):
    """Learns nothing of the mean."""

    def states(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        mask = attention_mask[..., None].float()
        x = self.toy.embedding(input_ids) + self.places(mask)
        return x + (x * mask).sum(1, keepdim=True).detach() / mask.sum(1, keepdim=True)


class WithMore(Reference):
    """Has a tensor that nobody asked for."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self.register_buffer("more", torch.ones(3))


class OfToys(ToyChecks, ParityChecks):
    """With the toys registered."""


def checks_of(reference: Callable[[Case], nn.Module]) -> Callable[[], type[Checks]]:
    """A test class of the toy beside a reference."""

    case = ArchitectureCase("toy", dict(TINY), (Variant("tiny", heads=("masked-lm",)),), reference=reference)
    return lambda: type("TestBroken", (OfToys,), {"case": case})


FAULTS: dict[str, Fault] = {
    "counts positions from one": Fault(checks_of(CountsFromOne), "test_outputs_and_loss", "loss: "),
    "counts padding": Fault(
        checks_of(CountsPadding), "test_outputs_on_real_tokens_of_a_padded_batch", "logits: Tensor-likes are not close"
    ),
    "learns from less": Fault(checks_of(Detached), "test_gradients", "the gradient of toy.embedding.weight"),
    "has a tensor more": Fault(
        checks_of(WithMore), "test_the_stored_head_is_the_one_that_is_loaded", r"unexpected more \(3,\)"
    ),
}
