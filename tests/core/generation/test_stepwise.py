"""Greedy search and sampling: what is chosen, who leaves when, and that no row depends on another."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.generation.toys import EOS, PAD, Table, TableState, found, new, run
from tfx_core.generation import row_seed
from tfx_core.generation.sampling import RowNoise, inverted, without_replacement

TEXTS = [[3, 4], [5], [6, 7, 8, 2], [4, 4, 4]]


def greedy_by_hand(table: Table, text: list[int], count: int) -> list[int]:
    text, begin = list(text), len(text)
    while len(text) - begin < count and EOS not in text[begin:]:
        text.append(int(table.after(text).argmax()))
    return text[begin:]


def test_greedy_takes_the_most_likely_token() -> None:
    for seed in range(20):
        table = Table(seed=seed)
        assert found(table, TEXTS, max_new_tokens=9) == [greedy_by_hand(table, text, 9) for text in TEXTS]


@pytest.mark.parametrize("side", ["left", "right"])
def test_result_has_prompts_padded_left_and_texts_padded_right(side: str) -> None:
    table = Table(seed=3)
    output = run(table, TEXTS, side=side, max_new_tokens=8)
    lengths = [len(greedy_by_hand(table, text, 8)) for text in TEXTS]
    for row, (text, length) in enumerate(zip(TEXTS, lengths, strict=True)):
        new_tokens = greedy_by_hand(table, text, 8)
        expected = [PAD] * (4 - len(text)) + text + new_tokens + [PAD] * (max(lengths) - length)
        assert output.sequences[row].tolist() == expected


def test_finished_rows_leave_at_once() -> None:
    for seed in range(10):
        table = Table(seed=seed)
        state = TableState(table, TEXTS)
        run(table, TEXTS, state=state, max_new_tokens=9)
        lengths = [len(greedy_by_hand(table, text, 9)) for text in TEXTS]
        steps = [rows for name, rows in state.log if name == "step"]
        # the first token comes from the prompts, and the last one is not read any more
        assert steps == [sum(length > step for length in lengths) for step in range(1, max(lengths))]


def test_nothing_is_moved_while_all_rows_go_on() -> None:
    state = TableState(Table(seed=1), TEXTS)
    run(state.table, TEXTS, state=state, max_new_tokens=6, eos_token_id=None)
    assert [name for name, _ in state.log] == ["prefill"] + ["step"] * 5


def test_greatest_length_counts_each_rows_own_tokens() -> None:
    table = Table(seed=2)
    texts = found(table, TEXTS, max_length=6, eos_token_id=[8])
    for text, tokens in zip(TEXTS, texts, strict=True):
        alone = found(table, [text], max_length=6, eos_token_id=[8])
        assert tokens[: len(alone[0])] == alone[0]
        assert len(alone[0]) <= 6 - len(text)


@pytest.mark.parametrize(
    ("options", "read"),
    [
        ({}, 8),
        ({"do_sample": True, "num_return_sequences": 3}, 8),
        ({"num_beams": 3}, 8),
        ({"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5}, 8),
        ({"num_beams": 4, "force_words_ids": [[6, 7]]}, 8),
        ({"prompt_lookup_num_tokens": 5}, 8),
        # candidates for the last token are read too
        ({"penalty_alpha": 0.6, "top_k": 3}, 9),
    ],
)
def test_no_row_is_read_beyond_the_greatest_length(options: dict[str, Any], read: int) -> None:
    """Positions there are none of are never asked for, also not for rows that wait for longer ones."""

    class Short(TableState):
        def _logits(self) -> torch.Tensor:
            assert max(map(len, self.texts)) <= read
            return super()._logits()

        def extend(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            logits = super().extend(ids, lengths)
            assert max(map(len, self.texts)) <= read
            return logits

    texts = [[3, 4, 3, 4, 3], [5], [6, 7, 8, 2, 6, 7, 8], [4, 4, 4]]
    for seed in range(4):
        table = Table(seed=seed, sharpness=3.0)
        run(table, texts, state=Short(table, texts), max_length=9, eos_token_id=None, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"top_k": 0},
        {"top_k": 4},
        {"top_k": 5, "top_p": 0.8, "temperature": 1.7},
        {"top_k": 0, "min_p": 0.1, "typical_p": 0.9},
        {"top_k": 0, "epsilon_cutoff": 0.02, "repetition_penalty": 1.3, "no_repeat_ngram_size": 3},
    ],
)
@given(
    seeds=st.lists(st.integers(0, 2**63), min_size=4, max_size=4),
    order=st.permutations(range(4)),
    cut=st.integers(1, 3),
)
@settings(max_examples=15, deadline=None)
def test_a_rows_sample_is_the_same_in_any_batch(
    options: dict[str, Any], seeds: list[int], order: list[int], cut: int
) -> None:
    table = Table(seed=4, sharpness=0.7)
    options = {"do_sample": True, "max_new_tokens": 8, **options}
    whole = found(table, TEXTS, seeds=seeds, **options)
    for part in (order[:cut], order[cut:]):
        texts = [TEXTS[row] for row in part]
        assert found(table, texts, seeds=[seeds[row] for row in part], **options) == [whole[row] for row in part]


def test_one_seed_gives_every_row_its_own() -> None:
    table = Table(seed=5, sharpness=0.1)
    texts = [[3, 4]] * 6
    sampled = found(table, texts, do_sample=True, seed=11, max_new_tokens=12)
    assert sampled == found(table, texts, do_sample=True, seed=11, max_new_tokens=12)
    assert len(set(map(tuple, sampled))) > 1
    assert sampled != found(table, texts, do_sample=True, seed=12, max_new_tokens=12)
    seeds = [row_seed(11, row) for row in range(6)]
    assert sampled == found(table, texts, do_sample=True, seeds=seeds, max_new_tokens=12)


def test_copies_differ_and_leave_one_by_one() -> None:
    table = Table(seed=6, sharpness=0.3)
    options = {"do_sample": True, "seed": 3, "max_new_tokens": 14, "num_return_sequences": 5}
    state = TableState(table, TEXTS)
    texts = new(run(table, TEXTS, state=state, **options), TEXTS)
    assert len(texts) == 20
    assert len(set(map(tuple, texts[:5]))) > 1
    alone = [
        text
        for row in range(4)
        for text in found(table, [TEXTS[row]], seeds=[row_seed(3, row)], **{**options, "seed": None})
    ]
    assert texts == alone
    steps = [rows for name, rows in state.log if name == "step"]
    assert steps[0] == 20 or any(len(text) == 1 for text in texts)
    going = [sum(len(text) > step for text in texts[row : row + 5]) for step in range(1, 14) for row in range(0, 20, 5)]
    most = [max(going[at : at + 4]) * sum(count > 0 for count in going[at : at + 4]) for at in range(0, len(going), 4)]
    assert steps == [count for count in most if count]


def test_without_a_seed_torchs_own_generator_is_drawn_from() -> None:
    table = Table(seed=7, sharpness=0.1)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        first = found(table, TEXTS, do_sample=True, max_new_tokens=10)
        second = found(table, TEXTS, do_sample=True, max_new_tokens=10)
        torch.manual_seed(5)
        assert found(table, TEXTS, do_sample=True, max_new_tokens=10) == first
    assert first != second


def test_with_a_seed_torchs_own_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    found(Table(), TEXTS, do_sample=True, seed=1, max_new_tokens=5)
    found(Table(), TEXTS, max_new_tokens=5)
    assert torch.equal(before, torch.get_rng_state())


def test_frequencies_follow_the_probabilities() -> None:
    table = Table(seed=8, sharpness=1.0)
    draws = 4000
    options = {"do_sample": True, "seed": 1, "max_new_tokens": 1, "num_return_sequences": draws, "temperature": 1.4}
    output = run(table, [[3, 4]], top_k=5, **options)
    counts = torch.bincount(output.sequences[:, 2], minlength=table.size) / draws
    logits = table.after([3, 4]) / 1.4
    logits[logits < logits.topk(5).values[-1]] = float("-inf")
    assert (counts - logits.softmax(0)).abs().max() < 4 * 0.5 / draws**0.5
    assert not counts[logits == float("-inf")].any()


def test_the_sample_does_not_depend_on_whether_scores_are_kept() -> None:
    table = Table(seed=9, sharpness=0.5)
    options = {"do_sample": True, "seed": 4, "max_new_tokens": 9, "top_k": 4, "top_p": 0.9}
    kept = run(table, TEXTS, output_scores=True, return_dict_in_generate=True, **options)
    assert new(kept, TEXTS) == found(table, TEXTS, **options)
    assert kept.scores is not None
    assert int(kept.scores[0].isfinite().sum(1).max()) <= 4


def test_ties_at_the_border_are_drawn_alike_in_any_batch() -> None:
    """Equal scores, as half precision has many: a neighbour with more of them changes nothing."""
    table = Table(seed=10, size=12)
    table.logits = table.logits.round()
    options = {"do_sample": True, "max_new_tokens": 6, "top_k": 3, "top_p": 0.7}
    texts = [[a, b] for a in range(2, 12) for b in range(2, 12)]
    seeds = list(range(len(texts)))
    whole = found(table, texts, seeds=seeds, **options)
    for row, text in enumerate(texts):
        assert found(table, [text], seeds=[seeds[row]], **options) == [whole[row]]


def test_inverting_never_draws_the_impossible() -> None:
    probabilities = torch.tensor([[0.0, 0.3, 0.0, 0.7, 0.0]])
    for uniform, expected in ((0.0, 1), (0.299, 1), (0.31, 3), (1 - 2**-53, 3)):
        assert int(inverted(probabilities, torch.tensor([[uniform]], dtype=torch.float64))) == expected


def test_drawing_without_replacement() -> None:
    probabilities = torch.tensor([[0.0, 0.5, 0.0, 0.5, 0.0], [0.1, 0.2, 0.3, 0.2, 0.2]])
    uniform = torch.rand(2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    drawn = without_replacement(probabilities, uniform)
    assert sorted(drawn[0, :2].tolist()) == [1, 3]
    assert drawn[0, 2:].tolist() == [0, 2]
    assert len(set(drawn[1].tolist())) == 4


def test_first_draws_without_replacement_follow_the_probabilities() -> None:
    probabilities = torch.tensor([0.05, 0.15, 0.3, 0.5]).expand(5000, 4)
    noise = RowNoise(range(5000), draws=2).at(torch.arange(5000), torch.zeros(5000, dtype=torch.long))
    first, second = without_replacement(probabilities, noise).T
    assert (torch.bincount(first, minlength=4) / 5000 - probabilities[0]).abs().max() < 0.03
    after_last = torch.bincount(second[first == 3], minlength=4)[:3] / (first == 3).sum()
    assert (after_last - torch.tensor([0.1, 0.3, 0.6])).abs().max() < 0.04
