"""Patterns of attention, by value or by name, in every model: as a dense mask, whatever padding there is."""

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.cases import CHOICE_HEADS, case_of
from tests.models.labelled import tiny_model
from tests.models.tiny import random_ids, target_ids
from tfx_core.model import Model
from tfx_core.nn import Allowed, Bias, Chunks, FirstTokens, GlobalTokens, Scores, Window, sdpa, together
from tfx_core.plugins import registry

LENGTH = 12
PATTERNS = {
    "window(2)": Window(2, 2),
    "window(1, 0)": Window(1, 0),
    "window(1, dilation=2)": Window(1, 1, dilation=2),
    "global(1, first=2)": FirstTokens(Window(1, 1), 2),
    "chunks(3)": Chunks(3, 1, 0),
}
ARCHITECTURES = [spec.name for spec in registry.architectures()]


def states(model: Model, ids: Tensor, attention: Any, **inputs: Any) -> Tensor:
    """What the model makes of the last text that it reads."""
    inputs = {**target_ids(model.config.model_type, model.head_name, len(ids)), **inputs}
    with torch.no_grad():
        output = model(ids, attention=attention, **inputs)
    found: Tensor = output.last_hidden_state
    return found


class Dense:
    """A kernel that hides what a mask of one text's columns hides, where a text of that length attends to itself."""

    def __init__(self, pattern: Any, length: int) -> None:
        self.allowed = pattern.allowed(Scores(length, length, torch.float32, torch.device("cpu")))

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, **options: Any) -> Tensor:
        own = query.shape[2] == key.shape[2] == self.allowed.shape[-1]
        return sdpa(query, key, value, together((bias, Allowed(self.allowed) if own else None)), **options)


@pytest.fixture(params=ARCHITECTURES)
def model(request: pytest.FixtureRequest) -> Model:
    return tiny_model(request.param, "backbone")


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_by_its_name_is_its_value_and_a_mask(model: Model, name: str) -> None:
    ids = random_ids(model.config.model_type, 2, LENGTH)
    inputs = {}
    if target_ids(model.config.model_type, model.head_name, 2):
        inputs["decoder_input_ids"] = random_ids(model.config.model_type, 2, LENGTH, seed=1)
    named = states(model, ids, name, **inputs)
    assert states(model, ids, PATTERNS[name], **inputs).equal(named)
    assert not torch.allclose(states(model, ids, "full", **inputs), named, atol=1e-4)
    model.attention = name
    assert states(model, ids, None, **inputs).equal(named)
