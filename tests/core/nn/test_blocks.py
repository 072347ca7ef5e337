"""Attention in blocks is attention under the same mask, and never holds a score for every pair of tokens."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from tfx_core.nn import (
    Allowed,
    Bias,
    Causal,
    Chunks,
    DenseBias,
    GlobalTokens,
    Mask,
    SameText,
    Scores,
    Sum,
    Window,
    banded,
    sdpa,
)

LENGTHS = [(1, 1), (2, 2), (5, 5), (8, 8), (13, 13), (24, 24), (24, 1), (13, 4), (24, 21)]
"""Queries and keys: of whole texts, and of the last of some that are cached."""


def draw() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def bounded(tokens: Tensor) -> dict[str, Bias]:
    """Biases that blocks can be made of, of global ``tokens`` ``(B, S)``."""
    return {
        "both sides": Window(1, 1),
        "before": Window(3, 0),
        "after": Window(0, 2),
        "uneven": Window(5, 4),
        "beyond the text": Window(30, 30),
        "dilated": Window(1, 2, dilation=2),
        "further dilated": Window(2, 1, dilation=3),
        "from two": Sum((Window(2, None), Causal())),
        "chunks": Chunks(3, 1, 0),
        "their own": Chunks(4, 0, 0),
        "and after": Chunks(2, 1, 1),
        "global": GlobalTokens(Window(1, 1), tokens),
        "global keys": GlobalTokens(Window(2, 0), tokens, both=False),
        "global, dilated": GlobalTokens(Window(1, 1, dilation=2), tokens),
        "the same for all rows": GlobalTokens(Window(1, 1), tokens[:1]),
        "none of them": GlobalTokens(Window(1, 1), tokens & False),
    }


def others(batch: int, keys: int) -> list[Bias | None]:
    """What may come beside them."""
    real = torch.rand(batch, keys, generator=draw()) < 0.8
    texts = (torch.rand(batch, keys, generator=draw()) < 0.2).cumsum(1)
    masked = Allowed(real[:, None, None])
    return [None, masked, SameText(texts), Causal(), Sum((Causal(), masked, SameText(texts)))]


def tensors(batch: int, queries: int, keys: int, *, heads: int = 4, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Queries, and keys and values of half as many heads, as a layout splits them."""
    shapes = [(queries, heads), (keys, heads // 2), (keys, heads // 2)]
    made = [torch.randn(batch, *shape, 8, generator=draw(), dtype=torch.float64) for shape in shapes]
    return [each.to(dtype).transpose(1, 2).requires_grad_() for each in made]


def dense(query: Tensor, key: Tensor, value: Tensor, bias: Bias) -> Tensor:
    mask = bias.dense(query, key)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=0.3, enable_gqa=True)


def seeing(bias: Bias, batch: int, scores: Scores) -> Tensor:
    """Which queries see anything, ``(B, 1, T)``; what the others give means nothing."""
    allowed = torch.ones(batch, 1, scores.queries, scores.keys, dtype=torch.bool)
    for term in bias.terms if isinstance(bias, Sum) else (bias,):
        assert isinstance(term, Mask)
        allowed = allowed & term.allowed(scores)
    return allowed.any(-1)


@pytest.fixture(params=[1, None], ids=["one by one", "all at once"])
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Blocks of a few queries, wherever they can be made."""
    for name, value in (("NARROWEST", 2), ("WIDEST", 4), ("DEARER", 0)):
        monkeypatch.setattr(f"tfx_core.nn.blocks.{name}", value)
    monkeypatch.setattr("tfx_core.nn.blocks._blocks_at_once", lambda device: request.param)
    return None


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", bounded(torch.zeros(1, 1, dtype=torch.bool)))
@pytest.mark.parametrize("batch", [1, 3])
def test_blocks_give_what_all_scores_give_and_their_gradients(name: str, batch: int) -> None:
    for keys, queries in LENGTHS:
        tokens = torch.rand(batch, keys, generator=draw()) < 0.2
        for other in others(batch, keys):
            bias = bounded(tokens)[name] if other is None else bounded(tokens)[name] + other
            given = tensors(batch, queries, keys)
            got = banded(*given, bias, scale=0.3, dropout=0.0)
            if got is None:  # a cache does not end where a residue begins
                assert "dilated" in name
                assert queries < keys
                continue
            expected = dense(*given, bias)
            seen = seeing(bias, batch, Scores(queries, keys, got.dtype, got.device)).expand(got.shape[:-1])
            assert bool(got.isfinite().all())
            torch.testing.assert_close(got[seen], expected[seen])
            weights = torch.randn(got.shape, generator=draw(), dtype=got.dtype) * seen[..., None]
            for each in zip(*(torch.autograd.grad((y * weights).sum(), given) for y in (got, expected)), strict=True):
                torch.testing.assert_close(*each)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2), (torch.float16, 2e-3)])
def test_blocks_in_every_type(dtype: torch.dtype, close: float) -> None:
    tokens = torch.rand(2, 24, generator=draw()) < 0.2
    for bias, other in itertools.product(bounded(tokens).values(), others(2, 24)):
        both = bias if other is None else bias + other
        given = tensors(2, 24, 24, dtype=dtype)
        got = banded(*given, both, scale=0.3, dropout=0.0)
        assert got is not None
        assert got.dtype == dtype
        seen = seeing(both, 2, Scores(24, 24, dtype, got.device)).expand(got.shape[:-1])
        expected = dense(*(each.double() for each in given), both)
        torch.testing.assert_close(got[seen].double(), expected[seen], atol=close, rtol=close)
        assert bool(got.isfinite().all())


@pytest.mark.usefixtures("small_blocks")
def test_blocks_under_autocast() -> None:
    given = tensors(2, 24, 24, dtype=torch.float32)
    bias = GlobalTokens(Window(2, 2), torch.arange(24)[None] < 2) + Allowed(torch.ones(2, 1, 1, 24, dtype=torch.bool))
    with torch.autocast("cpu", torch.bfloat16):
        got = banded(*given, bias, scale=0.3, dropout=0.0)
    assert got is not None
    torch.testing.assert_close(got.float(), dense(*given, bias), atol=2e-2, rtol=2e-2)


@pytest.mark.usefixtures("small_blocks")
def test_weights_of_blocks_are_dropped() -> None:
    query, key, _ = tensors(2, 24, 24, dtype=torch.float32)
    ones = torch.ones_like(key)
    torch.manual_seed(0)
    bias = GlobalTokens(Window(4, 4), torch.arange(24)[None] < 2)
    got = torch.stack([sdpa(query, key, ones, bias, scale=0.3, dropout=0.25) for _ in range(50)])
    assert got.std() > 0.05
    torch.testing.assert_close(got.mean(), torch.tensor(1.0), atol=0.02, rtol=0.0)


class Largest(TorchDispatchMode):
    """Knows of how many numbers the largest tensor was that anything made."""

    numbers = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for each in made if isinstance(made, tuple | list) else (made,):
            if isinstance(each, Tensor):
                # what a view repeats is not there
                self.numbers = max(self.numbers, each.untyped_storage().nbytes() // each.element_size())
        return made


@pytest.mark.parametrize("training", [False, True])
def test_no_tensor_grows_with_the_square_of_the_length(training: bool) -> None:
    """Neither on the way forward nor backward; twice as many tokens are twice as many numbers."""
    largest: dict[str, list[int]] = {}
    for length in (2048, 4096):
        tokens = torch.arange(length)[None] % (length // 4) == 5
        for name, bias in {**bounded(tokens), "masked": Window(30, 30) + others(1, length)[1]}.items():
            query, key, value = tensors(1, length, length, heads=2, dtype=torch.float32)
            with Largest() as seen:
                out = sdpa(query, key, value, bias, scale=0.3, dropout=0.0)
                if training:
                    out.sum().backward()
            largest.setdefault(name, []).append(seen.numbers)
    for name, (short, long) in largest.items():
        assert long <= 2.1 * short, name
        assert long < 4096 * 4096 // 8, name


def test_what_is_not_bounded_or_short_is_dense() -> None:
    given = tensors(1, 600, 600, heads=2)
    for bias in (None, Causal(), Window(None, 3), Window(2, 2) + DenseBias(torch.zeros(1)), Window(290, 290)):
        assert banded(*given, bias, scale=0.3, dropout=0.0) is None
    assert banded(*given, Window(20, 20), scale=0.3, dropout=0.0) is not None
    short = tensors(1, 60, 60, heads=2)
    assert banded(*short, Window(20, 20), scale=0.3, dropout=0.0) is None


class Windowed(nn.Module):
    """The kernel with a window, as a module."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return sdpa(query, key, value, Window(3, 3) + Causal(), scale=0.3, dropout=0.0)


def test_what_is_recorded_is_the_same() -> None:
    module, given = Windowed(), tuple(each.detach() for each in tensors(1, 300, 300, heads=2, dtype=torch.float32))
    given = (given[0][:, :1], *given[1:])
    expected = module(*given)
    assert banded(*given, Window(3, 3) + Causal(), scale=0.3, dropout=0.0) is not None
    recorded = [
        torch.jit.trace(module, given),
        torch.export.export(module, given).module(),
        torch.compile(module, fullgraph=True, backend="eager"),
    ]
    for each in recorded:
        torch.testing.assert_close(each(*given), expected)
