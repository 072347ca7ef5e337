"""Retrieval that collapses while it is trained is seen."""

import logging
import math

import pytest

from tfx_core.errors import InputError
from tfx_retrieval.rag.watch import RetrievalWatch


def watched(rows: "list[list[int]]", window: int = 20) -> RetrievalWatch:
    watch = RetrievalWatch(window=window)
    for number, own in enumerate(rows):
        watch.observe(f"question {number}", own, [2.0, 1.0])
    return watch


def test_retrieval_that_tells_questions_apart_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    report = watched([[number, number + 1] for number in range(20)]).report()
    assert (report.questions, report.documents, report.same_first, report.collapsed) == (20, 21, 0.05, False)
    assert report.margin == 1.0
    assert report.certainty == pytest.approx(1 / (1 + math.exp(-1)))
    assert not caplog.records


def test_one_document_for_most_questions_is_a_warning_with_the_cure(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        watch = watched([[7, number] for number in range(40)])
    assert watch.report().collapsed
    assert watch.report().same_first == 1.0
    assert [each.levelname for each in caplog.records] == ["WARNING"]  # once for so many questions
    assert "100 % of the last 20 questions have the same first document" in caplog.text
    assert "lower the rate of the question encoder" in caplog.text


def test_entropy_counts_documents_of_equal_use() -> None:
    assert math.exp(watched([[number % 4, 4 + number % 4] for number in range(20)]).report().entropy) == pytest.approx(
        8
    )


def test_a_question_counts_once_as_it_was_last_answered() -> None:
    watch = RetrievalWatch(window=20)
    for row in range(50):
        watch.observe("the same", [row], [0.0])
    assert watch.report().questions == 1
    assert not watch.report().collapsed


def test_before_anything_was_seen_there_is_a_report() -> None:
    assert RetrievalWatch().report().questions == 0


def test_a_window_of_few_questions_says_nothing() -> None:
    with pytest.raises(InputError, match="window=3"):
        RetrievalWatch(window=3)
