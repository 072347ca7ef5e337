"""What looks into models and their outputs finds what it looks for: of every architecture and head."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils import _pytree as pytree
from torch.utils.checkpoint import checkpoint

from tests.cases import readers_of_text
from tests.models.labelled import Text, heads_with_a_loss, padded_batch, texts_of, tiny_model
from tests.models.tiny import each_stream, random_ids, target_ids
from tfx_core.model import Model, ModelOutput
from tfx_core.nn import Memory
from tfx_testing.cases import Inputs

ARCHITECTURES = [spec.name for spec in readers_of_text()]
HEADS = [(spec.name, head) for spec in readers_of_text() for head in ("backbone", *spec.heads)]
ASKED = {"output_hidden_states": True, "output_attentions": True}


def inputs_of(model_type: str, head: str, *, labels: bool = True) -> Inputs:
    """A padded batch, with labels where the head has any and they are wanted."""
    if labels and (model_type, head) in heads_with_a_loss():
        return padded_batch(texts_of(model_type, head), "right")
    like = "multiple-choice" if head in ("multiple-choice", "double-heads") else "sequence-classification"
    texts = [
        Text({name: x for name, x in each.inputs.items() if name != "labels"}) for each in texts_of(model_type, like)
    ]
    made = padded_batch(texts, "right")
    return {**made, **target_ids(model_type, head, len(made["input_ids"]))}


def total(output: ModelOutput) -> Tensor:
    """The loss, or what stands for one."""
    if output.loss is not None:
        return output.loss
    name = next(name for name in ("last_hidden_state", "pooler_output", "relevance_logits") if name in output)
    square: Tensor = output[name].square().mean()
    return square


def same(found: Any, expected: Any, mask: Tensor) -> None:
    """Compare results; where there is a place for each token, at those that are real in ``mask``."""
    for one, other in zip(found, expected, strict=True):
        if isinstance(other, Memory):
            assert isinstance(one, Memory)
            same(one.layers, other.layers, other.real.dense_mask)
            continue
        ours, theirs = (each_stream(each, mask.shape[1]) if mask.dim() == 2 else [each] for each in (one, other))
        for stream, expected_stream in zip(ours, theirs, strict=True):
            real = mask.bool() if stream.shape[: mask.dim()] == mask.shape else ...
            torch.testing.assert_close(stream[real], expected_stream[real], rtol=1e-4, atol=1e-5)


def real_places(output: ModelOutput, mask: Tensor) -> Tensor:
    """The mask of the tokens, or of the states where these are the result, and may be fewer."""
    return mask if output.token_mask is None or "last_hidden_state" not in output else output.token_mask


@pytest.mark.parametrize(("model_type", "head"), HEADS)
def test_a_model_is_exported(model_type: str, head: str) -> None:
    model, inputs = tiny_model(model_type, head), inputs_of(model_type, head, labels=False)
    # what is exported strictly is read from the code itself: that takes its time, and is alike for all heads
    for strict in (False, True) if head == "backbone" else (False,):
        with torch.no_grad():
            program = torch.export.export(model, (), inputs, strict=strict)
            expected, found = model(**inputs), program.module()(**inputs)
        assert type(found) is type(expected)
        assert list(found) == list(expected)
        same(found.values(), expected.values(), real_places(expected, inputs["attention_mask"]))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_a_model_is_traced_whatever_is_padding(model_type: str) -> None:
    model, names = tiny_model(model_type, "backbone"), ("input_ids", "attention_mask", "decoder_input_ids")

    class States(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *given: Tensor) -> Tensor:
            states: Tensor = self.model(**dict(zip(names, given, strict=False)), return_dict=False)[0]
            return states

    target = [random_ids(model_type, 3, 5)] if "decoder_input_ids" in model.input_names else []
    traced: Any = torch.jit.trace(States(), (random_ids(model_type, 3, 5), torch.ones(3, 5), *target), strict=False)
    mask = torch.tensor([[1] * 5, [1, 1, 1, 0, 0], [0, 1, 1, 1, 1]])
    given = random_ids(model_type, 3, 5, seed=1), mask, *target
    same([traced(*given)], [States()(*given)], mask if not target else torch.ones(3, 5))


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[None]:
    """A group of this process, which needs a file to meet itself and no network."""
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_a_model_is_trained_in_parallel_though_some_parameters_are_not_used(model_type: str) -> None:
    for head in [head for name, head in HEADS if name == model_type]:
        model, inputs = tiny_model(model_type, head), inputs_of(model_type, head)
        total(model(**inputs)).backward()
        expected = {name: each.grad for name, each in model.named_parameters()}
        model.zero_grad()
        unused = nn.Parameter(torch.zeros(3))
        model.register_parameter("unused", unused)
        parallel = DistributedDataParallel(model, find_unused_parameters=True)
        for _ in range(2):  # the second call fails where the first has lost sight of one
            model.zero_grad()
            output = parallel(**inputs, **ASKED)
            assert isinstance(output, ModelOutput)
            total(output).backward()
        for name, gradient in expected.items():
            if gradient is not None:
                torch.testing.assert_close(model.get_parameter(name).grad, gradient, rtol=1e-4, atol=1e-5)
        assert unused.grad is None or not unused.grad.any()


@pytest.mark.parametrize(("model_type", "head"), HEADS)
def test_an_output_is_rebuilt_from_its_parts(model_type: str, head: str) -> None:
    model, inputs = tiny_model(model_type, head), inputs_of(model_type, head)
    output = model(**inputs, **ASKED)
    leaves, spec = pytree.tree_flatten(output)
    assert all(each is None or isinstance(each, Tensor) for each in leaves)
    rebuilt = [
        pytree.tree_unflatten(leaves, spec),
        type(output)({name: value for name, value in output.items()}),  # noqa: C416, as accelerate does it
        type(output)(**output),
        type(output)((name, output[name]) for name in output),  # as data-parallel training gathers them
        copy.copy(output),
        output.updated(),
    ]
    for each in rebuilt:
        assert type(each) is type(output)
        assert list(each) == list(output)
        assert all(one is other for one, other in zip(pytree.tree_leaves(each), leaves, strict=True))
    halves: Any = pytree.tree_map(lambda x: x.half() if isinstance(x, Tensor) and x.is_floating_point() else x, output)
    assert type(halves) is type(output)
    for value in halves.values():
        assert not isinstance(value, Memory) or value.layers[0].dtype == torch.half
    assert output.to_tuple() == tuple(output[name] for name in output)
    assert model(**inputs, **ASKED, return_dict=False)[0].equal(output[0])


@pytest.mark.parametrize(("model_type", "head"), HEADS)
def test_a_copy_of_an_output_has_tensors_of_its_own(model_type: str, head: str) -> None:
    with torch.no_grad():
        output = tiny_model(model_type, head)(**inputs_of(model_type, head))
    again = copy.deepcopy(output)
    assert type(again) is type(output)
    assert list(again) == list(output)
    assert again[0] is not output[0]
    assert torch.equal(again[0], output[0])


@pytest.mark.filterwarnings("ignore:.*[Bb]ackward hook:UserWarning")  # of what gives no tensor, and of ids
@pytest.mark.parametrize(("model_type", "head"), HEADS)
def test_every_module_may_be_hooked(model_type: str, head: str) -> None:
    model, seen = tiny_model(model_type, head).train(), set()
    for name, module in model.named_modules():
        module.register_full_backward_hook(lambda *_, name=name: seen.add(name))
    total(model(**inputs_of(model_type, head))).backward()
    assert any("layers" in name for name in seen)


@pytest.mark.parametrize(("model_type", "head"), HEADS)
def test_a_call_with_other_parameters_or_computed_twice_is_the_same(model_type: str, head: str) -> None:
    model, inputs = tiny_model(model_type, head), inputs_of(model_type, head)
    expected = model(**inputs)
    parameters = {name: each.detach().clone() for name, each in model.named_parameters()}
    functional = torch.func.functional_call(model, parameters, (), inputs)
    twice: Any = checkpoint(lambda: model(**inputs), use_reentrant=False)
    for found in (functional, twice):
        same(found.values(), expected.values(), inputs["attention_mask"])
    total(twice).backward()
    assert any(each.grad is not None for each in model.parameters())


def test_what_reads_a_models_attributes_may_read_all() -> None:
    of_some = {"language_head", "prepare_decoder_input_ids_from_labels"}
    for model_type, head in HEADS:
        model: Model = tiny_model(model_type, head)
        assert all(hasattr(model, name) or name in of_some for name in dir(model) if name[0] != "_")
