"""Sinusoids in a table and without one, each sine beside its cosine or all sines before all cosines."""

import math

import pytest
import torch

from tfx_core.nn import EndlessPositions, SinusoidalPositions


@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize("width", [8, 7])
def test_a_number_is_the_sine_or_cosine_of_its_angle(width: int, halves: bool) -> None:
    positions = torch.tensor([[0, 1, 5], [17, 2, 29]])
    made = EndlessPositions(width, halves=halves)(positions)
    assert made.shape == (2, 3, width)
    sines = -(-width // 2)
    for place in range(width):
        number, turned = (place % sines, place >= sines) if halves else divmod(place, 2)
        for row, position in zip(made.flatten(0, 1).tolist(), positions.flatten().tolist(), strict=True):
            angle = position / 10000 ** (2 * number / width)
            assert row[place] == pytest.approx(math.cos(angle) if turned else math.sin(angle), abs=1e-5)


@pytest.mark.parametrize("halves", [False, True])
def test_a_table_has_the_same_numbers(halves: bool) -> None:
    table = SinusoidalPositions(30, 8, halves=halves)
    positions = torch.arange(30)
    torch.testing.assert_close(table(positions), EndlessPositions(8, halves=halves)(positions), rtol=0, atol=1e-5)
    assert not table.weight.requires_grad
    assert not list(EndlessPositions(8).state_dict())
