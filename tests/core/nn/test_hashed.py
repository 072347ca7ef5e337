"""Attention among chunks and among like hashes: what full attention gives with the same pairs, row by row, in less."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.nn import (
    ArrangedBias,
    Arrangement,
    Chunking,
    Hashing,
    Met,
    Scores,
    eager,
    hashed_attention,
    in_order,
    normalised,
    row_buckets,
    sdpa,
    sorted_by,
)

B, H, L, D = 3, 2, 23, 6
LENGTHS = torch.tensor([L, 3, 14])


@pytest.fixture
def vectors() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    one, other = (torch.randn(B, H, L, D, generator=generator, dtype=torch.float64) * 3 for _ in range(2))
    return one, other


def arranged(query_key: Tensor, *, causal: bool, around: bool = True) -> Iterator[Arrangement]:
    """Arrangements of all kinds."""
    for before, after in product((0, 1, 2), (0, 1)):
        chunking = Chunking(4, before, after, around, multiple=8)
        yield in_order(chunking, query_key, LENGTHS, causal=causal)
        for hashing in (Hashing(), Hashing((2, 4), rounds=3), Hashing(rounds=2, most=2)):
            buckets = row_buckets(hashing, chunking, query_key, LENGTHS, 5)
            yield sorted_by(buckets, chunking, LENGTHS, causal=causal)


@pytest.mark.parametrize("kernel", [sdpa, eager])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("around", [False, True])
def test_chunks_give_what_all_pairs_give(
    vectors: tuple[Tensor, Tensor], kernel: Any, causal: bool, around: bool
) -> None:
    query_key, value = vectors
    real = (torch.arange(L) < LENGTHS[:, None])[:, None].expand(-1, H, -1)
    for each in arranged(query_key, causal=causal, around=around):
        key = normalised(query_key)
        found = each.attend(query_key, key, value, kernel, scale=0.7)
        wanted = sdpa(query_key, key, value, ArrangedBias(each), scale=0.7, dropout=0.0)
        torch.testing.assert_close(found[real], wanted[real], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("hashing", [Hashing(), Hashing((2, 4), rounds=3), Hashing(rounds=2, most=2)])
def test_a_row_is_computed_as_it_is_alone(vectors: tuple[Tensor, Tensor], hashing: Hashing, causal: bool) -> None:
    query_key, value = vectors
    chunking = Chunking(4, 1, 1, multiple=8, shortest=4)
    together = hashed_attention(query_key, value, hashing, chunking, lengths=LENGTHS, causal=causal)
    for row, length in enumerate(LENGTHS.tolist()):
        own = slice(row, row + 1), slice(None), slice(length)
        alone = hashed_attention(query_key[own], value[own], hashing, chunking, causal=causal)
        torch.testing.assert_close(together[own], alone)


def test_nothing_that_follows_is_seen_and_itself_only_for_want_of_others(vectors: tuple[Tensor, Tensor]) -> None:
    query_key, value = vectors
    value.requires_grad_()
    found = hashed_attention(query_key, value, Hashing(rounds=2), Chunking(4, 1, 0), causal=True)
    (seen,) = torch.autograd.grad(found[:, :, 9].sum(), value)
    assert not seen[:, :, 10:].any()
    assert not seen[:, :, 9].any() or not seen[:, :, :9].any()
    torch.testing.assert_close(found[:, :, 0], value[:, :, 0])  # the first one sees itself


def test_the_pairs_that_meet_are_those_that_are_weighed(vectors: tuple[Tensor, Tensor]) -> None:
    query_key, _ = vectors
    for each in arranged(query_key, causal=True):
        allowed = Met(each).allowed(Scores(L, L, query_key.dtype, query_key.device))
        bias = ArrangedBias(each).dense(query_key, query_key)
        assert torch.equal(allowed.expand(B, H, L, L), (bias > torch.finfo(bias.dtype).min / 4).expand(B, H, L, L))


def test_scores_are_linear_in_the_length() -> None:
    counted: list[int] = []

    def counting(query: Tensor, key: Tensor, *rest: Any, **how: Any) -> Tensor:
        counted.append(query.shape[1] * query.shape[2] * key.shape[2])
        return sdpa(query, key, *rest, **how)

    for length in (64, 128, 512):
        x = torch.randn(1, 1, length, 4)
        hashed_attention(x, x, Hashing(rounds=2), Chunking(8, 1, 0), kernel=counting)
    assert counted == [2 * length * 16 for length in (64, 128, 512)]


def test_hashes_are_of_the_seed_and_leave_torchs_generator_alone(vectors: tuple[Tensor, Tensor]) -> None:
    before = torch.get_rng_state()
    hashing, (query_key, _) = Hashing((2, 4), rounds=3), vectors
    first, again, other = (hashing.buckets(query_key, (2, 4), seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == (B, H, 3, L)
    assert first.min() >= 0
    assert first.max() < 8
    assert torch.equal(hashing.buckets(2 * query_key, (2, 4), 1), first)  # of directions alone
    assert not (hashing.buckets(-query_key, (2, 4), 1) == first).any()


def test_a_seed_is_drawn_for_each_call_of_a_training() -> None:
    torch.manual_seed(0)
    assert Hashing().drawn_seed(training=True) != Hashing().drawn_seed(training=True)
    assert Hashing().drawn_seed(training=False) == Hashing().drawn_seed(training=False)
    assert Hashing(seed=7).drawn_seed(training=True) == 7


def test_a_text_has_about_two_buckets_for_each_chunk() -> None:
    assert [Hashing().chosen(chunks, 64) for chunks in (2, 3, 5, 64, 65, 128)] == [
        (4,), (4,), (8,), (128,), (128,), (16, 16),
    ]  # fmt: skip
    assert Hashing((6,)).chosen(100, 64) == (6,)


def test_more_rounds_find_more_of_those_that_are_alike() -> None:
    generator = torch.Generator().manual_seed(0)
    half = torch.randn(1, 1, 128, 16, generator=generator)
    x = torch.cat((half, half + 0.3 * torch.randn(half.shape, generator=generator)), dim=2)
    shares = []
    for rounds in (1, 4, 8):
        chunking = Chunking(8, 1, 0)
        met = Met(sorted_by(row_buckets(Hashing(rounds=rounds), chunking, x, None, 0), chunking))
        allowed = met.allowed(Scores(256, 256, x.dtype, x.device))[0, 0]
        shares.append(float(allowed[128:, :128].diagonal().float().mean()))
    assert shares == sorted(shares)
    assert shares[0] > 2 * 16 / 256
    assert shares[-1] > 0.9


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Hashing((3,)), "must be even"),
        (lambda: Hashing((4, 0)), "must be even"),
        (lambda: Hashing(rounds=0), "at least 1"),
        (lambda: Chunking(0, 1, 0), "length must be at least 1"),
        (lambda: Chunking(4, -1, 0), "before and after at least 0"),
        (lambda: Chunking(4, 1, 0, multiple=6), "multiple of length"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(make: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        make()
