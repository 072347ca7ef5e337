"""Encoder-decoders are exported for any batch and any lengths, whatever is padding."""

import pytest
import torch
from torch import Tensor, nn

import tfx_core
from tests.cases import architectures
from tests.models.tiny import random_ids, tiny_config

HEAD = "conditional-generation"


@pytest.mark.parametrize("name", [spec.name for spec in architectures() if HEAD in spec.heads])
def test_an_exported_model_takes_another_batch_and_other_lengths(name: str) -> None:
    model = tfx_core.new_model(name, head=HEAD, seed=1, **tiny_config(name)).eval()

    class Logits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Tensor, mask: Tensor, target: Tensor) -> Tensor:
            logits: Tensor = self.model(input_ids=ids, attention_mask=mask, decoder_input_ids=target).logits
            return logits

    rows, source, target = (torch.export.Dim(each, min=2, max=30) for each in ("rows", "source", "target"))
    shapes = {"ids": {0: rows, 1: source}, "mask": {0: rows, 1: source}, "target": {0: rows, 1: target}}
    given = random_ids(name, 3, 8), torch.ones(3, 8, dtype=torch.long), random_ids(name, 3, 6)
    program = torch.export.export(Logits(), given, dynamic_shapes=shapes)
    others = random_ids(name, 2, 5), torch.tensor([[0, 0, 1, 1, 1], [1] * 5]), random_ids(name, 2, 9)
    torch.testing.assert_close(program.module()(*others), Logits()(*others), rtol=1e-4, atol=1e-5)
