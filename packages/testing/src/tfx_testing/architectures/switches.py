"""How layers run changes no result: with padding or without it, kept or computed again."""

import copy
import pickle
from collections.abc import Mapping, Sequence
from threading import Thread
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tfx_core.model import Model
from tfx_core.nn import Attention, Stack
from tfx_testing.architectures.base import CaseChecks, heads
from tfx_testing.cases import ArchitectureCase
from tfx_testing.checks import each
from tfx_testing.inputs import ASKED, inputs_of, real_places, same, total
from tfx_testing.refusing import refused
from tfx_testing.tiny import random_ids, tiny_model


def plain_writers(cls: type[CaseChecks]) -> Sequence[str]:
    """The first head that writes as most do."""
    return [head for head in cls.heads() if head in ("causal-lm", "conditional-generation")][:1]


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


def forgetful(case: ArchitectureCase, head: str) -> Model:
    """A model in training, with dropout everywhere."""
    model = tiny_model(case, head).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.3
        if isinstance(module, Attention):
            module.dropout = 0.2
    return model


def learned(model: Model, inputs: Mapping[str, Any]) -> tuple[int, dict[str, Tensor | None]]:
    """How many tensors are kept for the backward pass, and the gradients of the loss and all that is reported."""
    kept: list[Tensor] = []

    def keep(x: Tensor) -> Tensor:
        kept.append(x)
        return x

    model.zero_grad()
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(3)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            output = model(**inputs)
        loss = total(output)
        for name in ("attentions", "encoder_attentions", "cross_attentions"):
            loss = loss + sum(each.square().sum() for each in output.get(name, ()) if isinstance(each, Tensor))
        loss.backward()
    return len(kept), {name: each.grad for name, each in model.named_parameters()}


def alike(found: Mapping[str, Tensor | None], expected: Mapping[str, Tensor | None], what: str) -> None:
    """Fail unless gradients are the same, bit by bit."""
    for name, gradient in expected.items():
        other = found[name]
        assert (gradient is None) == (other is None), f"{what}: {name} has a gradient in one of the two only"
        if gradient is not None and other is not None:
            assert torch.equal(gradient, other), f"{what}: {name} has another gradient"


