"""Questions are read and written in the released format, one at a time; what is none is named."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from torch.utils.data import DataLoader

from tfx_core.embedding import Passage
from tfx_core.errors import InputError
from tfx_retrieval.training import QuestionFile, TrainingQuestion, questions, write_questions

RECORD = {
    "dataset": "nq_train_psgs_w100",
    "question": "who wrote it?",
    "answers": ["A. Author"],
    "positive_ctxs": [{"title": "It", "text": "by A. Author, who wrote it", "score": 1000, "passage_id": "17"}],
    "negative_ctxs": [{"title": "Else", "text": "by nobody"}],
    "hard_negative_ctxs": [{"title": None, "text": 'wrote [it], "; ]', "psg_id": 4}],
}
QUESTION = TrainingQuestion(
    "who wrote it?",
    ("A. Author",),
    (Passage("by A. Author, who wrote it", "It", "17"),),
    (Passage('wrote [it], "; ]', "", "4"),),
    (Passage("by nobody", "Else"),),
)


def records(count: int) -> list[dict[str, Any]]:
    return [{**RECORD, "question": f"number {number}"} for number in range(count)]


@pytest.mark.parametrize("layout", ["array", "indented", "lines", "compressed"])
@pytest.mark.parametrize("chunk", [7, 1 << 20])
def test_the_released_files_are_read(tmp_path: Path, layout: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "_CHUNK", chunk)
    many, path = records(5), tmp_path / "questions.json"
    if layout == "lines":
        path.write_text("\n\n".join(map(json.dumps, many)))
    elif layout == "compressed":
        path = tmp_path / "questions.json.gz"
        path.write_bytes(gzip.compress(json.dumps(many).encode()))
    else:
        path.write_text(json.dumps(many, indent=4 if layout == "indented" else None))
    found = list(QuestionFile(path))
    assert [each.question for each in found] == [f"number {number}" for number in range(5)]
    assert {each.positives for each in found} == {QUESTION.positives}
    assert {each.hard_negatives for each in found} == {QUESTION.hard_negatives}
    assert {each.negatives for each in found} == {QUESTION.negatives}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    assert write_questions(path, [QUESTION, TrainingQuestion("ohne? äöü")]) == 2
    assert list(QuestionFile(path)) == [QUESTION, TrainingQuestion("ohne? äöü")]
    with pytest.raises(ZeroDivisionError):
        write_questions(path, (TrainingQuestion(str(1 // number)) for number in (1, 0)))
    assert len(list(QuestionFile(path))) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["questions.jsonl"]


def test_workers_share_the_questions(tmp_path: Path) -> None:
    path = tmp_path / "questions.json"
    path.write_text(json.dumps(records(5)))
    loader = DataLoader(QuestionFile(path), batch_size=None, num_workers=2)
    for _ in range(2):
        assert sorted(each.question for each in loader) == [f"number {number}" for number in range(5)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", None),
        ("[]", None),
        ("{", "not JSON after 0 questions"),
        ('[{"question": "a"}, {"question"', "not JSON after 1 questions"),
        ('[{"question": "a"}', "not JSON after 1 questions"),
        ("[1]", "question 1: 1 is no object"),
        ('{"question": ""}', "question 1: 'question' is ''"),
        ('{"question": "a"}\n{"question": 3}', "question 2: 'question' is 3"),
        ('{"question": "a", "answers": "b"}', "'answers' is 'b'; it must be a list"),
        ('{"question": "a", "positive_ctxs": {}}', None),
        ('{"question": "a", "positive_ctxs": "b"}', "'positive_ctxs' is 'b'; it must be a list"),
        ('{"question": "a", "hard_negative_ctxs": [{"title": "b"}]}', "'hard_negative_ctxs', passage 1"),
        ('{"question": "a", "positive_ctxs": [{"text": "b", "title": 1}]}', "'title' is 1"),
    ],
)
def test_what_is_no_question_is_named(tmp_path: Path, content: str, said: str | None) -> None:
    path = tmp_path / "questions.json"
    path.write_text(content)
    if said is None:
        assert len(list(QuestionFile(path))) <= 1
        return
    with pytest.raises(InputError) as raised:
        list(QuestionFile(path))
    assert said in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_file_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        QuestionFile(tmp_path / "none.json")
