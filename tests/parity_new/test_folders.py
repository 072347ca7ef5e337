"""Folders that the reference's present version writes are read here, with its numbers, and it reads those of ours."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import tfx_core
from tests.cases import architectures, case_of, prophetnet
from tfx_core.model import Model, load_architecture
from tfx_testing.parity.case import Case, config_of
from tfx_testing.parity.comparing import compare, faults, flat, uncached
from tfx_testing.parity.reference import read_reference, reference_model

if not transformers.__version__.startswith("5."):
    raise RuntimeError(f"these tests compare with transformers 5, this environment has {transformers.__version__}")


def with_its_bias(model: Any) -> None:
    """This version has a bias that it does not add."""
    if hasattr(model, "lm_head"):
        model.lm_head.decoder.bias = model.lm_head.bias


MENDED: dict[str, Callable[[Any], None]] = {"prophetnet": prophetnet.mended, "reformer": with_its_bias}


def classes() -> Iterator[Case]:
    """Every class of every registered architecture that it still has, with the head's first variant.

    Without what mends the reference elsewhere: that is for another version, and texts are not padded here.
    """
    for spec in architectures():
        for name, head in spec.hf_classes.items():
            if hasattr(transformers, name) and name == load_architecture(spec.name).class_of(head):
                variants = (each for each in case_of(spec.name).variants if each.heads is None or head in each.heads)
                named = replace(next(variants), name=name, patch=None, heads_of_reference={head: name})
                yield Case(case_of(spec.name), named, head)


@pytest.fixture(params=list(classes()), ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    chosen: Case = request.param
    return chosen


def same_numbers(case: Case, ours: Model, theirs: Any) -> None:
    inputs = case.inputs(labels=False)
    if case.head == "double-heads":
        del inputs["attention_mask"]  # of nothing but ones, and GPT's cannot have an axis of choices
    if case.model_type in MENDED:
        MENDED[case.model_type](theirs)
    with torch.no_grad():
        mine, its = dict(flat(ours(**inputs))), dict(flat(theirs(**inputs, **uncached(theirs))))
    assert its
    for name, value in its.items():
        compare(name, mine[name], value)


def test_what_it_writes_is_read(case: Case, tmp_path: Path) -> None:
    reference = reference_model(case)
    reference.save_pretrained(tmp_path)
    model = tfx_core.load_model(tmp_path)
    assert model.head_name == case.head
    same_numbers(case, model, reference)


def test_what_is_written_here_it_reads(case: Case, tmp_path: Path) -> None:
    config = {key: value for key, value in config_of(case).to_dict().items() if key in case.config}
    model = tfx_core.new_model(case.model_type, head=case.head, seed=3, **config).eval()
    model.save_pretrained(tmp_path)
    reference, report = read_reference(case, tmp_path)
    unknown = {"lm_head.decoder.bias"} if case.model_type in MENDED else set()
    assert not {*faults(reference, report)} - unknown
    same_numbers(case, model, reference)
