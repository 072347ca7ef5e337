"""What each objective trains is written as the reference reads it, and gives the reference's numbers there."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.cases import case_of
from tests.parity.test_models import compare, faults, flat, uncached
from tests.pretraining.case import Tried
from tests.pretraining.test_objectives import PAIRS, examples
from tfx_core import Model
from tfx_core.model import load_architecture
from tfx_core.model.heads import IGNORED
from tfx_testing.parity.case import Case
from tfx_testing.parity.reference import read_reference

WITHOUT = {("convbert", "pretraining"): "the discriminator, which the reference left behind"}
"""Architecture and head that the reference has no class for, and what that is."""

UNLABELLED = {"segments": "the reference takes no label of the token behind a segment"}
"""Objectives whose logits alone are compared, and why."""


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def tried(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    name, model_type = request.param
    return Tried(name, model_type, tmp_path_factory.mktemp("tokenizer"))


def heard(models: Mapping[str, Model]) -> dict[str, dict[str, Any]]:
    """By role, what the model is called with the next time, and each time after that."""
    inputs: dict[str, dict[str, Any]] = {}

    def listening(role: str) -> Callable[..., None]:
        def listen(_: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            assert not given
            inputs[role] = named

        return listen

    for role, model in models.items():
        model.register_forward_pre_hook(listening(role), with_kwargs=True)
    return inputs


def test_the_reference_reads_what_was_trained(tried: Tried, tmp_path: Path) -> None:
    models = tried.models()
    train(tried, models)
    inputs = heard(models)
    batch = tried.objective.batch(examples(tried, 1))
    with torch.no_grad():
        tried.objective.trainee(models).eval()(batch)
    assert inputs.keys() == models.keys()
    for role, model in models.items():
        model.save_pretrained(tmp_path / role)
        if (model.config.model_type, model.head_name) in WITHOUT:
            assert load_architecture(model.config.model_type).class_of(model.head_name) is None
            continue
        theirs, report = read_reference(case_of_model(model), tmp_path / role)
        assert not faults(theirs, report)
        compared = {name: x for name, x in inputs[role].items() if name != "labels" or tried.name not in UNLABELLED}
        compare_outputs(theirs, model, compared)


def train(tried: Tried, models: Mapping[str, Model]) -> None:
    """Two updates."""
    trainee = tried.objective.trainee(models).train()
    optimizer = torch.optim.SGD([each for each in trainee.parameters() if each.requires_grad], 0.1)
    for epoch in range(2):
        outcome = trainee(tried.objective.batch(examples(tried, epoch)))
        optimizer.zero_grad()
        sum(outcome.losses.values(), torch.zeros(())).backward()
        optimizer.step()


def case_of_model(model: Model) -> Case:
    """A trained model as a case of parity, with what mends the reference where it is known to be wrong."""
    model_type, head = model.config.model_type, model.head_name
    known = next(each for each in case_of(model_type).variants if each.heads is None or head in each.heads)
    return Case(case_of(model_type), replace(known, changes=model.config.to_dict()), head)


def compare_outputs(theirs: Any, ours: Model, inputs: dict[str, Any]) -> None:
    """Loss and logits of real tokens are the reference's, of those inputs that it takes."""
    takes = inspect.signature(theirs.forward).parameters
    everything = {"attention_mask": torch.ones_like(inputs["input_ids"])}
    given = {name: x for name, x in {**everything, **inputs}.items() if name in takes}
    with torch.no_grad():
        reference, output = dict(flat(theirs(**{**given, **uncached(theirs)}))), dict(flat(ours(**given)))
    compared = [name for name in reference.keys() & output.keys() if name == "loss" or "logits" in name]
    assert compared
    for name in compared:
        value, mine = reference[name], output[name]
        for real in real_places(given):
            if value.shape[: real.dim()] == real.shape:
                value, mine = value[real], mine[real]
        compare(name, mine, value)


def real_places(inputs: dict[str, Any]) -> Iterator[Tensor]:
    """Which places of the outputs mean something."""
    for name in ("decoder_attention_mask", "attention_mask"):
        if inputs.get(name) is not None:
            yield inputs[name].bool()
    if inputs.get("labels") is not None:
        yield inputs["labels"] != IGNORED
