"""Attention kernels and patterns that are wrong in one way each."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tests.testing.faults import Fault, broken
from tfx_core import AttentionSpec, hookimpl
from tfx_core.nn import Bias, Observer, eager
from tfx_testing import AttentionChecks, Checks


def blind(query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, **how: Any) -> Tensor:
    """Passes over the bias."""
    return eager(query, key, value, None, **how)


def unscaled(query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, *, scale: float, **how: Any) -> Tensor:
    """Has a scale of its own."""
    return eager(query, key, value, bias, scale=query.shape[-1] ** -0.5, **how)


def unobserved(
    query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, *, observer: Observer | None, **how: Any
) -> Tensor:
    """Passes over who wants to see the weights."""
    return eager(query, key, value, bias, observer=None, **how)


def infinite(query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, *, scale: float, **how: Any) -> Tensor:
    """Hides with what is infinite."""
    scores = query @ key.transpose(-1, -2) * scale
    if bias is not None:
        numbers = bias.dense(query, key)
        scores = (scores + numbers).masked_fill(numbers < -1e4, -torch.inf)
    return scores.softmax(-1) @ value


def interleaved(query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, **how: Any) -> Tensor:
    """Gives heads of queries the keys of others, where there are fewer of these."""
    times = query.shape[1] // key.shape[1]
    return eager(query, key.repeat(1, times, 1, 1), value.repeat(1, times, 1, 1), bias, **how)


def over_the_batch(query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, **how: Any) -> Tensor:
    """Lets rows count in each other's results."""
    return eager(query - query.mean(0, keepdim=True), key, value, bias, **how)


def undropped(query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, *, dropout: float, **how: Any) -> Tensor:
    """Drops nothing."""
    return eager(query, key, value, bias, dropout=0.0, **how)


def detached(query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, **how: Any) -> Tensor:
    """Teaches the keys nothing."""
    return eager(query, key.detach(), value, bias, **how)


def in_float32(query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, **how: Any) -> Tensor:
    """Does not return to the type that was given."""
    return eager(query.float(), key.float(), value.float(), bias, **how)


def curious(query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, **how: Any) -> Tensor:
    """Looks at a value in Python."""
    return eager(query * (0.5 if query.max().item() > 1e9 else 1.0), key, value, bias, **how)


class Keeping:
    """Keeps the last keys."""

    last: Tensor | None = None

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, **how: Any) -> Tensor:
        self.last = key
        return eager(query, key, value, bias, **how)


KEEPING = Keeping()


def exponential(query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, **how: Any) -> Tensor:
    """Another attention, which is said to be the usual one."""
    return eager(query, key, value * 1.01, bias, **how)


class Unchecked:
    """A kernel of a number which takes anything for one."""

    def __init__(self, *numbers: object, **named: object) -> None: ...

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, **how: Any) -> Tensor:
        return eager(query, key, value, bias, **how)


def enclosed(times: float) -> Any:
    """A kernel within a function."""
    return lambda query, key, value, bias, **how: times * eager(query, key, value, bias, **how)


class Plugin:
    """Provides them all."""

    @hookimpl
    def tfx_attentions(self) -> list[AttentionSpec]:
        kernels = (blind, unscaled, unobserved, infinite, interleaved, over_the_batch, undropped, detached, in_float32)
        named = {each.__name__: each.__name__ for each in (*kernels, curious, exponential)} | {"keeping": "KEEPING"}
        specs = [AttentionSpec(name, f"{__name__}:{target}", summary="broken") for name, target in named.items()]
        unchecked = AttentionSpec("unchecked", f"{__name__}:Unchecked", example="unchecked(1)", summary="broken")
        inner = AttentionSpec("enclosed", f"{__name__}:enclosed", example="enclosed(1)", summary="broken")
        return [*specs, unchecked, inner, AttentionSpec("silent", f"{__name__}:unscaled")]


def checks(name: str, same_as: str | None = None) -> Callable[[], type[Checks]]:
    """The checks of one of them."""

    return broken(AttentionChecks, Plugin(), attention=name, same_as=same_as)


FAULTS = {
    "the bias is passed over": Fault(checks("blind"), "test_what_a_mask_hides", "hidden keys and values differ"),
    "a causal bias is passed over": Fault(checks("blind"), "test_the_future_is_hidden", "queries before the change"),
    "the scale is its own": Fault(checks("unscaled"), "test_the_scale_counts", r"scale=0\.4, beside queries"),
    "an observer is passed over": Fault(checks("unobserved"), "test_weights_are_shown", "observer was called 0 times"),
    "nothing to see is no number": Fault(checks("infinite"), "test_a_query_that_sees_nothing", "result is not finite"),
    "keys serve other queries": Fault(checks("interleaved"), "test_a_head_of_keys", "beside the same keys repeated"),
    "rows see each other": Fault(checks("over_the_batch"), "test_rows_and_heads", "row 0 of 2, beside what it gives"),
    "dropout is passed over": Fault(checks("undropped"), "test_dropout_is_that", r"dropout=0\.5 changes nothing"),
    "a gradient is lost": Fault(checks("detached"), "test_gradients_are_those", "Jacobian mismatch|analytical"),
    "the type is another": Fault(checks("in_float32"), "test_results_have_the_shape", "bfloat16 gave torch.float32"),
    "a value is looked at": Fault(checks("curious"), "test_a_model_with_it_compiles", r"\.item\(\)"),
    "a call leaves something behind": Fault(checks("keeping"), "test_it_keeps_nothing", r"a call left \['last'\]"),
    "it is not what it says": Fault(checks("exponential", "eager"), "test_it_gives_the_numbers", "5 queries of 5 keys"),
    "arguments are not checked": Fault(checks("unchecked(1)"), "test_arguments_that_it", "is accepted, as"),
    "it is a function's own": Fault(checks("enclosed(1)"), "test_a_model_with_it_is_pickled", "pickle"),
    "there is no summary": Fault(checks("silent"), "test_it_says_what_it_is", "'silent' has no summary in its spec"),
}
