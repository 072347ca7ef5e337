"""Texts packed into a row, told by positions that begin again: each is as it is alone, in training too."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.cases import readers_of_text
from tests.models.labelled import tiny_model
from tests.models.tiny import random_ids
from tfx_core.model import Model
from tfx_core.nn import eager, sdpa
from tfx_testing.cases import CHOICE_HEADS

LENGTHS = (5, 1, 7, 3)
HEADS = [(spec.name, head) for spec in readers_of_text() for head in ("backbone", *spec.heads)]


@pytest.fixture(params=HEADS, ids="-".join)
def model(request: pytest.FixtureRequest) -> Model | None:
    """A tiny model that reads positions and says something of each token; ``None`` for others."""
    made = tiny_model(*request.param)
    return made if "position_ids" in made.input_names and request.param[1] not in CHOICE_HEADS else None


def texts(model: Model, lengths: tuple[int, ...] = LENGTHS) -> list[Tensor]:
    return [random_ids(model.config.model_type, 1, length, seed) for seed, length in enumerate(lengths)]


def in_a_row(model: Model, parts: list[Tensor]) -> dict[str, Tensor]:
    """As `transformers.DataCollatorWithFlattening` makes it, but for labels and for where a model's positions begin."""
    positions = [torch.arange(part.shape[1])[None] + model.backbone.first_position for part in parts]
    return {"input_ids": torch.cat(parts, dim=1), "position_ids": torch.cat(positions, dim=1)}


def of_tokens(output: Any) -> list[Tensor]:
    """The results for each token."""
    total = output.last_hidden_state.shape[1]
    names = ("last_hidden_state", "logits", "start_logits", "end_logits", "prediction_logits")
    found = [getattr(output, name) for name in names if name in output or name == "last_hidden_state"]
    return [each for each in found if each.dim() > 1 and each.shape[1] == total]


@pytest.mark.parametrize("kernel", [sdpa, eager])
def test_packed_texts_do_not_see_each_other(model: Model | None, kernel: Any) -> None:
    if model is None:
        return
    parts = texts(model)
    with torch.no_grad():
        packed = of_tokens(model(**in_a_row(model, parts), attention=kernel))
        alone = [of_tokens(model(part, attention=kernel)) for part in parts]
        together = of_tokens(model(in_a_row(model, parts)["input_ids"], attention=kernel))
    for number, each in enumerate(packed):
        torch.testing.assert_close(each, torch.cat([one[number] for one in alone], dim=1), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(packed[0], together[0], atol=1e-3)


def test_a_row_may_begin_within_a_text(model: Model | None) -> None:
    """As where a stream of texts is cut into rows of one length."""
    if model is None:
        return
    first, second = texts(model, (3, 5))
    begin = model.backbone.first_position
    moved, plain = torch.tensor([[4, 5, 6]]) + begin, torch.arange(second.shape[1])[None] + begin
    with torch.no_grad():
        packed = of_tokens(model(torch.cat((first, second), dim=1), position_ids=torch.cat((moved, plain), dim=1)))
        alone = [of_tokens(model(first, position_ids=moved)), of_tokens(model(second))]
    for number, each in enumerate(packed):
        torch.testing.assert_close(each, torch.cat([one[number] for one in alone], dim=1), atol=1e-5, rtol=1e-4)


def test_packed_texts_teach_what_they_teach_alone(model: Model | None) -> None:
    if model is None or model.head_name not in ("causal-lm", "masked-lm"):
        return
    parts = texts(model)
    labels = [part.masked_fill(torch.arange(part.shape[1]) == 0, -100) for part in parts]
    model(**in_a_row(model, parts), labels=torch.cat(labels, dim=1)).loss.backward()
    packed = {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}
    model.zero_grad()
    counted = sum(LENGTHS) - len(LENGTHS)
    for part, own in zip(parts, labels, strict=True):
        if part.shape[1] > 1:
            (model(part, labels=own).loss * (part.shape[1] - 1) / counted).backward()
    for name, each in model.named_parameters():
        if each.grad is not None:
            torch.testing.assert_close(packed[name], each.grad, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize(
    "positions", [[1, 2, 3, 4, 5, 6], [0, 1, 2, 2, 3, 4], [0, 0, 0, 0, 0, 0], [5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5]]
)
def test_other_positions_only_move_tokens(model: Model | None, positions: list[int]) -> None:
    if model is None:
        return
    ids, given = texts(model, (6,))[0], torch.tensor([positions]) + model.backbone.first_position
    mask = torch.ones_like(ids)
    with torch.no_grad():
        plain, masked = (of_tokens(model(ids, position_ids=given, **more)) for more in ({}, {"attention_mask": mask}))
    for one, other in zip(plain, masked, strict=True):
        torch.testing.assert_close(one, other)


def test_a_mask_or_a_cache_says_that_a_row_is_one_text(model: Model | None) -> None:
    if model is None:
        return
    row = in_a_row(model, texts(model))
    asked: list[dict[str, Any]] = [{"attention_mask": torch.ones_like(row["input_ids"])}]
    if model.backbone.causal:
        asked.append({"use_cache": True})
    with torch.no_grad():
        packed, *others = (of_tokens(model(**row, **more))[0] for more in ({}, *asked))
    assert all(not torch.allclose(packed, each, atol=1e-3) for each in others)


def test_several_rows_may_be_packed_and_compiled(model: Model | None) -> None:
    if model is None or model.head_name != "backbone":
        return
    row, other = in_a_row(model, texts(model)), in_a_row(model, list(reversed(texts(model))))
    both = {name: torch.cat((row[name], other[name])) for name in row}
    with torch.no_grad():
        together = model(**both).last_hidden_state
        apart = [model(**each).last_hidden_state for each in (row, other)]
        torch.compiler.reset()
        compiled = torch.compile(model, backend="eager")
        torch.testing.assert_close(compiled(**both).last_hidden_state, together)
        moved = {**both, "position_ids": both["position_ids"] + 1}
        torch.testing.assert_close(compiled(**moved).last_hidden_state, model(**moved).last_hidden_state)
    torch.testing.assert_close(together, torch.cat(apart))
