"""Every processor against its definition, on rows of different lengths whose padding means nothing."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.core.generation.toys import PAD, Table, found, padded, run
from tfx_core.errors import InputError
from tfx_core.generation import GenerationOptions, Prompts, Rows
from tfx_core.generation.processors import build_processors

SIZE = 8
BANNED = float("-inf")
TEXTS = st.lists(st.lists(st.integers(0, SIZE - 1), min_size=1, max_size=9), min_size=1, max_size=4)

Row = Callable[[list[float], list[int], int, list[int]], None]
"""Changes one row's scores, given its text, the length of its prompt and its source."""


def followers(text: list[int], within: list[int], size: int) -> set[int]:
    """What would complete ``size`` tokens that occur in ``within``."""
    end = text[len(text) - size + 1 :] if size > 1 else []
    if len(text) < size - 1:
        return set()
    return {within[at + size - 1] for at in range(len(within) - size + 1) if within[at : at + size - 1] == end}


def ban(scores: list[float], tokens: set[int]) -> None:
    for token in tokens:
        scores[token] = BANNED


def penalise(scores: list[float], tokens: set[int], penalty: float) -> None:
    for token in tokens:
        scores[token] = scores[token] * penalty if scores[token] < 0 else scores[token] / penalty


def bias(scores: list[float], text: list[int], sequences: dict[tuple[int, ...], float]) -> None:
    for sequence, value in sequences.items():
        if len(sequence) == 1 or tuple(text[-len(sequence) + 1 :]) == sequence[:-1]:
            scores[sequence[-1]] += value


def only(scores: list[float], token: int, when: bool) -> None:
    if when:
        scores[:] = [0.0 if each == token else BANNED for each in range(SIZE)]


BIASES = {(3,): 1.5, (4, 3): -2.0, (5, 4, 3): BANNED, (1, 2): 4.0, (2, 2): 1.0, (0, 2): 2.0}
DEFINITIONS: dict[str, tuple[dict[str, Any], Row]] = {
    "repetition": ({"repetition_penalty": 1.7}, lambda s, t, p, x: penalise(s, set(t), 1.7)),
    "source": ({"encoder_repetition_penalty": 1.7}, lambda s, t, p, x: penalise(s, set(x), 1 / 1.7)),
    "ngram 1": ({"no_repeat_ngram_size": 1}, lambda s, t, p, x: ban(s, set(t))),
    "ngram 2": ({"no_repeat_ngram_size": 2}, lambda s, t, p, x: ban(s, followers(t, t, 2))),
    "ngram 3": ({"no_repeat_ngram_size": 3}, lambda s, t, p, x: ban(s, followers(t, t, 3))),
    "source ngram": ({"encoder_no_repeat_ngram_size": 2}, lambda s, t, p, x: ban(s, followers(t, x, 2))),
    "source ngram 3": ({"encoder_no_repeat_ngram_size": 3}, lambda s, t, p, x: ban(s, followers(t, x, 3))),
    "bias": ({"sequence_bias": BIASES}, lambda s, t, p, x: bias(s, t, BIASES)),
    "bias as a list": (
        {"sequence_bias": [[list(key), value] for key, value in BIASES.items()]},
        lambda s, t, p, x: bias(s, t, BIASES),
    ),
    "bad words": (
        {"bad_words_ids": [[3], [4, 5], [6], [6, 6]]},
        lambda s, t, p, x: bias(s, t, dict.fromkeys([(3,), (4, 5), (6, 6)], BANNED)),
    ),
    "least length": ({"min_length": 6}, lambda s, t, p, x: ban(s, {6} if len(t) < 6 else set())),
    "least new": ({"min_new_tokens": 3}, lambda s, t, p, x: ban(s, {6} if len(t) - p < 3 else set())),
    "forced second": ({"forced_bos_token_id": 5}, lambda s, t, p, x: only(s, 5, len(t) == 1)),
    "forced last": ({"forced_eos_token_id": 5}, lambda s, t, p, x: only(s, 5, len(t) == 9)),
    "suppressed": ({"suppress_tokens": [2, 4]}, lambda s, t, p, x: ban(s, {2, 4})),
    "begin": ({"begin_suppress_tokens": [2, 4]}, lambda s, t, p, x: ban(s, {2, 4} if len(t) == p else set())),
}


