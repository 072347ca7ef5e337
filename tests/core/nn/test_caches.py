"""What self-attention remembers: rows that move, copies that stay, room for what is expected."""

from copy import copy

import pytest
import torch
from torch import Tensor

from tfx_core.nn import DecoderCache, KeyValueCache, SelfAttentionCache


def columns(*numbers: float, rows: int = 4) -> Tensor:
    """Keys ``(rows, 1, n, 2)``: of row ``r`` and column ``c`` the number ``10·r + c``."""
    row = torch.arange(rows)[:, None] * 10.0 + torch.tensor(numbers)
    return row[:, None, :, None].expand(-1, 1, -1, 2).contiguous()


def begun(rows: int = 4) -> SelfAttentionCache:
    cache = SelfAttentionCache()
    cache.append(columns(0, 1, rows=rows), -columns(0, 1, rows=rows))
    return cache


@pytest.mark.parametrize("rows", [[0, 1, 2, 3], [1, 0, 3, 2], [2, 2, 2, 0], [3, 1], [0, 0, 1, 1, 2, 2, 3, 3]])
@torch.inference_mode()
def test_rows_go_on_as_what_they_are_said_to_be(rows: list[int]) -> None:
    cache = begun()
    cache.select(torch.tensor(rows))
    new = columns(7, rows=len(rows))
    keys, values = cache.append(new, -new)
    assert torch.equal(keys, torch.cat((columns(0, 1)[rows], new), dim=2))
    assert torch.equal(values, -keys)


@torch.inference_mode()
def test_a_copy_stays_as_it_was_and_goes_its_own_way() -> None:
    cache = begun()
    other = copy(KeyValueCache(cache)).self_attention
    cache.select(torch.tensor([3, 2, 1, 0]))
    other.select(torch.tensor([1, 1, 1, 1]))
    one, another = (each.append(columns(5), columns(5))[0][:, 0, :, 0] for each in (cache, other))
    assert one.tolist() == [[30, 31, 5], [20, 21, 15], [10, 11, 25], [0, 1, 35]]
    assert another.tolist() == [[10, 11, 5], [10, 11, 15], [10, 11, 25], [10, 11, 35]]


@torch.inference_mode()
def test_rows_move_within_the_buffer_and_only_those_that_move() -> None:
    cache = begun()
    assert cache._key is not None
    place = cache._key.data_ptr()
    cache.select(torch.tensor([0, 0, 2, 3]))
    assert cache._key.data_ptr() == place
    assert cache._key[1, 0, 0, 0] == 0


@torch.inference_mode()
def test_there_is_room_for_what_is_expected() -> None:
    cache = DecoderCache([KeyValueCache()])
    cache.expect(500)
    (layer,) = cache.layers
    assert isinstance(layer, KeyValueCache)
    keys, _ = layer.self_attention.append(columns(0, 1), columns(0, 1))
    for number in range(2, 500):
        grown, _ = layer.self_attention.append(columns(number), columns(number))
    assert grown.data_ptr() == keys.data_ptr()
    assert grown[1, 0, :, 0].tolist() == [10.0 + number for number in range(500)]


def test_a_limit_far_away_takes_no_memory() -> None:
    cache = SelfAttentionCache()
    cache.expected = 10**9
    cache.append(columns(0), columns(0))
    assert cache._key is not None
    assert cache._key.shape[2] < 10_000
