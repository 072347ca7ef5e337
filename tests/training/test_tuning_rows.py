"""What rows ask for, and what becomes of them: labels, windows, choices, prompts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.core.text.folders import small
from tfx_core import Tokenizer
from tfx_core.errors import InputError
from tfx_core.model.heads import IGNORED
from tfx_training.finetuning.answers import Answers
from tfx_training.finetuning.choices import Choices
from tfx_training.finetuning.classes import Classes
from tfx_training.finetuning.completions import Completions
from tfx_training.finetuning.records import Record
from tfx_training.finetuning.tags import Tags
from tfx_training.finetuning.texts import Texts
from tfx_training.finetuning.tuning import FineTuning, in_order
from tfx_training.objective import Batch, generator_of


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return small(tmp_path / "tokenizer")


def records(*values: Mapping[str, object]) -> list[Record]:
    return [Record(each, f"rows, line {number}") for number, each in enumerate(values, 1)]


def batch_of(objective: FineTuning[Any], *values: Mapping[str, object]) -> Batch:
    rows = objective.rows(objective.corpus(records(*values)), generator_of(0))
    return objective.batch([objective.example(row, generator_of(0)) for row in rows])


def classified(*labels: object) -> list[Record]:
    return records(*({"text": "a", "label": label} for label in labels))


@pytest.mark.parametrize(
    ("labels", "problem", "names"),
    [
        (("b", "a", "b"), "single_label_classification", ("a", "b")),
        ((10, 9, 0), "single_label_classification", ("0", "9", "10")),
        (("10", "9"), "single_label_classification", ("9", "10")),
        ((True, False), "single_label_classification", ("false", "true")),
        ((["b"], ["a", "b"], []), "multi_label_classification", ("a", "b")),
        ((0.5, 1, "2"), "regression", ("score",)),
        (("0.5", "1.0"), "regression", ("score",)),
        (("0.5", "v1.0"), "single_label_classification", ("0.5", "v1.0")),
    ],
)
def test_labels_say_what_the_problem_is(
    tokenizer: Tokenizer, labels: tuple[object, ...], problem: str, names: tuple[str, ...]
) -> None:
    objective = Classes.for_rows(tokenizer, classified(*labels))
    assert objective.of_model() == {"id2label": dict(enumerate(names)), "problem_type": problem}


def test_labels_keep_the_numbers_that_a_model_has() -> None:
    assert in_order({"a", "b"}, ["b", "a", "c"]) == ("b", "a", "c")
    assert in_order({"a", "d"}, ["b", "a", "c"]) == ("a", "d")


def test_labels_of_texts(tokenizer: Tokenizer) -> None:
    several = Classes.for_rows(tokenizer, classified("b, a", "c", ""), problem="multi_label_classification")
    batch = batch_of(several, {"text": "a", "label": "b, a"}, {"text": "a", "label": ""})
    assert batch["labels"].tolist() == [[1, 1, 0], [0, 0, 0]]
    values = Classes.for_rows(tokenizer, classified(0.5, 2))
    assert batch_of(values, {"text": "a", "label": 2}, {"text": "a", "label": "0.5"})["labels"].tolist() == [2.0, 0.5]


def test_a_pair_is_two_texts(tokenizer: Tokenizer) -> None:
    objective = Classes(tokenizer)
    batch = batch_of(objective, {"premise": "a", "hypothesis": "b c", "label": 0})
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 1, 1, 1]]


def test_a_word_is_learnt_at_its_first_piece(tokenizer: Tokenizer) -> None:
    objective = Tags(tokenizer, labels=("O", "X"), length=8)
    words = ["abcde", "b"]
    pieces = len(tokenizer("abcde", add_special_tokens=False)["input_ids"])
    assert 1 < pieces <= 5
    labels = batch_of(objective, {"tokens": words, "tags": ["X", "O"]})["labels"].tolist()
    assert labels == [[IGNORED, 1, *[IGNORED] * (pieces - 1), 0, IGNORED]]


def test_a_long_sentence_is_several_rows_and_no_word_is_lost(tokenizer: Tokenizer) -> None:
    objective = Tags(tokenizer, labels=("O", "X"), length=5)
    rows = objective.corpus(records({"tokens": ["a", "b", "c", "d"], "tags": ["O", "X", "O", "X"]}))
    assert [(row.words, row.labels) for row in rows] == [(("a", "b", "c"), (0, 1, 0)), (("d",), (1,))]


def test_windows_of_a_long_text_have_the_answer_or_the_classifier_token(tokenizer: Tokenizer) -> None:
    objective = Answers(tokenizer, length=8, stride=2)
    letters = "a b c d e f g h"
    batch = batch_of(
        objective, {"question": "q", "context": letters, "answers": {"text": ["d e"], "answer_start": [6]}}
    )
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in "abcdefgh"}
    answers = [
        row[int(start) : int(end) + 1]
        for row, start, end in zip(
            batch["input_ids"].tolist(), batch["start_positions"], batch["end_positions"], strict=True
        )
    ]
    assert [ids["d"], ids["e"]] in answers
    assert all(each in ([ids["d"], ids["e"]], [tokenizer.cls_token_id]) for each in answers)
    assert {ids[letter] for letter in "abcdefgh"} <= set(batch["input_ids"].flatten().tolist())


def test_the_answer_is_the_one_nearest_to_where_it_is_said_to_be(tokenizer: Tokenizer) -> None:
    objective = Answers(tokenizer, length=32)
    for start, place in ((0, 3), (1, 3), (4, 5), (5, 5), (None, 3)):
        answers = {"text": ["a"], "answer_start": [start]}
        batch = batch_of(objective, {"question": "q", "context": "a b a", "answers": answers})
        assert batch["start_positions"].tolist() == [place]


@pytest.mark.parametrize("answers", [[], None, {"text": [], "answer_start": []}, ""])
def test_a_question_without_an_answer(tokenizer: Tokenizer, answers: object) -> None:
    batch = batch_of(Answers(tokenizer, length=32), {"question": "q", "context": "a b", "answers": answers})
    assert (batch["start_positions"].tolist(), batch["end_positions"].tolist()) == ([0], [0])


def test_where_rows_are_filled_up_on_the_left_places_move(tokenizer: Tokenizer) -> None:
    tokenizer.padding_side = "left"
    objective = Answers(tokenizer, length=32)
    batch = batch_of(
        objective,
        {"question": "q", "context": "b a", "answers": "a"},
        {"question": "q", "context": "b c d a", "answers": "a"},
    )
    found = batch["input_ids"].gather(1, batch["start_positions"][:, None])[:, 0]
    assert found.tolist() == [tokenizer.convert_tokens_to_ids("a")] * 2


@pytest.mark.parametrize(
    "row",
    [
        {"question": "q", "choices": ["a", "b"], "label": 1},
        {"question": "q", "choices": ["a", "b"], "label": "B"},
        {"question": "q", "choices": ["a", "b"], "label": "b"},
        {"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "B"},
        {"question": "q", "choices": {"text": ["a", "b"], "label": ["1", "2"]}, "answerKey": "2"},
        {"ctx": "q", "ending0": "a", "ending1": "b", "label": "1"},
        {"question": "q", "option1": "a", "option2": "b", "answer": 1},
    ],
)
def test_the_right_choice(tokenizer: Tokenizer, row: dict[str, object]) -> None:
    batch = batch_of(Choices(tokenizer), row)
    assert batch["labels"].tolist() == [1]
    assert batch["input_ids"].tolist() == [[tokenizer("q", choice)["input_ids"] for choice in "ab"]]


def test_choices_are_filled_up_to_the_longest_of_all(tokenizer: Tokenizer) -> None:
    batch = batch_of(
        Choices(tokenizer),
        {"question": "q", "choices": ["a", "b c"], "label": 0},
        {"question": "q", "choices": ["a", "b c d"], "label": 0},
    )
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (2, 2, 7)
    assert batch["attention_mask"].sum(-1).tolist() == [[5, 6], [5, 7]]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"question": "q", "choices": ["a"], "label": 0}], "line 1: 'choices' is ['a']; it must be a list of two"),
        ([{"question": "q", "choices": ["a", "b"], "label": 2}], "line 1: 'label' is 2; it must be one of 0, 1, A, B"),
        ([{"question": "q", "choices": list(each), "label": 0} for each in ("ab", "abc")],
         "line 2: 'choices' is ['a', 'b', 'c']; 3 choices, and rows, line 1 has 2"),
    ],
)  # fmt: skip
def test_choices_that_do_not_fit(tokenizer: Tokenizer, rows: list[dict[str, object]], told: str) -> None:
    with pytest.raises(InputError) as raised:
        Choices(tokenizer).corpus(records(*rows))
    assert told in str(raised.value)


def test_a_translation_has_its_languages(tokenizer: Tokenizer) -> None:
    row = {"translation": {"de": "a b", "en": "c"}}
    objective = Texts(tokenizer, task="translation", src_lang="de_DE", tgt_lang="en_XX", prefix="d ")
    assert [(each.source, each.target) for each in objective.corpus(records(row))] == [("a b", "c")]
    batch = batch_of(objective, row)
    assert batch["input_ids"].tolist() == [tokenizer("d a b")["input_ids"]]
    assert batch["labels"].tolist() == [tokenizer("c")["input_ids"]]
    with pytest.raises(InputError, match="say with src_lang which of de, en is meant"):
        Texts(tokenizer, task="translation").corpus(records(row))


def test_prompts_are_not_learnt_and_completions_stay(tokenizer: Tokenizer) -> None:
    tokenizer.eos_token = tokenizer.sep_token
    row = {"prompt": "a b c", "completion": "d e"}
    learnt = [*tokenizer("d e", add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    for length, prompt in ((16, "a b c"), (5, "b c"), (4, "c")):
        batch = batch_of(Completions(tokenizer, length=length), row)
        before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        assert batch["input_ids"].tolist() == [[*before, *learnt]]
        assert batch["labels"].tolist() == [[IGNORED] * len(before) + learnt]
    short = batch_of(Completions(tokenizer, length=3), row)
    assert short["labels"].tolist() == [[IGNORED, *learnt[:2]]]
    assert np.all(short["attention_mask"].numpy() == 1)
