"""Forced words: how progress is counted, and that outputs have them."""

import itertools
from collections.abc import Sequence

import pytest
import torch

from tests.core.generation.toys import EOS, Table, found, run
from tfx_core.errors import InputError
from tfx_core.generation import DisjunctiveConstraint, GenerationOptions, PhrasalConstraint
from tfx_core.generation.constraints import ConstraintProgress

TEXTS = [[3, 4], [5], [2, 2, 8, 2]]


def progress(constraints: Sequence[PhrasalConstraint | DisjunctiveConstraint], text: list[int]) -> ConstraintProgress:
    state = ConstraintProgress.begin(constraints)
    for token in text:
        state = state.after(token)
    return state


def test_progress_of_phrases() -> None:
    constraints = [PhrasalConstraint([5, 6, 7]), PhrasalConstraint([8])]
    assert progress(constraints, []).following() == [5, 8]
    assert progress(constraints, [5]).following() == [6]
    assert progress(constraints, [5, 6, 7]).following() == [8]
    assert progress(constraints, [5, 6, 7]).met == 1
    assert progress(constraints, [8, 1, 5, 6, 7]).complete
    # what breaks a phrase is not looked at again
    assert not progress(constraints, [5, 5, 6, 7]).complete
    assert progress(constraints, [5, 5, 6, 7]).met == 0
    assert progress(constraints, [5, 8]).following() == [8, 5]


def test_banks_rise_with_progress() -> None:
    constraints = [PhrasalConstraint([5, 6, 7]), PhrasalConstraint([8])]
    texts = [[], [5], [5, 6], [5, 6, 7], [5, 6, 7, 8]]
    banks = [progress(constraints, text).bank for text in texts]
    assert banks == sorted(set(banks))
    assert progress(constraints, [5, 6, 1]).bank == 0


def test_progress_of_alternatives() -> None:
    """Alternatives that begin alike stay apart when they are followed side by side."""
    constraint = DisjunctiveConstraint([[5, 6, 7], [5, 8], [9]])
    begun = ConstraintProgress.begin([constraint]).after(5)
    assert begun.following() == [6, 8]
    after_six, after_eight = begun.after(6), begun.after(8)
    assert after_six.following() == [7]
    assert after_eight.complete
    assert begun.following() == [6, 8]
    assert ConstraintProgress.begin([constraint]).after(9).complete


@pytest.mark.parametrize("words", [[[5, 6], [5, 6, 7]], [[5], [5]], [], [[]]])
def test_alternatives_that_cannot_be_meant(words: list[list[int]]) -> None:
    with pytest.raises(InputError, match="forced words"):
        DisjunctiveConstraint(words)


def test_options_become_constraints() -> None:
    own = PhrasalConstraint([4])
    options = GenerationOptions(num_beams=2, force_words_ids=[[5, 6], [[7], [8, 9]]], constraints=[own])
    assert [each.length for each in options.conditions] == [1, 2, 2]


def test_outputs_have_the_words() -> None:
    for seed in range(12):
        table = Table(seed=seed)
        texts = found(table, TEXTS, num_beams=6, force_words_ids=[[6, 7], [[5, 2], [8, 8]]], max_new_tokens=12)
        for text, prompt in zip(texts, TEXTS, strict=True):
            whole = [*prompt, *text]
            pairs = set(itertools.pairwise(whole))
            assert (6, 7) in pairs
            assert {(5, 2), (8, 8)} & pairs


def test_a_constraint_of_ones_own() -> None:
    class Rising:
        """Three tokens, each one more than the one before."""

        length = 3

        def following(self, done: tuple[int, ...]) -> Sequence[int]:
            return range(2, 6) if not done else [done[-1] + 1] if len(done) < 3 else []

    text = found(Table(seed=1), [[7]], num_beams=6, constraints=[Rising()], max_new_tokens=8)[0]
    assert any(text[at + 1] == text[at] + 1 and text[at + 2] == text[at] + 2 for at in range(len(text) - 2))


def test_words_that_do_not_fit_are_said_to_be_missing() -> None:
    with pytest.warns(UserWarning, match="lack forced words"):
        found(Table(), [[3]], num_beams=2, force_words_ids=[[4, 5, 6, 7, 8]], max_new_tokens=3)


def test_a_forced_word_outside_the_vocabulary() -> None:
    with pytest.raises(InputError, match="token 99"):
        found(Table(), [[3]], num_beams=2, force_words_ids=[[99]], max_new_tokens=3)


def test_ends_are_kept_only_with_all_words() -> None:
    """A text that ends early lacks the word: it is not finished, however likely."""
    table = Table(seed=3)
    table.logits[..., EOS] += 6
    texts = found(table, TEXTS, num_beams=4, force_words_ids=[[6, 7]], max_new_tokens=10)
    assert all((6, 7) in set(itertools.pairwise(text)) for text in texts)
    assert any(len(text) < 10 for text in texts)


def test_conditions_that_end_everything_end_no_forced_word() -> None:
    output = run(
        Table(), [[3]], num_beams=2, force_words_ids=[[6, 7]], max_new_tokens=5,
        arguments={"stopping_criteria": [lambda rows: torch.ones(len(rows), dtype=torch.bool)]},
    )  # fmt: skip
    assert output.sequences[0, :3].tolist() == [3, 6, 7]
