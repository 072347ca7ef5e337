"""How the states of tokens become one vector."""

import numpy as np
import pytest
import torch

from tfx_core.embedding.pooling import POOLINGS, Pooling, pool

STATES = torch.tensor([[1.0, -2.0], [3.0, -4.0], [8.0, -9.0]])

EXPECTED: dict[Pooling, list[float]] = {
    "cls": [1.0, -2.0],
    "max": [8.0, -2.0],
    "mean": [4.0, -5.0],
    "mean_sqrt_len": [12 / 3**0.5, -15 / 3**0.5],
    "weightedmean": [(1 + 6 + 24) / 6, (-2 - 8 - 27) / 6],
    "lasttoken": [8.0, -9.0],
}

WITHOUT_FIRST: dict[Pooling, list[float]] = {
    "cls": [3.0, -4.0],
    "max": [8.0, -4.0],
    "mean": [5.5, -6.5],
    "mean_sqrt_len": [11 / 2**0.5, -13 / 2**0.5],
    "weightedmean": [(6 + 24) / 5, (-8 - 27) / 5],
    "lasttoken": [8.0, -9.0],
}


@pytest.mark.parametrize("padding", ["none", "left", "right"])
@pytest.mark.parametrize("how", POOLINGS)
@pytest.mark.parametrize(("skip", "expected"), [(0, EXPECTED), (1, WITHOUT_FIRST)])
def test_every_pooling_on_either_side_of_padding(
    how: Pooling, padding: str, skip: int, expected: dict[Pooling, list[float]]
) -> None:
    # what stands at padding must not matter
    noise, real = torch.full((2, 2), torch.nan), torch.ones(3, dtype=torch.long)
    zeros = torch.zeros(2, dtype=torch.long)
    states, mask = {
        "none": (STATES, real),
        "left": (torch.cat([noise, STATES]), torch.cat([zeros, real])),
        "right": (torch.cat([STATES, noise]), torch.cat([real, zeros])),
    }[padding]
    pooled = pool(states[None], mask[None], how, skip=skip)
    assert pooled.dtype == torch.float32
    np.testing.assert_allclose(pooled[0].numpy(), expected[how], rtol=1e-6)


@pytest.mark.parametrize("how", ["mean", "mean_sqrt_len", "weightedmean"])
def test_a_text_that_is_all_prompt_pools_to_zero(how: Pooling) -> None:
    assert not pool(STATES[None], torch.ones(1, 3), how, skip=3).any()


def test_low_precision_states_are_summed_in_full_precision() -> None:
    states = torch.full((1, 3000, 1), 0.1, dtype=torch.bfloat16)
    pooled = pool(states, torch.ones(1, 3000), "mean")
    assert pooled.item() == pytest.approx(float(torch.tensor(0.1, dtype=torch.bfloat16)), rel=1e-5)
