"""Every architecture, variant and head gives the reference's numbers, in both directions.

The reference's tiny models have random weights with every parameter perturbed; they are saved, loaded here, compared,
written back, and read again by the reference.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import tfx_core
from tests.cases import cases
from tfx_core.model.model import Model
from tfx_core.nn import Memory
from tfx_testing.parity.case import Case, config_of
from tfx_testing.parity.reference import read_reference, reference_model

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
    wanted = {name: True for name in ("output_hidden_states", "output_attentions") if name in model.input_names}
    inputs = case.inputs()
    with torch.no_grad():
        theirs, ours = reference(**inputs, **wanted, **uncached(reference)), model(**inputs, **wanted)
    assert list(ours) == list(theirs)
    for name, value in flat(theirs):
        compare(name, dict(flat(ours))[name], value)


def test_outputs_on_real_tokens_of_a_padded_batch(case: Case, reference: Any, model: Model) -> None:
    inputs = case.inputs(padded=True, labels=False)
    mask = inputs.get("attention_mask", torch.ones(1, 1)).bool()
    with torch.no_grad():
        theirs = reference(**inputs, output_hidden_states=True, **uncached(reference))
        ours = model(**inputs, output_hidden_states=True)
    assert list(ours) == list(theirs)
    for name, value in flat(theirs):
        mine = dict(flat(ours))[name].reshape(value.shape)
        for rows in (mask, mask.flatten(0, -2), *of_streams(mask, value)):
            if value.shape[: rows.dim()] == rows.shape:
                value, mine = value[rows], mine[rows]
        compare(name, mine, value)


def test_gradients(case: Case, reference: Any, model: Model) -> None:
    inputs = case.inputs()
    reference.zero_grad()
    model.zero_grad()
    for output in (reference(**inputs, **uncached(reference)), model(**inputs)):
        scalar(output).backward()
    exported = as_the_reference_names_them(
        model, {name: gradient(parameter) for name, parameter in model.named_parameters(remove_duplicate=False)}
    )
    for name, parameter in reference.named_parameters():
        assert name in exported, f"{name} has no counterpart"
        compare(name, exported[name], gradient(parameter))


def test_the_folder_written_back_is_the_reference_model(
    case: Case, reference: Any, model: Model, tmp_path: Path
) -> None:
    model.save_pretrained(tmp_path)
    again, report = read_reference(case, tmp_path)
    assert not faults(again, report)
    before = reference.state_dict()
    for name, tensor in again.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_a_model_made_here_is_read_by_the_reference(case: Case, tmp_path: Path) -> None:
    config = {key: value for key, value in config_of(case).to_dict().items() if key in case.config}
    made = tfx_core.new_model(case.model_type, head=case.head, seed=3, **config).eval()
    made.save_pretrained(tmp_path)
    theirs, report = read_reference(case, tmp_path)
    assert not faults(theirs, report)
    inputs = case.inputs(labels=False)
    with torch.no_grad():
        ours = dict(flat(made(**inputs)))
        for name, value in flat(theirs(**inputs, **uncached(theirs))):
            compare(name, ours[name], value)


def of_streams(mask: Tensor, value: Tensor) -> Iterator[Tensor]:
    """Which states are of real tokens where each token ``(B, S)`` has several: ``(B, n·S)`` or ``(B, n, S)``."""
    if value.dim() > 2 and mask.dim() == 2:
        yield mask.repeat(1, value.shape[1] // mask.shape[1])
        yield mask[:, None].expand(-1, value.shape[1], -1)
        yield F.pad(mask, (max(0, value.shape[1] - mask.shape[1]), 0), value=True)  # after what is no text


def uncached(reference: Any) -> dict[str, bool]:
    """No cache in the reference: with one, some of its models misplace tokens, or cannot run without a source."""
    return {"use_cache": False} if "use_cache" in inspect.signature(reference.forward).parameters else {}


def faults(model: Any, report: dict[str, Any]) -> list[str]:
    """What the reference found wrong with a folder; names that share a tensor with a loaded one are not missing."""
    loaded = {tensor.data_ptr() for name, tensor in model.state_dict().items() if name not in report["missing_keys"]}
    missing = [name for name in report["missing_keys"] if model.state_dict()[name].data_ptr() not in loaded]
    return missing + [str(each) for key in ("unexpected_keys", "mismatched_keys", "error_msgs") for each in report[key]]


def gradient(parameter: Tensor) -> Tensor:
    """The gradient, zero where nothing reached the parameter."""
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def as_the_reference_names_them(model: Model, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by our parameters' names -> views of them by the names in a checkpoint."""
    table, named = model.weight_table, {}
    for ours, tensor in tensors.items():
        found = table.find(model.head_name, ours)
        if found is not None:  # a table in two places has its rule for one of them
            _, rule, sources = found
            for each, view in zip(sources, rule.views(tensor), strict=True):
                names = {each, *table.written_names(each)}
                named.update({table.stored_name(model.head_name, name): view for name in names})
    return named


def flat(output: Any) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors of an output, tuples taken apart, caches left out."""
    for name, value in output.items():
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, tuple | Memory):
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
