"""Which tokens are hidden, and what stands in their place."""

import numpy as np
import pytest

from tfx_training.objectives.hiding import chosen, replaced

TOKENS, MASK = 100_000, 1
USUAL = np.arange(5, 1000)


@pytest.mark.parametrize(("masked", "changed"), [(0.85, 0.0), (0.8, 0.1)])
def test_shares_of_what_is_hidden(masked: float, changed: float) -> None:
    generator = np.random.default_rng(0)
    maskable = np.ones(TOKENS, dtype=np.bool_)
    hidden = chosen(maskable, 0.15, generator)
    assert hidden.mean() == pytest.approx(0.15, abs=0.005)
    ids = generator.choice(USUAL, TOKENS)
    given = replaced(ids, hidden, MASK, USUAL, masked, changed, generator)
    assert (given[~hidden] == ids[~hidden]).all()
    assert (given[hidden] == MASK).mean() == pytest.approx(masked, abs=0.01)
    others = given[hidden][given[hidden] != MASK]
    assert np.isin(others, USUAL).all()
    stayed = (given[hidden] == ids[hidden]).mean()
    assert stayed == pytest.approx(1 - masked - changed, abs=0.01)


def test_at_least_one_token_is_hidden_and_none_that_must_not_be() -> None:
    maskable = np.array([False, True, True, False])
    for seed in range(20):
        hidden = chosen(maskable, 0.15, np.random.default_rng(seed))
        assert hidden.sum() == 1
        assert not hidden[~maskable].any()
    assert chosen(maskable, 1.0, np.random.default_rng(0)).tolist() == maskable.tolist()
