"""Results of a text alone, in a batch and in narrow types are one, within the tolerance of the type: of every head."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.cases import readers_of_text
from tests.models.labelled import SIDES, WIDTH, Text, heads_with_a_loss, padded_batch, texts_of, tiny_model
from tests.models.test_outputs import HEADS, total
from tests.models.tiny import each_stream, random_ids, target_ids
from tfx_core.model import Model
from tfx_core.nn import padded_layouts
from tfx_testing.cases import CHOICE_HEADS, Inputs

TOLERANCE = {torch.float32: 1e-5, torch.float16: 0.01, torch.bfloat16: 0.05}
"""Of the largest number of a result, or of 1: how far any of its numbers may be from that in float32."""


def texts(model_type: str, head: str) -> list[Text]:
    """Without labels."""
    made = texts_of(model_type, "multiple-choice" if head in CHOICE_HEADS else "sequence-classification")
    return [Text({name: x for name, x in each.inputs.items() if name != "labels"}) for each in made]


def results(model: Model, inputs: Inputs) -> dict[str, Tensor]:
    """But those that say which answers are best, of which two may be equally good."""
    target = target_ids(model.config.model_type, model.head_name, len(inputs["input_ids"]))
    with torch.no_grad():
        output = model(**inputs, **target)
    found = {name: x for name, x in output.items() if isinstance(x, Tensor) and "_top_" not in name}
    if target or inputs["input_ids"].dim() == 3:
        return found
    parts = {name: each_stream(x, inputs["input_ids"].shape[1]) for name, x in found.items()}
    return {f"{name} {stream}": x for name, each in parts.items() for stream, x in enumerate(each)}


def of_text(value: Tensor, row: int, rows: int, columns: Tensor) -> Tensor:
    """One text's part of a padded batch's results, its choices together, at its own tokens."""
    value = value.view(rows, -1, *value.shape[1:])[row]
    for axis, size in enumerate(value.shape):
        if size == WIDTH:
            value = value.index_select(axis, columns)
    return value


def near(name: str, found: Tensor, expected: Tensor, dtype: torch.dtype) -> None:
    error, largest = (found.float() - expected).abs().max(), expected.abs().max().clamp(min=1)
    assert found.isfinite().all(), name
    assert error <= TOLERANCE[dtype] * largest, f"{name}: {float(error / largest):.2g} of the largest"


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("model_type", "head"), HEADS)
def test_a_text_is_the_same_alone_and_in_a_batch_in_any_type(model_type: str, head: str, dtype: torch.dtype) -> None:
    model, given = tiny_model(model_type, head), texts(model_type, head)
    expected = [results(model, text.inputs) for text in given]
    model.to(dtype)
    for text, wide in zip(given, expected, strict=True):
        for name, value in results(model, text.inputs).items():
            assert value.dtype == dtype, name
            near(name, value, wide[name], dtype)
    for side in SIDES:
        for name, value in results(model, padded_batch(given, side)).items():
            for row, (text, wide) in enumerate(zip(given, expected, strict=True)):
                own = of_text(value, row, len(given), text.columns(side))
                own = own[tuple(map(slice, wide[name].shape))]  # of fewer states than tokens, those of the text
                near(f"{name}, {side}", own.reshape(wide[name].shape), wide[name], dtype)


@pytest.mark.parametrize(("model_type", "head"), HEADS)
def test_autocast_computes_and_teaches_the_same(model_type: str, head: str) -> None:
    model: Any = tiny_model(model_type, head)
    labelled = (model_type, head) in heads_with_a_loss()
    inputs = padded_batch(texts_of(model_type, head) if labelled else texts(model_type, head), "left")
    inputs |= {} if labelled else target_ids(model_type, head, len(inputs["input_ids"]))
    found = []
    for enabled in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            output = model(**inputs)
        total(output).backward()
        gradients = {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}
        found.append((output, gradients))
    (output, gradients), (narrow, others) = found
    for name, value in narrow.items():
        if isinstance(value, Tensor) and "_top_" not in name:
            near(name, value.detach(), output[name].detach(), torch.bfloat16)
    assert others.keys() == gradients.keys()
    largest = max(each.abs().max() for each in gradients.values())
    for name, each in others.items():
        assert each.dtype == torch.float32
        assert (each - gradients[name]).abs().max() <= 0.1 * largest, name


@pytest.mark.parametrize(("model_type", "head"), HEADS)
def test_nothing_stays_narrow_in_a_model_that_is_made_wide_again(model_type: str, head: str, tmp_path: Path) -> None:
    model, given = tiny_model(model_type, head), padded_batch(texts(model_type, head), "left")
    model.save_pretrained(tmp_path)
    loaded = tfx_core.load_model(tmp_path, dtype="bfloat16")
    assert {each.dtype for each in loaded.parameters()} == {torch.bfloat16}
    results(loaded, given)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.bfloat16())
    for name, value in results(loaded.float(), given).items():
        torch.testing.assert_close(value, results(model, given)[name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("model_type", [spec.name for spec in readers_of_text()])
def test_in_the_widest_type_both_kernels_hide_padding_alike(model_type: str) -> None:
    """What padding itself is computed as, where it is, is a number too: nothing else would be left of the rest."""
    model, ids = tiny_model(model_type, "backbone").double(), random_ids(model_type, 2, 6)
    real = torch.tensor([[0, 0, 0, 1, 1, 1], [1, 1, 1, 1, 1, 1]])
    target = target_ids(model_type, "backbone", 2)
    with torch.no_grad(), padded_layouts():
        found, expected = (
            model(ids, attention_mask=real, attention=name, **target).last_hidden_state for name in ("eager", "sdpa")
        )
    assert found.isfinite().all()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
