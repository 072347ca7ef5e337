"""What attention costs is counted exactly, and what there is no room for is not tried."""

from typing import Any

import pytest
import torch

from tfx_core.errors import InputError, UnknownNameError
from tfx_core.model import AttentionCost, attention_cost
from tfx_core.model.cost import free_memory
from tfx_core.model.measured import lsh
from tfx_core.nn import Chunks, Window, hashed_attention

HEADS, WIDTH = 2, 8


def costs(*patterns: Any, lengths: tuple[int, ...] = (64,), **setting: Any) -> list[AttentionCost]:
    return list(attention_cost(patterns, lengths, **{"heads": HEADS, "width": WIDTH, "rounds": 1, **setting}))


def in_steps(query: Any, key: Any, value: Any, bias: Any, **_: Any) -> Any:
    """A kernel of which all tensors are known: scores, their weights, and the result after the scores are gone."""
    return (query @ key.transpose(-1, -2)).softmax(-1) @ value


def test_memory_and_multiplications_are_counted() -> None:
    (cost,) = costs(in_steps, lengths=(32,), batch=3)
    assert cost.multiplications == 2 * 3 * HEADS * 32 * 32 * WIDTH
    scores = 3 * HEADS * 32 * 32 * 4
    assert cost.peak == 2 * scores
    assert cost.length == 32
    assert cost.seconds is not None
    assert cost.seconds > 0
    assert cost.times_full is None


def test_the_fused_kernel_multiplies_as_much_as_separate_steps() -> None:
    for backward in (False, True):
        full, eager = costs("full", "eager", backward=backward)
        assert full.multiplications is not None
        assert eager.multiplications is not None
        again = HEADS * 64 * 64 * WIDTH if backward else 0  # the scores, which it does not keep
        assert full.multiplications == eager.multiplications + again
        assert full.peak < eager.peak


def test_gradients_cost_more() -> None:
    (forward,), (both,) = costs("full"), costs("full", backward=True)
    assert both.multiplications is not None
    assert forward.multiplications is not None
    assert both.multiplications > 2 * forward.multiplications
    assert both.peak > forward.peak


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("pattern", ["window(16)", "window(32, 0)", "window(8, dilation=2)", "chunks(32)",
                                     "global(16, first=2)", Window(16, 16), Chunks(16, 1, 1)])  # fmt: skip
def test_patterns_are_linear_in_the_length_and_full_attention_is_not(pattern: Any, backward: bool) -> None:
    once, twice = costs(pattern, lengths=(1024, 2048), backward=backward)
    assert once.multiplications is not None
    assert twice.multiplications is not None
    assert twice.multiplications <= 2.1 * once.multiplications
    assert twice.peak <= 2.1 * once.peak
    once, twice = costs("full", lengths=(256, 512), backward=backward)
    assert once.multiplications is not None
    assert twice.multiplications == 4 * once.multiplications


def test_what_is_more_than_the_memory_is_told_and_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def noted(query: Any, *others: Any, **options: Any) -> Any:
        tried.append(query.shape[2])
        return in_steps(query, *others, **options)

    (at_1024,) = costs(in_steps, lengths=(1024,))
    room = at_1024.peak + 3 * HEADS * WIDTH * 4 * 1024 + 1
    monkeypatch.setattr("tfx_core.model.cost.free_memory", lambda device: room)
    fits, beyond, far_beyond = costs(noted, lengths=(1024, 2048, 65536))
    assert fits.peak == at_1024.peak
    assert fits.seconds is not None
    assert beyond == AttentionCost("noted", 2048, 4 * at_1024.peak)
    assert far_beyond == AttentionCost("noted", 65536, 4096 * at_1024.peak)
    assert max(tried) == 1024


def test_there_is_some_memory() -> None:
    assert free_memory(torch.device("cpu")) > 2**20


def test_ratios_are_to_full_attention_of_the_same_length() -> None:
    found = costs("chunks(16)", "full", lengths=(64, 128), rounds=3)
    assert [(each.pattern, each.length) for each in found] == [
        (pattern, length) for length in (64, 128) for pattern in ("chunks(16)", "full")
    ]
    assert all(each.times_full is not None for each in found)
    assert [each.times_full for each in found if each.pattern == "full"] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("setting", "said"),
    [({"lengths": (0,)}, "lengths=0"), ({"lengths": ()}, "lengths=None"), ({"heads": 0}, "heads=0"),
     ({"width": -1}, "width=-1"), ({"rounds": 0}, "rounds=0"), ({"device": "abacus"}, "device='abacus'")],
)  # fmt: skip
def test_sizes_that_are_none_are_refused(setting: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        costs("full", **setting)


def test_a_pattern_that_there_is_not_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'window'"):
        costs("widow(3)")


def test_hashed_attention_is_measured_too() -> None:
    once, twice = costs("lsh(16, rounds=2, buckets=32)", lengths=(512, 1024))
    assert once.multiplications is not None
    assert twice.multiplications is not None
    assert twice.multiplications <= 2.1 * once.multiplications
    assert twice.peak <= 2.1 * once.peak
    (gradients,) = costs("lsh(16, rounds=2, buckets=32)", lengths=(512,), backward=True)
    assert gradients.peak > once.peak


def test_a_chunk_longer_than_the_text_costs_no_more_than_one_of_its_length() -> None:
    exact, far = costs("lsh(64)", "lsh(99999999)")
    assert (far.peak, far.multiplications) == (exact.peak, exact.multiplications)
    query, value = torch.randn(2, 1, HEADS, 5, WIDTH, generator=torch.Generator().manual_seed(0))
    hashed = lsh(8, rounds=2)
    found = hashed(query, query, value, None, scale=1.0, dropout=0.0, observer=None)
    torch.testing.assert_close(found, hashed_attention(query, value, hashed.hashing, hashed.chunking))


def test_one_pattern_may_come_alone() -> None:
    (cost,) = attention_cost("window(4)", [32], heads=1, width=WIDTH, rounds=1)
    assert cost.pattern == "window(4)"


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("lsh(0)", "lsh: chunk=0"), ("lsh(64, rounds=0)", "lsh: rounds=0"), ("lsh(64, buckets=3)", "must be even"),
     ("lsh(64, after=-1)", "lsh: after=-1"), ("lsh(hash=2)", "lsh takes")],
)  # fmt: skip
def test_numbers_that_cannot_hash_are_told(pattern: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        costs(pattern)
