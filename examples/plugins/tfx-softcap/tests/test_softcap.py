"""The kernel by the kit, and against its equation, in numbers and gradients."""

import pickle

import pytest
import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.nn import Causal, eager
from tfx_softcap.kernel import softcap
from tfx_testing import AttentionChecks, PluginChecks


class TestSoftcap(AttentionChecks):
    attention = "softcap(30)"


class TestPlugin(PluginChecks):
    distribution = "tfx-softcap"


def numbers(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def attended(query: Tensor, key: Tensor, value: Tensor, cap: float) -> Tensor:
    call = {"scale": 0.5, "dropout": 0.0, "observer": None}
    return softcap(cap)(query, key, value, Causal(), **call)


QUERY, KEY, VALUE = numbers(2, 4, 3, 6, seed=1), numbers(2, 2, 3, 6, seed=2), numbers(2, 2, 3, 6, seed=3)


def test_it_is_its_equation() -> None:
    given = attended(QUERY, KEY, VALUE, 0.7)
    for row, head, place in [(0, 0, 2), (1, 3, 1)]:
        keys, values = KEY[row, head // 2, : place + 1], VALUE[row, head // 2, : place + 1]
        scores = 0.7 * torch.tanh(keys @ QUERY[row, head, place] * 0.5 / 0.7)
        torch.testing.assert_close(given[row, head, place], scores.softmax(0) @ values)


def test_its_gradients_are_exact() -> None:
    assert torch.autograd.gradcheck(lambda *given: attended(*given, 0.7), (QUERY, KEY, VALUE))


def test_a_high_cap_is_none() -> None:
    usual = eager(QUERY, KEY, VALUE, Causal(), scale=0.5, dropout=0.0)
    torch.testing.assert_close(attended(QUERY, KEY, VALUE, 1e9), usual)
    assert not torch.allclose(attended(QUERY, KEY, VALUE, 0.7), usual, atol=1e-3)


def test_it_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(softcap(30))) == softcap(30.0)


@pytest.mark.parametrize("cap", [0, -1, float("nan"), float("inf"), "50", True])
def test_a_cap_that_is_none_is_refused(cap: object) -> None:
    with pytest.raises(InputError, match="softcap: cap="):
        softcap(cap)  # type: ignore[arg-type]
