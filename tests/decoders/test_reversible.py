"""Reversible layers: gradients are those of any others, and what is kept for them does not grow with the depth."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tfx_decoders.reformer.config import ReformerConfig
from tfx_decoders.reformer.model import ReformerBackbone, build_backbone

TINY: dict[str, Any] = {
    "vocab_size": 30, "hidden_size": 8, "num_attention_heads": 2, "attention_head_size": 4, "feed_forward_size": 12,
    "axial_pos_embds": False, "max_position_embeddings": 64, "attn_layers": ["local", "lsh", "lsh", "local"],
    "lsh_attn_chunk_length": 4, "local_attn_chunk_length": 4, "num_hashes": 2, "is_decoder": True,
}  # fmt: skip
DROPOUT = {"hidden_dropout_prob": 0.3, "lsh_attention_probs_dropout_prob": 0.2}


def backbone(**changes: Any) -> ReformerBackbone:
    torch.manual_seed(0)
    return build_backbone(ReformerConfig.from_dict({**TINY, **changes}), frozenset()).train()


def batch() -> tuple[Tensor, Tensor]:
    ids = torch.randint(0, 30, (3, 13), generator=torch.Generator().manual_seed(1))
    mask = torch.tensor([[1] * 13, [0] * 8 + [1] * 5, [1] * 2 + [0] * 11])
    return ids, mask


def gradients(
    model: ReformerBackbone, *, plainly: bool, backwards: int = 1, before: Callable[[], Any] = bool, **given: Any
) -> list[Tensor | None]:
    """Of a sum of states with respect to everything; where states are asked for, layers run as others do."""
    ids, mask = batch()
    inputs: dict[str, Any] = {"input_ids": ids, **given}
    model.zero_grad()
    torch.manual_seed(7)
    states = model(attention_mask=mask, output_hidden_states=plainly, **inputs).last_hidden_state
    weights = torch.randn(states.shape, generator=torch.Generator().manual_seed(2)).to(states.dtype)
    loss = (states * weights)[mask.bool()].sum()
    before()
    for number in range(backwards):
        loss.backward(retain_graph=number < backwards - 1)
    return [each.grad for each in model.parameters()]


def same(ours: list[Tensor | None], wanted: list[Tensor | None], **near: float) -> None:
    for one, other in zip(ours, wanted, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, **near)


@pytest.mark.parametrize("changes", [{}, DROPOUT, {"is_decoder": False, "chunk_size_feed_forward": 3}], ids=str)
def test_gradients_are_those_of_other_layers(changes: dict[str, Any]) -> None:
    model = backbone(**changes).double()
    plain = gradients(model, plainly=True)
    reversible = gradients(model, plainly=False)
    same(reversible, plain, rtol=1e-9, atol=1e-9)
    assert all(each is not None and bool(each.any()) for each in reversible)


def test_random_numbers_go_on_after_a_backward_pass_as_before_it() -> None:
    model = backbone(**DROPOUT)
    ids, mask = batch()
    loss = model(ids, mask).last_hidden_state.sum()
    before = torch.get_rng_state()
    loss.backward()
    assert torch.equal(before, torch.get_rng_state())


def test_a_second_backward_pass_adds_the_same() -> None:
    model = backbone(**DROPOUT).double()
    once = gradients(model, plainly=False)
    single = [None if each is None else each.clone() for each in once]
    twice = gradients(model, plainly=False, backwards=2)
    same(twice, [None if each is None else 2 * each for each in single])


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_that_counts_is_the_one_of_the_forward_pass(training: bool) -> None:
    model = backbone(**DROPOUT).double().train(training)
    plain = gradients(model, plainly=True)
    same(gradients(model, plainly=False, before=lambda: model.train(not training)), plain, rtol=1e-9, atol=1e-9)
    assert all(part.training is not training for part in model.modules())


def test_dropout_may_train_alone() -> None:
    model = backbone(**DROPOUT).double().eval()
    for part in model.modules():
        part.training = isinstance(part, torch.nn.Dropout)
    plain = gradients(model, plainly=True)
    same(gradients(model, plainly=False), plain, rtol=1e-9, atol=1e-9)


def test_frozen_parameters_get_none_and_inputs_theirs() -> None:
    model = backbone().double()
    for number, parameter in enumerate(model.parameters()):
        parameter.requires_grad = bool(number % 2)
    same(gradients(model, plainly=False), gradients(model, plainly=True), rtol=1e-9, atol=1e-9)
    model.requires_grad_(False)
    found = []
    for plainly in (False, True):
        vectors = torch.randn(3, 13, 8, generator=torch.Generator().manual_seed(3)).double().requires_grad_()
        gradients(model, plainly=plainly, input_ids=None, inputs_embeds=vectors)
        found.append(vectors.grad)
    same(found[:1], found[1:], rtol=1e-9, atol=1e-9)


def test_parameters_may_be_given_for_one_call() -> None:
    """Frozen ones, too, are those of the forward pass."""
    model, (ids, mask), found = backbone().double(), batch(), []
    for plainly in (False, True):
        given = {name: 1.5 * each.detach() for name, each in model.named_parameters()}
        trained = [each.requires_grad_() for name, each in given.items() if "norm" not in name]
        torch.manual_seed(7)
        output = torch.func.functional_call(model, given, (ids, mask), {"output_hidden_states": plainly})
        output.last_hidden_state[mask.bool()].square().sum().backward()
        found.append([each.grad for each in trained])
    same(*found, rtol=1e-9, atol=1e-9)


def test_gradients_under_autocast_are_those_of_other_layers_under_it() -> None:
    model = backbone(num_buckets=2)
    with torch.autocast("cpu", torch.bfloat16):
        plain = [None if each is None else each.clone() for each in gradients(model, plainly=True)]
        reversible = gradients(model, plainly=False)
    same(reversible, plain, rtol=0.1, atol=0.1)


def kept(model: ReformerBackbone, **how: Any) -> int:
    """Bytes that a call keeps for its backward pass, parameters apart."""
    ids, mask = batch()
    seen: dict[int, int] = {}
    own = {each.data_ptr() for each in model.parameters()}

    def note(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in own:
            seen[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        states = model(ids, mask, **how).last_hidden_state
    assert states.requires_grad
    return sum(seen.values())


@pytest.mark.parametrize("kind", ["lsh", "local"])
def test_what_is_kept_does_not_depend_on_the_number_of_layers(kind: str) -> None:
    few, many = (backbone(attn_layers=[kind] * depth) for depth in (2, 8))
    assert kept(few) == kept(many)
    assert kept(many, output_hidden_states=True) > 3 * kept(few, output_hidden_states=True)


def test_hooks_of_layers_are_called() -> None:
    model, called = backbone().double(), []
    for layer in model.stack.layers:
        layer.register_forward_hook(lambda *_: called.append(1))
    gradients(model, plainly=False)
    assert len(called) == 4


@pytest.mark.parametrize("chunk", [1, 2, 5, 13, 100])
def test_feed_forward_layers_may_compute_few_tokens_at_a_time(chunk: int) -> None:
    ids, mask = batch()
    for given in (None, mask):
        wanted = backbone().eval()(ids, given).last_hidden_state
        found = backbone(chunk_size_feed_forward=chunk).eval()(ids, given).last_hidden_state
        torch.testing.assert_close(found[mask.bool()], wanted[mask.bool()])
