"""How layers run changes no result: with padding or without it, kept or computed again; of every architecture."""

import copy
import pickle
from collections.abc import Mapping
from threading import Thread
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.cases import case_of
from tests.models.labelled import tiny_model
from tests.models.test_outputs import ARCHITECTURES, ASKED, HEADS, inputs_of, real_places, same, total
from tests.models.tiny import random_ids
from tfx_core.errors import InputError
from tfx_core.model import Model
from tfx_core.nn import Attention, Stack


def seen_by_layers(model: Model, inputs: Mapping[str, Any]) -> list[tuple[int, ...]]:
    """The shapes of what layers are given in a call, the first ones' embeddings first."""
    shapes: list[tuple[int, ...]] = []
    layers = [layer for stack in model.modules() if isinstance(stack, Stack) for layer in stack.layers]
    handles = [
        layer.register_forward_pre_hook(lambda _, given: shapes.append(tuple(given[0].shape))) for layer in layers
    ]
    model(**inputs)
    for handle in handles:
        handle.remove()
    return shapes


@pytest.mark.parametrize(("model_type", "head"), HEADS)
def test_layers_see_rows_where_that_is_asked_for(model_type: str, head: str) -> None:
    model, inputs = tiny_model(model_type, head), inputs_of(model_type, head)
    expected = model(**inputs, **ASKED)
    assert model.packed
    assert any(len(shape) == 2 for shape in seen_by_layers(model, inputs)) == case_of(model_type).packs
    with model.padded():
        assert not model.packed
        assert {len(shape) for shape in seen_by_layers(model, inputs)} == {3}
        found = model(**inputs, **ASKED)
    assert model.packed
    assert list(found) == list(expected)
    same([found[0]], [expected[0]], real_places(expected, inputs["attention_mask"]))
    total(found).backward()


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_the_switch_is_the_models_own(model_type: str) -> None:
    model, inputs = tiny_model(model_type, "backbone"), inputs_of(model_type, "backbone")
    other, packed = tiny_model(model_type, "backbone"), seen_by_layers(model, inputs)
    model.packed = False
    padded = seen_by_layers(model, inputs)
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert not again.packed
        assert seen_by_layers(again, inputs) == padded
    for _ in range(3):
        seen: list[list[tuple[int, ...]]] = []
        thread = Thread(target=lambda: seen.append(seen_by_layers(other, inputs)))  # noqa: B023, it is waited for
        thread.start()
        assert seen_by_layers(model, inputs) == padded
        thread.join()
        assert seen == [packed]
    torch.compiler.reset()
    compiled: Any = torch.compile(model, backend="eager", fullgraph=case_of(model_type).one_graph)
    with torch.no_grad():
        same(compiled(**inputs).values(), other(**inputs).values(), inputs["attention_mask"])


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_generation_obeys_the_switch(model_type: str) -> None:
    heads = [head for name, head in HEADS if name == model_type and head in ("causal-lm", "conditional-generation")]
    if not heads:
        return
    model = tiny_model(model_type, heads[0])
    ids, mask = random_ids(model_type, 2, 5), torch.tensor([[1] * 5, [0, 0, 1, 1, 1]])
    options = {"attention_mask": mask, "max_new_tokens": 3}
    if not model.can_generate():
        model = tiny_model(model_type, heads[0], is_decoder=True)
    expected = model.generate(ids, **options)
    shapes: list[int] = []
    layer = next(each for each in model.modules() if isinstance(each, Stack)).layers[0]
    layer.register_forward_pre_hook(lambda _, given: shapes.append(given[0].dim()))
    with model.padded():
        assert model.generate(ids, **options).tolist() == expected.tolist()
    assert set(shapes) == {3}


def forgetful(model_type: str, head: str) -> Model:
    """A model in training, with dropout everywhere."""
    model = tiny_model(model_type, head).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.3
        if isinstance(module, Attention):
            module.dropout = 0.2
    return model


def learned(model: Model, inputs: Mapping[str, Any]) -> tuple[int, dict[str, Tensor | None]]:
    """How many tensors are kept for the backward pass, and the gradients of the loss and all that is reported."""
    kept: list[Tensor] = []
    model.zero_grad()
    torch.manual_seed(3)
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):  # type: ignore[func-returns-value]
        output = model(**inputs)
    loss = total(output)
    for name in ("attentions", "encoder_attentions", "cross_attentions"):
        loss = loss + sum(each.square().sum() for each in output.get(name, ()) if isinstance(each, Tensor))
    loss.backward()
    return len(kept), {name: each.grad for name, each in model.named_parameters()}


