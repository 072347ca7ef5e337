"""Pruned attention heads, of every architecture that has a form for it: as if they were masked, and for good."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.cases import readers_of_text
from tests.models.labelled import tiny_model
from tests.models.tiny import random_ids, tiny_config
from tfx_core.errors import ConfigError
from tfx_core.model import Model, load_architecture
from tfx_core.nn import Stack


def prunable(model_type: str) -> bool:
    return load_architecture(model_type).config.of(**tiny_config(model_type)).prunable is not None


ARCHITECTURES = [spec.name for spec in readers_of_text()]


def states(model: Model, **inputs: object) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(random_ids(model.config.model_type, 2, 8), **inputs).last_hidden_state
    return found


def mask_of(model: Model, pruned: dict[int, list[int]]) -> Tensor:
    """The head mask ``(steps, heads)`` under which the model is as if these were pruned."""
    stack = next(module for module in model.modules() if isinstance(module, Stack))
    mask = torch.ones(len(stack.order), model.config.num_attention_heads)
    for step, layer in enumerate(stack.order):
        mask[step, pruned.get(layer, [])] = 0
    return mask


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_pruned_head_is_a_masked_head_that_is_gone(name: str) -> None:
    model = tiny_model(name, "backbone")
    if not prunable(name):
        with pytest.raises(ConfigError, match=f"pruned_heads=.*: must be empty: heads of {name} cannot be pruned"):
            model.prune_heads({0: [1]})
        return
    pruned = {0: [1, 2], len(next(each for each in model.modules() if isinstance(each, Stack)).layers) - 1: [0]}
    masked, size = states(model, head_mask=mask_of(model, pruned)), model.num_parameters()
    assert not torch.allclose(states(model), masked, atol=1e-3)
    model.prune_heads(pruned)
    torch.testing.assert_close(states(model), masked, rtol=1e-4, atol=1e-5)
    assert model.num_parameters() < size


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_pruning_survives_saving_and_goes_on_in_the_old_numbers(name: str, tmp_path: Path) -> None:
    if not prunable(name):
        return
    model = tiny_model(name, "backbone")
    masked = states(model, head_mask=mask_of(model, {0: [1, 3]}))
    model.prune_heads({0: [1]})
    model.save_pretrained(tmp_path)
    again = tfx_core.load_model(tmp_path)
    assert torch.equal(states(again), states(model))
    again.prune_heads({0: [1, 3]})
    assert again.config.pruned_heads == {0: (1, 3)}
    torch.testing.assert_close(states(again), masked, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_not_all_heads_of_a_layer_can_be_pruned(name: str) -> None:
    if not prunable(name):
        return
    model = tiny_model(name, "backbone")
    before = states(model)
    with pytest.raises(ConfigError, match=r"pruned_heads=.*some, not all, of 4 heads"):
        model.prune_heads({0: [0, 1, 2, 3]})
    with pytest.raises(ConfigError, match=r"pruned_heads=.*some, not all, of 4 heads"):
        model.prune_heads({99: [0]})
    assert torch.equal(states(model), before)
