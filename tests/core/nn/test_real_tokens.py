"""Which tokens are real: positions, keys, rows, whatever padding there is and wherever it stands."""

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.nn import PADDED, Ragged, RealTokens, padded_layouts
from tfx_core.nn.layout import FEW_TOKENS, packs


@pytest.fixture
def mask() -> Tensor:
    return torch.tensor([[1] * 7, [1, 1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1, 1]])


def of(mask: Tensor) -> RealTokens:
    return RealTokens.of(torch.zeros(mask.shape), mask)


def test_positions_count_real_tokens(mask: Tensor) -> None:
    assert of(mask).positions.tolist() == [[0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 3, 3, 3], [0, 0, 0, 1, 2, 3, 4]]
    assert of(mask[:1]).positions.tolist() == [[0, 1, 2, 3, 4, 5, 6]]


def test_a_mask_without_padding_is_none_where_it_can_be_read(mask: Tensor) -> None:
    assert of(mask[:1]).mask is None
    assert of(mask[:1]).keys is None
    assert of(mask[:1].to("meta")).mask is not None


def test_padding_is_packed_away_where_it_can_be_read(mask: Tensor) -> None:
    assert isinstance(of(mask).layout, Ragged)
    assert of(mask[:1]).layout is PADDED
    assert of(mask.to("meta")).layout is PADDED


def test_columns_tell_distances_where_padding_breaks_nothing(mask: Tensor) -> None:
    assert of(mask).relative_positions.tolist() == [[0, 1, 2, 3, 4, 5, 6]]
    broken = torch.tensor([[1, 0, 1, 1]])
    assert of(broken).relative_positions.tolist() == [[0, 0, 1, 2]]


def test_more_tokens_follow(mask: Tensor) -> None:
    whole = of(mask[:1])
    assert whole.append_real(2).mask is None
    assert whole.append_real(2).length == 9
    assert of(mask).append_real(1).dense_mask[:, -1].all()
    assert torch.equal(of(mask).append(of(mask)).dense_mask, torch.cat((mask, mask), dim=1).bool())


def test_rows_and_columns_are_chosen(mask: Tensor) -> None:
    chosen = of(mask).select(torch.tensor([2, 2, 1, 0])).columns(1, 5)
    assert (chosen.batch, chosen.length) == (4, 4)
    assert chosen.dense_mask.long().tolist() == [[0, 1, 1, 1], [0, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]]


def test_only_some_real_tokens_count(mask: Tensor) -> None:
    assert of(mask).first(2).dense_mask.sum(1).tolist() == [2, 2, 2]
    assert of(mask).first(2).dense_mask[2].long().tolist() == [0, 0, 1, 1, 0, 0, 0]
    assert of(mask).last(3).dense_mask[1].long().tolist() == [0, 1, 1, 1, 0, 0, 0]
    assert of(mask).last(7).dense_mask.equal(mask.bool())


@pytest.mark.parametrize(("rows", "count", "gone"), [(slice(0, 1), 3, 4), (slice(0, 3), 3, 1), (slice(2, 3), 5, 2)])
def test_columns_before_all_that_counts_are_cut_off(mask: Tensor, rows: slice, count: int, gone: int) -> None:
    trimmed, cut = of(mask[rows]).trimmed(count)
    assert (cut, trimmed.length) == (gone, 7 - gone)
    assert torch.equal(trimmed.dense_mask, of(mask[rows]).last(count).dense_mask[:, gone:])


def test_tokens_are_taken_back_row_by_row(mask: Tensor) -> None:
    kept = of(mask[:1]).select(torch.tensor([0, 0])).kept(torch.tensor([1, 2]), of=3)
    assert kept.dense_mask.long().tolist() == [[1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]]
    assert of(mask[:1]).kept(torch.tensor([2]), of=3).mask is None


def test_real_tokens_go_to_the_end_in_order(mask: Tensor) -> None:
    real = of(mask)
    order = real.order_real_last()
    assert order[1].tolist() == [4, 5, 6, 0, 1, 2, 3]
    assert real.gather(order).dense_mask[1].long().tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match=r"attention_mask of shape \(2, 3\): these tokens ask for \(2, 4\)"):
        RealTokens.of(torch.zeros(2, 4), torch.ones(2, 3))


def test_few_tokens_are_packed_where_no_kernel_is_waited_for() -> None:
    assert packs("cpu", 2)
    assert packs("cuda", FEW_TOKENS + 1)
    assert not packs("cuda", FEW_TOKENS)
    with padded_layouts():
        assert not packs("cpu", 2)
        assert not packs("cuda", FEW_TOKENS + 1)


@pytest.mark.parametrize("padded", [False, True])
def test_aligned_rows_begin_with_their_first_token_without_gaps(padded: bool) -> None:
    mask = torch.tensor([[0, 1, 1, 0, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 1]])
    numbers = torch.arange(15.0).view(3, 5, 1)
    real = RealTokens.of(numbers, mask).at(torch.tensor([[9, 4, 5, 9, 7], [0, 1, 9, 9, 9], [9, 9, 9, 9, 2]]))
    with padded_layouts() if padded else nullcontext():
        layout, inside = real.aligned()
    assert inside.dense_mask[:, :3].tolist() == [[True, True, True], [True, True, False], [True, False, False]]
    assert inside.positions[inside.dense_mask].tolist() == [4, 5, 7, 0, 1, 2]
    packed = layout.pack(numbers)
    heads = layout.split(packed, 1)  # (B, 1, L, 1)
    assert heads[:, 0, :, 0][inside.dense_mask].tolist() == [1, 2, 4, 5, 6, 14]
    assert torch.equal(layout.unpack(layout.merge(heads))[mask.bool()], numbers[mask.bool()])


def test_where_nothing_is_padding_rows_are_aligned() -> None:
    real = RealTokens.of(torch.zeros(2, 3))
    assert real.aligned() == (PADDED, real)