@pytest.mark.parametrize(("model_type", "head"), HEADS)
def test_what_is_computed_again_has_the_same_gradients(model_type: str, head: str) -> None:
    model, inputs = forgetful(model_type, head), inputs_of(model_type, head)
    heads = torch.rand(model.config.num_attention_heads) if head == "backbone" else None
    given = {**inputs, "head_mask": heads} if "head_mask" in model.input_names else inputs
    for call in (inputs, {**given, **ASKED}):
        kept, expected = learned(model, call)
        for options in (None, {"use_reentrant": True}, {"use_reentrant": False, "preserve_rng_state": True}):
            model.gradient_checkpointing_enable(options)
            assert model.is_gradient_checkpointing
            fewer, found = learned(model, call)
            # of layers that keep nothing as it is, there is nothing left to forget
            forgotten = case_of(model_type).reversible and call is inputs
            assert fewer == kept if forgotten else fewer < kept / 2
            for name, gradient in expected.items():
                assert (gradient is None) == (found[name] is None)
                assert gradient is None or torch.equal(gradient, found[name]), name
        again = pickle.loads(pickle.dumps(model))
        assert again.is_gradient_checkpointing
        model.gradient_checkpointing_disable()
        assert not model.is_gradient_checkpointing
        assert learned(model, call)[0] == kept


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_some_layers_are_computed_again_and_what_is_kept_may_be_kept_elsewhere(model_type: str) -> None:
    model, inputs = forgetful(model_type, "backbone"), inputs_of(model_type, "backbone")
    if case_of(model_type).reversible:
        inputs = {**inputs, **ASKED}  # without reports they keep nothing as it is
    kept, expected = learned(model, inputs)
    model.activation_checkpointing_enable(offload=True)
    fewest, found = learned(model, inputs)
    assert all(each is None or torch.equal(each, found[name]) for name, each in expected.items())
    model.activation_checkpointing_enable({"use_reentrant": True}, every_n_layers=2)
    assert model.is_activation_checkpointing
    fewer, found = learned(model, inputs)
    assert fewest < fewer < kept
    assert all(each is None or torch.equal(each, found[name]) for name, each in expected.items())
    model.activation_checkpointing_disable()
    assert learned(model, inputs)[0] == kept
    with pytest.raises(InputError, match="every_n_layers=0"):
        model.gradient_checkpointing_enable(every_n_layers=0)


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_only_training_computes_anything_again(model_type: str) -> None:
    model, inputs = tiny_model(model_type, "backbone"), inputs_of(model_type, "backbone")
    kept, _ = learned(model, inputs)
    model.gradient_checkpointing_enable()
    assert learned(model, inputs)[0] == kept
    with pytest.raises(TypeError, match="gradient_checkpointing_kwargs takes no 'use_rentrant'"):
        model.gradient_checkpointing_enable({"use_rentrant": True})


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_nothing_is_remembered_of_a_call_that_is_computed_twice(model_type: str) -> None:
    model, inputs = tiny_model(model_type, "backbone").train(), inputs_of(model_type, "backbone")
    if "use_cache" not in model.input_names:
        return
    model.gradient_checkpointing_enable()
    with pytest.warns(UserWarning, match="use_cache=True: nothing is remembered while gradient checkpointing is on"):
        assert "past_key_values" not in model(**inputs, use_cache=True)
    with pytest.raises(InputError, match="past_key_values: with gradient checkpointing"):
        model(**inputs, past_key_values=model.backbone.new_cache())
    with torch.no_grad():
        assert "past_key_values" in model(**inputs, use_cache=True)


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_gradients_reach_what_layers_read_though_nothing_below_learns(model_type: str) -> None:
    model, inputs = tiny_model(model_type, "backbone"), inputs_of(model_type, "backbone")
    model.requires_grad_(False)
    assert not model(**inputs).last_hidden_state.requires_grad
    model.enable_input_require_grads()
    output = model(**inputs, output_hidden_states=True)
    first = next(each for name, each in output.items() if name.endswith("hidden_states"))[0]
    assert torch.autograd.grad(output.last_hidden_state.square().sum(), first)[0].any()
    model.disable_input_require_grads()
    assert not model(**inputs).last_hidden_state.requires_grad