@pytest.mark.parametrize("name", DEFINITIONS)
@given(texts=TEXTS, seed=st.integers(0, 99), side=st.sampled_from(["left", "right"]), data=st.data())
@settings(max_examples=25, deadline=None)
def test_processors_do_what_they_say(
    name: str, texts: list[list[int]], seed: int, side: str, data: st.DataObject
) -> None:
    options, change = DEFINITIONS[name]
    rows = rows_of(texts, side)
    rows.prompt_lengths = torch.tensor([data.draw(st.integers(1, len(text))) for text in texts])
    sources = data.draw(st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=5), min_size=4, max_size=4))
    source = Prompts.from_padded(*padded(sources))
    scores = torch.randn(len(texts), SIZE, generator=torch.Generator().manual_seed(seed))
    expected = scores.tolist()
    for row, text in enumerate(texts):
        change(expected[row], text, int(rows.prompt_lengths[row]), sources[row])
    (processor,) = build_processors(GenerationOptions(eos_token_id=6, **options), source)
    torch.testing.assert_close(processor(scores.clone(), rows), torch.tensor(expected))


def rows_of(texts: list[list[int]], side: str) -> Rows:
    prompts = Prompts.from_padded(*padded(texts, side))
    return Rows.of(prompts, torch.full((len(texts),), 10))


def test_end_more_likely_and_never_from_banned() -> None:
    options = GenerationOptions(eos_token_id=6, exponential_decay_length_penalty=(2, 1.5), min_new_tokens=1)
    texts = [[1], [1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4, 5]]
    rows = rows_of(texts, "left")
    rows.prompt_lengths = torch.ones(4, dtype=torch.long)
    scores = torch.full((4, SIZE), -2.0)
    for processor in build_processors(options, None):
        scores = processor(scores, rows)
    assert scores[:, 6].tolist() == [BANNED, -2.0, -2.0 + 2 * 0.5, -2.0 + 2 * (1.5**2 - 1)]
    assert not scores.isnan().any()


def test_processors_are_in_the_order_of_the_reference() -> None:
    options = GenerationOptions(
        eos_token_id=6, repetition_penalty=2.0, no_repeat_ngram_size=2, bad_words_ids=[[1]], min_length=3,
        forced_bos_token_id=2, forced_eos_token_id=3, suppress_tokens=[4], begin_suppress_tokens=[5],
        sequence_bias={(1,): 1.0}, encoder_repetition_penalty=1.5, encoder_no_repeat_ngram_size=2,
        exponential_decay_length_penalty=(1, 1.1), remove_invalid_values=True,
        num_beams=2, num_beam_groups=2, diversity_penalty=1.0, renormalize_logits=True,
    )  # fmt: skip
    source = Prompts.from_padded(torch.tensor([[1, 2]]), None)

    def own(scores: Tensor, rows: Rows) -> Tensor:
        return scores

    chain = build_processors(options, source, lambda row, tokens: [1], [own])
    assert [getattr(each, "__name__", type(each).__name__) for each in chain] == [
        "SequenceBias", "Diversity", "EncoderRepetitionPenalty", "RepetitionPenalty", "NoRepeats", "NoEncoderRepeats",
        "SequenceBias", "LeastLength", "OnlyAllowed", "ForcedSecond", "ForcedLast", "replace_invalid",
        "EndMoreLikely", "Suppressed", "SuppressedAtBegin", "own", "renormalise",
    ]  # fmt: skip
    assert build_processors(GenerationOptions(), source) == ()


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"do_sample": True, "renormalize_logits": True}, []),  # left to the sampler
        ({"do_sample": True, "renormalize_logits": True, "output_scores": True}, ["Warper", "renormalise"]),
        ({"do_sample": True, "num_beams": 2}, ["Warper"]),
        ({"renormalize_logits": True}, []),  # changes nothing that is chosen
    ],
)
def test_scores_are_filtered_where_beams_or_the_caller_see_them(options: dict[str, Any], names: list[str]) -> None:
    chain = build_processors(GenerationOptions(**options), None)
    assert [getattr(each, "__name__", type(each).__name__) for each in chain] == names


