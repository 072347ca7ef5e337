"""A model with another number of tokens gives the reference's numbers, whatever was tied."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.cases import cases
from tests.parity.test_models import faults, flat, uncached
from tfx_testing.parity.case import Case
from tfx_testing.parity.reference import read_reference, reference_model

HEADS = ("masked-lm", "causal-lm", "pretraining", "conditional-generation", "double-heads", "backbone")
CASES = [
    case
    for case in cases()
    if case.head in HEADS
    and case.variant.resized
    and case.architecture.reads == "text"
    and case.architecture.reference is None
    and (case.variant is case.architecture.variants[0] or case.config.get("tie_word_embeddings") is False)
]


def results(model: Any, inputs: dict[str, Any]) -> dict[str, Tensor]:
    with torch.no_grad():
        return {name: value for name, value in flat(model(**inputs)) if "mems" not in name}


@pytest.mark.parametrize(("size", "multiple"), [(57, None), (53, 16), (50, None)])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_resized_as_the_reference_is(case: Case, size: int, multiple: int | None, tmp_path: Path) -> None:
    reference = reference_model(case)
    reference.save_pretrained(tmp_path)
    model: Any = tfx_core.load_model(tmp_path)
    model.resize_token_embeddings(size, multiple)
    model.save_pretrained(tmp_path)
    again, report = read_reference(case, tmp_path)
    assert not faults(again, report)
    if "mean_resizing" in inspect.signature(reference.resize_token_embeddings).parameters:  # not in one from before
        reference.resize_token_embeddings(size, multiple)
        assert model.config.vocab_size == reference.config.vocab_size
        before = reference.state_dict()
        for name, tensor in again.state_dict().items():
            # new rows are drawn, so near to the mean that they are alike
            torch.testing.assert_close(tensor, before[name], rtol=1e-3, atol=1e-3)
    inputs = {
        name: x.clamp(max=size - 1) if name.endswith("_ids") else x for name, x in case.inputs(labels=False).items()
    }
    expected = results(again, {**inputs, **uncached(again)})
    for name, value in results(model, inputs).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=2e-5)
