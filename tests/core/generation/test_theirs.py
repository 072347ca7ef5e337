"""Processors and criteria written for the reference library: which they are, and what they see."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.core.generation.toys import EOS, PAD, Table, found, new, run, toy_model
from tfx_core.errors import InputError
from tfx_core.generation import Rows, generate

TEXTS = [[3, 4], [5], [4, 3, 6]]
WAYS: list[dict[str, Any]] = [
    {}, {"do_sample": True, "seeds": [1, 2, 3], "num_return_sequences": 2}, {"num_beams": 3},
    {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5}, {"num_beams": 3, "force_words_ids": [[5]]},
    {"penalty_alpha": 0.5, "top_k": 3}, {"prompt_lookup_num_tokens": 3},
]  # fmt: skip


class Reference:
    """Called as in the reference library; it prefers a token that depends on the text, and notes what it sees."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.seen.append(input_ids.clone())
        return scores.scatter_add(1, (input_ids[:, -1:] + 2) % scores.shape[1], torch.full_like(scores[:, :1], 1.5))


def ours(scores: Tensor, rows: Rows) -> Tensor:
    return scores.scatter_add(1, (rows.last[:, None] + 2) % scores.shape[1], torch.full_like(scores[:, :1], 1.5))


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_a_processor_of_theirs_does_what_one_of_ours_does(options: dict[str, Any]) -> None:
    for table in map(Table, [9] * 5, range(5)):
        theirs = run(table, TEXTS, max_new_tokens=7, arguments={"logits_processor": [Reference()]}, **options)
        mine = run(table, TEXTS, max_new_tokens=7, arguments={"logits_processor": [ours]}, **options)
        assert torch.equal(theirs.sequences, mine.sequences)


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_a_criterion_of_theirs_does_what_one_of_ours_does(options: dict[str, Any]) -> None:
    def theirs(input_ids: Tensor, scores: Any, **others: Any) -> Tensor:
        return input_ids[:, -1] == 7

    for table in map(Table, [9] * 5, range(5)):
        wanted, given = (
            run(table, TEXTS, max_new_tokens=7, arguments={"stopping_criteria": [criterion]}, **options)
            for criterion in (lambda rows: rows.last == 7, theirs)
        )
        assert torch.equal(given.sequences, wanted.sequences)


def test_they_see_the_whole_batch_as_the_reference_shows_it() -> None:
    """Prompts padded on the left, a column for every step, texts that are over filled up."""
    table, processor = Table(seed=36), Reference()
    output = run(table, TEXTS, max_new_tokens=8, arguments={"logits_processor": [processor]})
    assert [each.shape for each in processor.seen] == [(3, 3 + step) for step in range(len(processor.seen))]
    assert any(text[-1] == EOS and len(text) < len(processor.seen) for text in new(output, TEXTS))
    for seen in processor.seen:
        assert torch.equal(seen, output.sequences[:, : seen.shape[1]])
    assert processor.seen[0][1].tolist() == [PAD, PAD, 5]


def test_one_answer_of_a_criterion_is_for_all_rows() -> None:
    def length(input_ids: Tensor, scores: Any) -> bool:
        return input_ids.shape[1] >= 5

    output = run(Table(), TEXTS, max_new_tokens=9, eos_token_id=None, arguments={"stopping_criteria": [length]})
    assert output.sequences.shape == (3, 5)
    beams = run(
        Table(), TEXTS, max_new_tokens=9, eos_token_id=None, num_beams=2, arguments={"stopping_criteria": [length]}
    )
    assert beams.sequences.shape == (3, 5)


def test_a_criterion_sees_the_scores_that_are_kept() -> None:
    seen: list[Any] = []

    def criterion(input_ids: Tensor, scores: Any) -> bool:
        seen.append(scores)
        return False

    given = {"stopping_criteria": [criterion]}
    output = run(Table(), TEXTS, max_new_tokens=3, output_scores=True, return_dict_in_generate=True, arguments=given)
    assert output.scores is not None
    assert [len(each) for each in seen] == [1, 2, 3]
    assert all(map(torch.equal, seen[-1], output.scores))
    run(Table(), TEXTS, max_new_tokens=3, arguments=given)
    assert seen[-1] is None


class ByPlace:
    def __call__(self, ids: Tensor, scores: Tensor) -> Tensor:
        return scores


class WithMore:
    def __call__(self, input_ids: Tensor, scores: Tensor, current_tokens: Tensor) -> Tensor:
        return scores


@pytest.mark.parametrize(
    "processor", [ByPlace(), lambda input_ids, scores: scores, lambda scores, rows: scores, lambda scores, _: scores]
)
def test_names_of_parameters_tell_which_it_is(processor: Any) -> None:
    plain = found(Table(), TEXTS, max_new_tokens=3)
    assert new(run(Table(), TEXTS, max_new_tokens=3, arguments={"logits_processor": [processor]}), TEXTS) == plain


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"logits_processor": [lambda a, b: b]}, r"takes \(a, b\).*\(scores, rows\), or \(input_ids, scores\)"),
        ({"logits_processor": [WithMore()]}, r"WithMore also takes current_tokens"),
        ({"logits_processor": ByPlace()}, r"logits_processor=.*: must be a list of what can be called"),
        ({"logits_processor": [3]}, r"logits_processor=\[3\]: must be a list"),
        ({"stopping_criteria": lambda rows: rows}, r"stopping_criteria=.*: must be a list"),
        ({"logits_processor": [lambda input_ids, scores: None]}, r"gave no scores of shape \(3, 9\)"),
        ({"stopping_criteria": [lambda input_ids, scores: torch.ones(2)]}, "gave 2 answers for 3 rows"),
    ],
)
def test_what_they_cannot_be_is_told(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        run(Table(), TEXTS, max_new_tokens=3, arguments=arguments)


def test_none_is_none_of_them() -> None:
    ids = torch.tensor([[3, 4]])
    plain = generate(toy_model(), ids, max_new_tokens=3)
    none = generate(toy_model(), ids, max_new_tokens=3, logits_processor=None, stopping_criteria=None)
    assert torch.equal(none, plain)


def test_what_cannot_be_streamed_to_is_told() -> None:
    with pytest.raises(InputError, match=r"streamer=.*: a streamer has put\(tokens\) and end\(\)"):
        generate(toy_model(), torch.tensor([[3, 4]]), streamer=print)
