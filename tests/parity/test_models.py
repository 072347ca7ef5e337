"""Every architecture, variant and head gives the reference's numbers, in both directions.

The reference's tiny models have random weights with every parameter perturbed; they are saved, loaded here, compared,
written back, and read again by the reference.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tfx_core
import torch
from tfx_core.model import Model
from torch import Tensor

from tests.parity.case import Case, cases, config_of
from tests.parity.reference import read_reference, reference_model

CASES = list(cases())
TOLERANCE = {"rtol": 1e-4, "atol": 2e-5}


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    chosen: Case = request.param
    return chosen


@pytest.fixture(scope="module")
def folder(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reference")


@pytest.fixture(scope="module")
def reference(case: Case, folder: Path) -> Any:
    model = reference_model(case)
    model.save_pretrained(folder)
    return model


@pytest.fixture(scope="module")
def model(case: Case, reference: Any, folder: Path) -> Model:
    return tfx_core.load_model(folder)


def test_the_stored_head_is_the_one_that_is_loaded(case: Case, model: Model) -> None:
    assert model.head_name == case.head
    assert model.num_parameters() > 0


def test_outputs_and_loss(case: Case, reference: Any, model: Model) -> None:
    wanted = {"output_hidden_states": True, "output_attentions": True}
    inputs = case.inputs()
    with torch.no_grad():
        theirs, ours = reference(**inputs, **wanted), model(**inputs, **wanted)
    for name, value in flat(theirs):
        compare(name, dict(flat(ours))[name], value)


def test_outputs_on_real_tokens_of_a_padded_batch(case: Case, reference: Any, model: Model) -> None:
    inputs = case.inputs(padded=True, labels=False)
    mask = inputs["attention_mask"].bool()
    wanted: dict[str, bool] = {"output_hidden_states": True}
    if "use_cache" in inspect.signature(reference.forward).parameters:
        wanted["use_cache"] = False  # with a cache the reference gives all of a text's queries the last one's distances
    with torch.no_grad():
        theirs, ours = reference(**inputs, **wanted), model(**inputs, **wanted)
    for name, value in flat(theirs):
        mine = dict(flat(ours))[name].reshape(value.shape)
        for rows in (mask, mask.flatten(0, -2)):
            if value.shape[: rows.dim()] == rows.shape:
                value, mine = value[rows], mine[rows]
        compare(name, mine, value)


def test_gradients(case: Case, reference: Any, model: Model) -> None:
    inputs = case.inputs()
    reference.zero_grad()
    model.zero_grad()
    for output in (reference(**inputs), model(**inputs)):
        scalar(output).backward()
    exported = as_the_reference_names_them(
        model, {name: gradient(parameter) for name, parameter in model.named_parameters()}
    )
    for name, parameter in reference.named_parameters():
        assert name in exported, f"{name} has no counterpart"
        compare(name, exported[name], gradient(parameter))


def test_the_folder_written_back_is_the_reference_model(
    case: Case, reference: Any, model: Model, tmp_path: Path
) -> None:
    model.save_pretrained(tmp_path)
    again, report = read_reference(case, tmp_path)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")), report
    before = reference.state_dict()
    for name, tensor in again.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_a_model_made_here_is_read_by_the_reference(case: Case, tmp_path: Path) -> None:
    config = {key: value for key, value in config_of(case).to_dict().items() if key in case.config}
    made = tfx_core.new_model(case.model_type, head=case.head, seed=3, **config).eval()
    made.save_pretrained(tmp_path)
    theirs, report = read_reference(case, tmp_path)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")), report
    inputs = case.inputs(labels=False)
    with torch.no_grad():
        ours = dict(flat(made(**inputs)))
        for name, value in flat(theirs(**inputs)):
            compare(name, ours[name], value)


def gradient(parameter: Tensor) -> Tensor:
    """The gradient, zero where nothing reached the parameter."""
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def as_the_reference_names_them(model: Model, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by our parameters' names -> views of them by the names in a checkpoint."""
    table, named = model.weight_table, {}
    for ours, tensor in tensors.items():
        found = table.find(model.head_name, ours)
        assert found is not None, f"{ours} has no rule"
        _, rule, sources = found
        named.update(
            zip((table.stored_name(model.head_name, each) for each in sources), rule.views(tensor), strict=True)
        )
    return named


def flat(output: Any) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors of an output, tuples taken apart, caches left out."""
    for name, value in output.items():
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, tuple):
            yield from ((f"{name}.{place}", each) for place, each in enumerate(value) if isinstance(each, Tensor))


def scalar(output: Any) -> Tensor:
    """The loss, or for a bare backbone something that every parameter reaches."""
    if output.get("loss") is not None:
        loss: Tensor = output["loss"]
        return loss
    return sum((value.square().mean() for name, value in flat(output) if "." not in name), torch.zeros(()))


def compare(name: str, ours: Tensor, theirs: Tensor) -> None:
    # a bare backbone of the reference keeps the axis of choices in its last state alone
    ours = ours.reshape(theirs.shape) if ours.numel() == theirs.numel() else ours
    torch.testing.assert_close(ours, theirs, **TOLERANCE, msg=lambda said: f"{name}: {said}")
