"""What longer texts cost: counted, so without a clock."""

import pytest
import torch
from torch import Tensor

from tests.cases import case_of, readers_of_text
from tests.models.labelled import tiny_model
from tests.models.tiny import random_ids, target_ids
from tfx_core.model import Model, load_architecture
from tfx_core.model.counting import HeldTensors, counted

SHORTER, LONGER = 512, 1024
ARCHITECTURES = [spec.name for spec in readers_of_text()]


def long_model(model_type: str) -> Model:
    """A tiny model with positions for long texts, where it has a longest one."""
    model = tiny_model(model_type, "backbone")
    if model.max_positions is None or model.max_positions >= LONGER:
        return model
    aliases = load_architecture(model_type).config.aliases
    positions = {aliases.get("max_position_embeddings", "max_position_embeddings"): LONGER + 2}
    return tiny_model(model_type, "backbone", **{**positions, **(case_of(model_type).sparse or {})})


def states(model: Model, length: int) -> Tensor:
    """What the model makes of one text."""
    name = model.config.model_type
    target = {"decoder_input_ids": random_ids(name, 1, length)} if target_ids(name, "backbone", 1) else {}
    found: Tensor = model(random_ids(name, 1, length), **target).last_hidden_state
    return found


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_memory_of_training_grows_with_the_length_and_not_its_square(model_type: str) -> None:
    model, held = long_model(model_type), []
    for length in (SHORTER, LONGER):
        states(model, length).sum().backward()
        model.zero_grad()
        with HeldTensors() as tensors:
            states(model, length).sum().backward()
        held.append(tensors.peak)
    assert (held[1] > 2.5 * held[0]) == case_of(model_type).holds_pairs, held


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_sparse_attention_multiplies_in_proportion_to_the_length(model_type: str) -> None:
    model = long_model(model_type)
    shorter, longer = multiplications(model, SHORTER), multiplications(model, LONGER)
    assert (longer < 2.2 * shorter) == (case_of(model_type).sparse is not None), (shorter, longer)


def multiplications(model: Model, length: int) -> int:
    """Of a call of one text."""
    with torch.no_grad():
        return counted(lambda: states(model, length), torch.device("cpu")).multiplications