class SwitchChecks(CaseChecks):
    """``packed``, gradient checkpointing, and gradients of inputs."""

    @each(head=heads)
    def test_layers_see_rows_where_that_is_asked_for(self, head: str) -> None:
        """Layers see the tokens of a padded batch alone; within ``model.padded()`` they see rows with their padding.

        Where they do not: the model has its layers not in a `tfx_core.nn.Stack`, or packs by itself. A model whose
        layers always see rows says ``packs=False`` in its case.
        """
        model, inputs = tiny_model(self.case, head), inputs_of(self.case, head)
        expected = model(**inputs, **ASKED)
        states = [model.packed]
        packs = any(len(shape) == 2 for shape in seen_by_layers(model, inputs))
        assert packs == self.case.packs, f"layers see {'tokens alone' if packs else 'rows'}"
        with model.padded():
            states.append(model.packed)
            seen = {len(shape) for shape in seen_by_layers(model, inputs)}
            assert seen == {3}, "within model.padded() layers see something else than rows (B, S, D)"
            found = model(**inputs, **ASKED)
        states.append(model.packed)
        assert states == [True, False, True], f"before model.padded(), within it and after it packed is {states}"
        assert list(found) == list(expected)
        same([found[0]], [expected[0]], real_places(expected, inputs["attention_mask"]), "layers see rows")
        total(found).backward()

    def test_the_switch_is_the_models_own(self) -> None:
        """``model.packed`` is that of one model: copies keep it, and another one in another thread has its own.

        Where it is not: the layout is a global, or a class's attribute that is written to.
        """
        case = self.case
        model, inputs = tiny_model(case, "backbone"), inputs_of(case, "backbone")
        other, packed = tiny_model(case, "backbone"), seen_by_layers(model, inputs)
        model.packed = False
        padded = seen_by_layers(model, inputs)
        for how, again in (("copied", copy.deepcopy(model)), ("pickled", pickle.loads(pickle.dumps(model)))):
            assert not again.packed, f"{how}, a model has lost packed=False"
            assert seen_by_layers(again, inputs) == padded
        for _ in range(3):
            seen: list[list[tuple[int, ...]]] = []
            thread = Thread(target=lambda: seen.append(seen_by_layers(other, inputs)))  # noqa: B023, it is waited for
            thread.start()
            assert seen_by_layers(model, inputs) == padded, "another model in another thread changed the layout"
            thread.join()
            assert seen == [packed], "another model took over the layout"

    @each(head=plain_writers)
    def test_generation_obeys_the_switch(self, head: str) -> None:
        """Within ``model.padded()`` `generate` writes the same, and layers see rows.

        Where it does not: the decoding state calls modules below the backbone, which know nothing of the
        switch.
        """
        model = tiny_model(self.case, head)
        ids, mask = random_ids(self.case, 2, 5), torch.tensor([[1] * 5, [0, 0, 1, 1, 1]])
        if not model.can_generate():
            model = tiny_model(self.case, head, is_decoder=True)
        expected = model.generate(ids, attention_mask=mask, max_new_tokens=3)
        shapes: list[int] = []
        layer = next(each for each in model.modules() if isinstance(each, Stack)).layers[0]
        layer.register_forward_pre_hook(lambda _, given: shapes.append(given[0].dim()))
        with model.padded():
            assert model.generate(ids, attention_mask=mask, max_new_tokens=3).tolist() == expected.tolist()
        assert set(shapes) == {3}, "within model.padded() layers see something else than rows (B, S, D)"

    @each(head=heads)
    def test_what_is_computed_again_has_the_same_gradients(self, head: str) -> None:
        """Gradient checkpointing keeps less than half, and the gradients are the same ones, with dropout as well.

        Where they are not: layers change what they are given, draw numbers from a generator of their own, or hand on
        state beside what they return. Where no less is kept: layers stand not in a `tfx_core.nn.Stack`.
        """
        case = self.case
        model, inputs = forgetful(case, head), inputs_of(case, head)
        given, config = dict(inputs), _config(model)
        if head == "backbone" and "head_mask" in model.input_names:
            given["head_mask"] = torch.rand(config.num_attention_heads, generator=torch.Generator().manual_seed(4))
        for call in (inputs, {**given, **ASKED}):
            kept, expected = learned(model, call)
            for options in (None, {"use_reentrant": True}, {"use_reentrant": False, "preserve_rng_state": True}):
                model.gradient_checkpointing_enable(options)
                assert _checkpoints(model)
                fewer, found = learned(model, call)
                # of layers that keep nothing as it is, there is nothing left to forget
                forgotten = case.reversible and call is inputs
                told = f"{fewer} tensors are kept of {kept} without checkpointing"
                assert fewer == kept if forgotten else fewer < kept / 2, told
                alike(found, expected, f"gradient checkpointing with {options or 'defaults'}")
            assert pickle.loads(pickle.dumps(model)).is_gradient_checkpointing
            model.gradient_checkpointing_disable()
            assert not _checkpoints(model)
            assert learned(model, call)[0] == kept, "disabled, checkpointing still forgets"

    def test_some_layers_are_computed_again_and_what_is_kept_may_be_kept_elsewhere(self) -> None:
        """Every second layer may be computed again, and activations be offloaded; gradients are the same ones.

        Where they are not: layers stand not in a `tfx_core.nn.Stack`, or draw numbers from a generator of their
        own.
        """
        model, inputs = forgetful(self.case, "backbone"), dict(inputs_of(self.case, "backbone"))
        asked: dict[str, Any] = {**inputs, **ASKED} if self.case.reversible else inputs  # else nothing is kept as it is
        kept, expected = learned(model, asked)
        model.activation_checkpointing_enable(offload=True)
        fewest, found = learned(model, asked)
        alike(found, expected, "offloaded")
        model.activation_checkpointing_enable({"use_reentrant": True}, every_n_layers=2)
        assert model.is_activation_checkpointing
        fewer, found = learned(model, asked)
        assert fewest < fewer < kept, f"{fewest} tensors of all layers, {fewer} of every second, {kept} of none"
        alike(found, expected, "every second layer")
        model.activation_checkpointing_disable()
        assert learned(model, asked)[0] == kept
        with refused("every_n_layers=0", "every_n_layers=0"):
            model.gradient_checkpointing_enable(every_n_layers=0)

    def test_only_training_computes_anything_again(self) -> None:
        """In ``eval()`` gradient checkpointing changes nothing; a misspelt option of it is refused.

        Where it does: a layer asks for checkpointing by itself, whatever ``training`` is.
        """
        model, inputs = tiny_model(self.case, "backbone"), inputs_of(self.case, "backbone")
        kept, _ = learned(model, inputs)
        model.gradient_checkpointing_enable()
        assert learned(model, inputs)[0] == kept, "a model that is not in training computes layers again"
        with refused("gradient_checkpointing_kwargs takes no 'use_rentrant'", "an unknown option", TypeError):
            model.gradient_checkpointing_enable({"use_rentrant": True})

    def test_nothing_is_remembered_of_a_call_that_is_computed_twice(self) -> None:
        """With gradient checkpointing a call makes no cache and says so, and takes none.

        Where it does: the backbone's forward fills a cache by itself, without its ``Stack``.
        """
        model, inputs = tiny_model(self.case, "backbone").train(), inputs_of(self.case, "backbone")
        if "use_cache" not in model.input_names:
            return
        model.gradient_checkpointing_enable()
        said = "use_cache=True: nothing is remembered while gradient checkpointing is on"
        with pytest.warns(UserWarning, match=said):
            assert "past_key_values" not in model(**inputs, use_cache=True)
        with refused("past_key_values: with gradient checkpointing", "a cache with gradient checkpointing"):
            model(**inputs, past_key_values=model.backbone.new_cache())
        with torch.no_grad():
            assert "past_key_values" in model(**inputs, use_cache=True)

    def test_gradients_reach_what_layers_read_though_nothing_below_learns(self) -> None:
        """``enable_input_require_grads`` gives what the embeddings make a gradient, though no parameter learns.

        Where it does not: the layers read something that is detached from it, or ``token_tables`` names no table.
        """
        model, inputs = tiny_model(self.case, "backbone"), inputs_of(self.case, "backbone")
        model.requires_grad_(False)
        assert not model(**inputs).last_hidden_state.requires_grad
        model.enable_input_require_grads()
        output = model(**inputs, output_hidden_states=True)
        first = next(each for name, each in output.items() if name.endswith("hidden_states"))[0]
        gradient = torch.autograd.grad(output.last_hidden_state.square().sum(), first)[0]
        assert gradient.any(), "no gradient reaches what the layers read"
        model.disable_input_require_grads()
        assert not model(**inputs).last_hidden_state.requires_grad


def _checkpoints(model: Model) -> bool:
    return model.is_gradient_checkpointing


def _config(model: Model) -> Any:
    return model.config
