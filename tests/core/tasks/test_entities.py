"""How scored tokens become entities."""

from collections.abc import Sequence

import numpy as np
import pytest

from tfx_core.tasks.entities import Aggregation, Entity, ScoredToken, drop_overlaps, group, merge_words


def token(text: str, start: int, scores: Sequence[float], *, continues: bool = False) -> ScoredToken:
    return ScoredToken(0, text, start, start + len(text), np.array(scores, np.float32), continues)


MICROSOFT = [token("micro", 0, [0.1, 0.6, 0.3]), token("soft", 5, [0.2, 0.1, 0.7], continues=True)]


@pytest.mark.parametrize(
    ("strategy", "scores"),
    [("first", [0.1, 0.6, 0.3]), ("max", [0.2, 0.1, 0.7]), ("average", [0.15, 0.35, 0.5])],
)
def test_a_word_takes_its_scores_as_the_strategy_says(strategy: Aggregation, scores: list[float]) -> None:
    (word, other) = merge_words([*MICROSOFT, token("inc", 10, [0.8, 0.1, 0.1])], strategy, "microsoft inc")
    assert word.token == "microsoft"
    assert (word.start, word.end) == (0, 9)
    np.testing.assert_allclose(word.scores, scores, rtol=1e-6)
    assert other.token == "inc"


def test_a_text_that_begins_inside_a_word_has_a_word_all_the_same() -> None:
    assert [word.token for word in merge_words([MICROSOFT[1]], "first", "microsoft")] == ["soft"]


def test_neighbours_of_one_label_are_joined_and_b_begins_a_new_entity() -> None:
    words = ["ann", "smith", "bob", "in", "new", "york"]
    labels = ["B-PER", "I-PER", "B-PER", "O", "I-LOC", "I-LOC"]
    scores = [0.9, 0.7, 0.8, 1.0, 0.6, 0.4]
    tokens = [
        token(word, 10 * place, [score, 0.0]) for place, (word, score) in enumerate(zip(words, scores, strict=True))
    ]
    found = group(tokens, labels, "".join(f"{word:<10}" for word in words))
    assert [(each["entity_group"], each["word"], each["start"], each["end"]) for each in found] == [
        ("PER", "ann       smith", 0, 15),
        ("PER", "bob", 20, 23),
        ("O", "in", 30, 32),
        ("LOC", "new       york", 40, 54),
    ]
    assert found[0]["score"] == pytest.approx(0.8)
    assert found[3]["score"] == pytest.approx(0.5)


def test_labels_without_b_and_i_are_joined_while_they_stay_the_same() -> None:
    tokens = [token("a", 0, [1.0]), token("b", 2, [1.0]), token("c", 4, [1.0])]
    assert [each["word"] for each in group(tokens, ["NOUN", "NOUN", "VERB"], "a b c")] == ["a b", "c"]


def entity(start: int, end: int, score: float, label: str = "X") -> Entity:
    return {"entity_group": label, "score": score, "word": "", "start": start, "end": end}


def test_of_overlapping_entities_the_longest_stays_then_the_surest() -> None:
    short, long = entity(0, 4, 0.9), entity(2, 9, 0.1)
    assert drop_overlaps([long, short]) == [long]
    weak, sure = entity(0, 4, 0.4), entity(2, 6, 0.6)
    assert drop_overlaps([weak, sure]) == [sure]
    assert drop_overlaps([entity(0, 4, 0.5), entity(4, 6, 0.5)]) == [entity(0, 4, 0.5), entity(4, 6, 0.5)]
    assert drop_overlaps([]) == []
