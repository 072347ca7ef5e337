"""What segment recurrence remembers: the last real tokens of every row, whatever padding is around them."""

import pytest
import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.nn import Memory, RealTokens
from tfx_core.nn import remember as remembered


def states(*rows: list[int]) -> list[Tensor]:
    """Two layers whose states ``(B, T, 1)`` are these numbers, the second's a hundred higher."""
    first = torch.tensor(rows, dtype=torch.float32)[..., None]
    return [first, first + 100]


def remember(
    memory: Memory | None,
    states: list[Tensor],
    mask: Tensor | None,
    *,
    length: int | None = None,
    reuse: int | None = None,
) -> Memory:
    return remembered(memory, states, RealTokens.of(states[0], mask), length=length, reuse=reuse)


def real(memory: Memory, row: int, layer: int = 0) -> list[float]:
    """The remembered numbers of a row."""
    slots: Tensor = memory.layers[layer][row, :, 0]
    kept: list[float] = (slots if memory.mask is None else slots[memory.mask[row]]).tolist()
    return kept


def test_everything_is_kept_by_default() -> None:
    memory = remember(None, states([1, 2, 3]), None)
    memory = remember(memory, states([4, 5]), None)
    assert real(memory, 0) == [1, 2, 3, 4, 5]
    assert real(memory, 0, layer=1) == [101, 102, 103, 104, 105]
    assert memory.mask is None
    assert memory.length == 5


@pytest.mark.parametrize(
    ("length", "reuse", "expected"),
    [(4, None, [2, 3, 4, 5]), (None, 1, [1, 4]), (2, 2, [4, 5]), (0, 0, [1, 2, 3, 4, 5]), (1, None, [5])],
)
def test_length_and_reuse_bound_it(length: int | None, reuse: int | None, expected: list[int]) -> None:
    memory = remember(None, states([1, 2, 3]), None, length=length, reuse=reuse)
    assert real(remember(memory, states([4, 5]), None, length=length, reuse=reuse), 0) == expected


@pytest.mark.parametrize(("length", "reuse"), [(None, None), (4, None), (3, 2), (None, 1), (2, None)])
def test_padding_is_not_remembered(length: int | None, reuse: int | None) -> None:
    """A row remembers in a padded batch what it remembers alone; 0 is padding."""
    segments = [([1, 2, 3, 0], [0, 0, 7, 8]), ([0, 4, 0, 0], [9, 10, 11, 0]), ([5, 6, 0, 0], [0, 0, 0, 0])]
    together: Memory | None = None
    alone: list[Memory | None] = [None, None]
    for rows in segments:
        mask = torch.tensor(rows) > 0
        together = remember(together, states(*rows), mask, length=length, reuse=reuse)
        for row, numbers in enumerate(rows):
            own = [number for number in numbers if number]
            if own:
                alone[row] = remember(alone[row], states(own), None, length=length, reuse=reuse)
    assert together is not None
    for row, memory in enumerate(alone):
        assert memory is not None
        assert real(together, row) == real(memory, 0)
        assert real(together, row, layer=1) == real(memory, 0, layer=1)


def test_rows_are_selected_with_their_masks() -> None:
    memory = remember(None, states([1, 2], [3, 0]), torch.tensor([[1, 1], [1, 0]]))
    chosen = memory.reorder(torch.tensor([1, 1, 0]))
    assert [real(chosen, row) for row in range(3)] == [[3], [3], [1, 2]]


def test_it_reads_as_the_references_list() -> None:
    memory = remember(None, states([1, 2, 3], [4, 5, 6]), None)
    assert [tuple(each.shape) for each in memory] == [(3, 2, 1), (3, 2, 1)]
    again = Memory.of(list(memory), layers=2, batch=2)
    assert torch.equal(again.layers[1], memory.layers[1])
    assert Memory.of(memory, layers=2, batch=2) is memory
    assert [tuple(each.shape) for each in memory[1:]] == [(3, 2, 1)]


@pytest.mark.parametrize(("layers", "batch"), [(3, 2), (2, 1)])
def test_what_does_not_fit_is_refused(layers: int, batch: int) -> None:
    memory = remember(None, states([1, 2, 3], [4, 5, 6]), None)
    with pytest.raises(InputError, match=f"mems: 2 tensors.*{layers} layers and {batch} rows"):
        Memory.of(memory, layers, batch)


def test_no_gradient_flows_into_an_earlier_segment() -> None:
    made = [each.requires_grad_() for each in states([1, 2])]
    assert not any(each.requires_grad for each in remember(None, made, None))
    assert not any(each.requires_grad for each in remember(None, made, torch.tensor([[1, 0]])))
