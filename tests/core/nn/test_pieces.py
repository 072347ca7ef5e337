"""Large batches are computed some tokens at a time, where that changes nothing but the memory that it takes."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tfx_core.nn import FeedForward, GatedFeedForward, pieces

TOKENS = 3
BATCH, LENGTH = 4, 5


class Sized(nn.Linear):
    """A layer that notes how many tokens it reads at once."""

    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.shape[:-1].numel())
        return super().forward(x)


def plain() -> FeedForward:
    return FeedForward(Sized(6, 8), nn.GELU(), nn.Linear(8, 6), dropout=0.5)


def gated() -> GatedFeedForward:
    return GatedFeedForward(nn.Linear(6, 8), Sized(6, 8), nn.SiLU(), nn.Linear(8, 6), dropout=0.5)


Made = Callable[[], FeedForward | GatedFeedForward]
both = pytest.mark.parametrize("made", [plain, gated])


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "TOKENS", TOKENS)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)


@both
@pytest.mark.parametrize("shape", [(BATCH, LENGTH, 6), (BATCH * LENGTH, 6), (2, 2, LENGTH, 6)])
def test_pieces_give_what_all_tokens_at_once_do(made: Made, shape: tuple[int, ...]) -> None:
    layer, x = made().eval(), torch.randn(shape)
    expected = layer(x)
    with torch.no_grad():
        found = layer(x)
    assert found.shape == shape
    torch.testing.assert_close(found, expected)
    assert isinstance(layer.up, Sized)
    assert layer.up.seen == [20, 5, 5, 5, 5]  # no more than 3 for each of 2 threads


@both
def test_what_is_learnt_or_drops_is_computed_at_once(made: Made) -> None:
    layer, x = made(), torch.randn(BATCH, LENGTH, 6)
    layer.eval()(x)
    with torch.no_grad():
        layer.train()(x)
    assert isinstance(layer.up, Sized)
    assert layer.up.seen == [20, 20]


@both
def test_who_watches_a_layer_sees_all_tokens(made: Made) -> None:
    layer, x, seen = made().eval(), torch.randn(BATCH, LENGTH, 6), []
    layer.down.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    with torch.no_grad():
        layer(x)
    assert seen == [x.shape]


@both
def test_what_is_recorded_has_no_pieces(made: Made) -> None:
    layer, x = made().eval(), torch.randn(1, 30, 6)
    with torch.no_grad():
        recorded = torch.jit.trace(layer, torch.randn(BATCH, LENGTH, 6), check_trace=False)
        assert isinstance(layer.up, Sized)
        assert layer.up.seen == [20]
        torch.testing.assert_close(recorded(x), layer(x))
