"""How start and end scores become answers."""

import itertools

import numpy as np
import pytest

from tfx_core.tasks.spans import AnswerSpan, best_spans, span_probabilities


@pytest.mark.parametrize(("count", "longest"), [(1, 15), (5, 3), (12, 1), (1000, 40)])
def test_the_best_spans_are_those_of_a_full_search(count: int, longest: int) -> None:
    generator = np.random.default_rng(count)
    start, end = (generator.random(17, np.float32) for _ in range(2))
    start[[2, 5]] = 0
    every = sorted(
        (
            AnswerSpan(first, last, float(start[first] * end[last]))
            for first, last in itertools.combinations_with_replacement(range(17), 2)
            if last - first < longest and start[first] * end[last] > 0
        ),
        key=lambda span: -span.score,
    )
    assert best_spans(start, end, count=count, longest=longest) == every[:count]


def test_a_window_without_answers_has_no_spans() -> None:
    nothing = np.zeros(5, np.float32)
    assert best_spans(nothing, nothing, count=3, longest=2) == []


def test_probabilities_are_shared_by_answers_and_no_answer() -> None:
    logits = np.array([1.0, 9.0, 2.0, 3.0], np.float32)
    answerable = np.array([False, False, True, True])
    start, end, no_answer = span_probabilities(logits, logits, answerable, 0)
    shares = np.exp([1.0, 2.0, 3.0]) / np.exp([1.0, 2.0, 3.0]).sum()
    np.testing.assert_allclose(start, [0, 0, shares[1], shares[2]], rtol=1e-6)
    np.testing.assert_allclose(end, start)
    assert no_answer == pytest.approx(shares[0] ** 2)


def test_without_a_classifier_token_no_answer_has_no_probability() -> None:
    logits = np.array([800.0, -800.0], np.float32)  # and nothing overflows
    start, _, no_answer = span_probabilities(logits, logits, np.array([True, True]), None)
    assert no_answer == 0
    np.testing.assert_allclose(start, [1, 0])


def test_a_window_of_nothing_answerable_is_all_zero() -> None:
    logits = np.ones(3, np.float32)
    start, end, no_answer = span_probabilities(logits, logits, np.zeros(3, bool), None)
    assert not start.any()
    assert not end.any()
    assert no_answer == 0