def test_diversity_counts_what_earlier_groups_chose_for_this_step() -> None:
    rows = rows_of([[1, 2], [3]], "left")
    (diversity,) = build_processors(GenerationOptions(num_beams=2, num_beam_groups=2, diversity_penalty=0.5), None)
    scores = torch.zeros(2, SIZE)
    torch.testing.assert_close(diversity(scores, rows), scores)
    rows.avoided = torch.tensor([[4, 4], [4, 5]])
    expected = torch.zeros(2, SIZE)
    expected[0, 4], expected[1, 4], expected[1, 5] = -1.0, -0.5, -0.5
    torch.testing.assert_close(diversity(scores, rows), expected)
    torch.testing.assert_close(diversity(scores, rows.take(torch.tensor([1, 0]))), expected[[1, 0]])
    rows.append(torch.tensor([6, 6]))
    torch.testing.assert_close(diversity(scores, rows), scores)


@pytest.mark.parametrize(
    "options",
    [
        {"suppress_tokens": [99]},
        {"begin_suppress_tokens": [99]},
        {"bad_words_ids": [[1, 99]]},
        {"sequence_bias": {(99,): 1.0}},
        {"forced_eos_token_id": 99},
        {"forced_bos_token_id": 99},
    ],
)
def test_tokens_outside_the_vocabulary_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"99.* outside the vocabulary of 9"):
        run(Table(), [[3, 4]], max_new_tokens=2, **options)


@pytest.mark.parametrize("beams", [1, 2])
def test_a_token_banned_everywhere_is_an_error(beams: int) -> None:
    def ban_second(scores: Tensor, rows: Rows) -> Tensor:
        return scores.masked_fill((rows.sources == 1)[:, None], BANNED)

    with pytest.raises(InputError, match="row 1: every token is banned"):
        run(Table(), [[3, 4], [5]], num_beams=beams, arguments={"logits_processor": [ban_second]})


@pytest.mark.parametrize("options", [{}, {"do_sample": True}, {"num_beams": 3}, {"penalty_alpha": 0.5, "top_k": 3}])
def test_everything_suppressed_is_an_error(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="every token is banned"):
        run(Table(), [[3, 4]], suppress_tokens=list(range(9)), **options)


def test_allowed_tokens_must_allow_something() -> None:
    with pytest.raises(InputError, match=r"row 0: every token is banned after \[3, 4\];.*prefix_allowed_tokens_fn"):
        run(Table(), [[3, 4]], arguments={"prefix_allowed_tokens_fn": lambda row, tokens: []})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"do_sample": True},
        {"do_sample": True, "top_k": 0},
        {"num_beams": 3},
        {"num_beams": 3, "do_sample": True},
        {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
        {"num_beams": 3, "force_words_ids": [[5]]},
        {"penalty_alpha": 0.5, "top_k": 3},
        {"prompt_lookup_num_tokens": 3},
    ],
)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_an_error(options: dict[str, Any], value: float) -> None:
    table = Table()
    table.logits[3, 4, 6] = value
    with pytest.raises(InputError, match=r"logits (contain NaN|are infinite)"):
        run(table, [[5, 5], [3, 4]], max_new_tokens=3, **options)
    assert found(table, [[3, 4]], max_new_tokens=2, remove_invalid_values=True)


def test_custom_processors_may_write_into_the_scores() -> None:
    def writes(scores: Tensor, rows: Rows) -> Tensor:
        scores[:, 5] = 50.0
        return scores

    output = run(
        Table(), [[3, 4]], max_new_tokens=3, output_logits=True, return_dict_in_generate=True,
        arguments={"logits_processor": [writes]},
    )  # fmt: skip
    assert output.sequences[0].tolist() == [3, 4, 5, 5, 5]
    assert output.logits is not None
    assert float(output.logits[0][0, 5]) == float(Table().after([3, 4])[5])


def test_padding_token_is_an_ordinary_token_of_a_text() -> None:
    """The padding before a prompt is not repeated, the same token within it is."""
    table = Table()
    table.logits[:] = 0.0
    table.logits[..., PAD] = 1.0
    assert found(table, [[3, 4], [5]], max_new_tokens=1, repetition_penalty=9.0, eos_token_id=None) == [[PAD], [PAD]]
    within = found(table, [[3, PAD, 4]], max_new_tokens=1, no_repeat_ngram_size=1, eos_token_id=None)
    assert within != [[PAD]]
