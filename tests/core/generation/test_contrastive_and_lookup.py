"""Contrastive search against its definition, and prompt lookup against plain decoding."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cosine_similarity

from tests.core.generation.toys import EOS, PlainState, Table, TableState, found, run
from tfx_core.errors import InputError

TEXTS = [[3, 4], [5], [6, 7, 8, 2], [4, 4, 4]]


def contrastive_by_hand(table: Table, text: list[int], count: int, alpha: float, top_k: int) -> list[int]:
    text, begin = list(text), len(text)

    def hidden(words: list[int]) -> torch.Tensor:
        return table.hidden[tuple(([0, *words])[-2:])]

    while len(text) - begin < count and EOS not in text[begin:]:
        probabilities = table.after(text).softmax(0)
        best, choice = -9.0, -1
        for token in probabilities.topk(top_k).indices.tolist():
            likeness = max(
                float(cosine_similarity(hidden([*text, token]), hidden(text[: end + 1]), dim=0))
                for end in range(len(text))
            )
            score = (1 - alpha) * float(probabilities[token]) - alpha * likeness
            if score > best:
                best, choice = score, token
        text.append(choice)
    return text[begin:]


@pytest.mark.parametrize("side", ["left", "right"])
def test_contrastive_search_by_its_definition(side: str) -> None:
    for seed in range(10):
        table = Table(seed=seed, sharpness=1.0)
        texts = found(table, TEXTS, side=side, penalty_alpha=0.6, top_k=4, max_new_tokens=10)
        assert texts == [contrastive_by_hand(table, text, 10, 0.6, 4) for text in TEXTS]


def test_contrastive_search_drops_what_is_finished() -> None:
    for seed in range(5):
        table = Table(seed=seed)
        state = TableState(table, TEXTS)
        run(table, TEXTS, state=state, penalty_alpha=0.6, top_k=4, max_new_tokens=10)
        lengths = [len(contrastive_by_hand(table, text, 10, 0.6, 4)) for text in TEXTS]
        steps = [rows for name, rows in state.log if name == "step"]
        assert steps == [4 * sum(length > step for length in lengths) for step in range(max(lengths))]


def test_missing_capabilities_are_named() -> None:
    plain = PlainState(TableState(Table(), TEXTS))
    with pytest.raises(InputError, match=r"PlainState.*hidden"):
        run(Table(), TEXTS, state=plain, penalty_alpha=0.6, top_k=4)
    with pytest.raises(InputError, match=r"PlainState.*take tokens back"):
        run(Table(), TEXTS, state=plain, prompt_lookup_num_tokens=3)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"do_sample": True, "seed": 4},
    {"do_sample": True, "seed": 5, "num_return_sequences": 3, "top_k": 3},
    {"repetition_penalty": 1.3, "no_repeat_ngram_size": 3},
    {"eos_token_id": None, "forced_eos_token_id": 8},
    {"min_new_tokens": 7, "exponential_decay_length_penalty": (3, 1.2)},
]


@pytest.mark.parametrize("options", OPTIONS)
@given(
    seed=st.integers(0, 1000),
    texts=st.lists(st.lists(st.integers(2, 4), min_size=1, max_size=8), min_size=1, max_size=4),
    tokens=st.integers(1, 6),
    size=st.integers(1, 3),
    side=st.sampled_from(["left", "right"]),
)
@settings(max_examples=12, deadline=None)
def test_lookup_changes_no_token(
    options: dict[str, Any], seed: int, texts: list[list[int]], tokens: int, size: int, side: str
) -> None:
    # few words and certain ones, so that texts repeat themselves
    table = Table(size=9, seed=seed, sharpness=3.0)
    options = {"max_new_tokens": 14, **options}
    plain = run(table, texts, side=side, **options)
    look_up = run(table, texts, side=side, prompt_lookup_num_tokens=tokens, max_matching_ngram_size=size, **options)
    assert torch.equal(plain.sequences, look_up.sequences)


def test_lookup_takes_fewer_steps() -> None:
    table = Table(size=6)
    table.logits[:] = 0.0
    for last in range(6):
        table.logits[:, last, 2 + (last - 1) % 4] = 5.0
    texts = [[2, 3, 4, 5, 2, 3], [4, 5, 2, 3, 4]]
    plain, look_up = TableState(table, texts), TableState(table, texts)
    run(table, texts, state=plain, max_new_tokens=21)
    run(table, texts, state=look_up, max_new_tokens=21, prompt_lookup_num_tokens=9)
    assert sum(name == "step" for name, _ in plain.log) == 20
    # after the first token, ten with each step
    assert sum(name == "extend" for name, _ in look_up.log) <= 5


def test_lookup_keeps_the_same_scores() -> None:
    table = Table(seed=3, sharpness=3.0)
    options = {"max_new_tokens": 10, "output_scores": True, "output_logits": True, "return_dict_in_generate": True}
    plain, look_up = run(table, TEXTS, **options), run(table, TEXTS, prompt_lookup_num_tokens=4, **options)
    for mine, same in ((plain.scores, look_up.scores), (plain.logits, look_up.logits)):
        assert mine is not None
        assert same is not None
        torch.testing.assert_close(torch.stack(mine), torch.stack(same))


def test_lookup_stops_on_conditions_of_ones_own() -> None:
    table = Table(seed=5, sharpness=3.0)
    arguments = {"stopping_criteria": [lambda rows: rows.last == 6]}
    options = {"max_new_tokens": 12, "arguments": arguments}
    plain, look_up = run(table, TEXTS, **options), run(table, TEXTS, prompt_lookup_num_tokens=4, **options)
    assert torch.equal(plain.sequences, look_up.sequences)
