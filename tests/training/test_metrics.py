"""Measures are those that can be counted by hand, and those of the examples that their authors give."""

from importlib import util

import pytest

from tfx_training.finetuning import metrics


def test_classes() -> None:
    measured = metrics.of_classes([1, 1, 0, 0], [1, 0, 0, 0])
    # of class 1: precision 1, recall 1/2; of class 0: precision 2/3, recall 1
    assert measured == pytest.approx({"accuracy": 3 / 4, "F1": 2 / 3, "macro F1": (2 / 3 + 4 / 5) / 2,
                                      "Matthews": 2 / 12**0.5})  # fmt: skip
    assert "F1" not in metrics.of_classes([0, 1, 2], [0, 1, 2])


def test_several_classes_each() -> None:
    measured = metrics.of_sets([[0, 1], [2]], [[0], [2]], 3)
    assert measured == pytest.approx({"accuracy": 1 / 2, "micro F1": 4 / 5, "macro F1": 2 / 3})


def test_values() -> None:
    measured = metrics.of_values([1.0, 2.0, 3.0], [2.0, 4.0, 6.5])
    assert measured["squared error"] == pytest.approx((1 + 4 + 12.25) / 3)
    assert measured["Spearman"] == pytest.approx(1)
    assert 0.99 < measured["Pearson"] < 1
    assert metrics.of_values([1.0, 2.0], [3.0, 3.0])["Pearson"] == 0.0


def test_entities() -> None:
    right = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-LOC"]]
    given = [["B-PER", "I-PER", "O", "B-PER"], ["O", "B-LOC"]]
    measured = metrics.of_tags(right, given)
    # of three entities two are found, and of three that are found two are right
    assert measured == pytest.approx({"accuracy": 5 / 6, "precision": 2 / 3, "recall": 2 / 3, "F1": 2 / 3})
    assert metrics.of_tags(right, [["O"] * 4, ["O"] * 2])["F1"] == 0


def test_labels_that_name_no_entities() -> None:
    measured = metrics.of_tags([["NOUN", "VERB"]], [["NOUN", "NOUN"]])
    assert measured == pytest.approx({"accuracy": 1 / 2, "F1": (2 / 3 + 0) / 2})


@pytest.mark.parametrize(
    ("answers", "given", "exact", "overlap"),
    [
        (["the Cat"], "cat.", 1, 1),
        (["a cat", "two dogs"], "dogs", 0, 2 / 3),
        (["Denver Broncos"], "The Broncos of Denver", 0, 4 / 5),
        (["1,000"], "1000", 1, 1),
        ([], "", 1, 1),
        ([], "cat", 0, 0),
        (["cat"], "", 0, 0),
        (["the"], "a", 1, 1),
        (["cat cat"], "cat", 0, 2 / 3),
    ],
)
def test_answers(answers: list[str], given: str, exact: float, overlap: float) -> None:
    assert metrics.of_answers([answers], [given]) == pytest.approx({"exact match": exact, "F1": overlap})


def test_translations() -> None:
    same = "the cat sat on the mat"
    assert metrics.of_translations([same], [same]) == pytest.approx({"BLEU": 100, "chrF": 100})
    # of characters all five 4-grams are there, of words (one) none could be
    assert metrics.of_translations(["我喜欢吃苹果"], ["我喜欢吃苹果"], "zh_CN")["BLEU"] == pytest.approx(100)


def test_summaries() -> None:
    measured = metrics.of_summaries(["the cats sat\non mats"], ["the cat sat"])
    # of words: precision 1, recall 3/5; of pairs of words: 2/2 and 2/4
    assert measured["ROUGE-1"] == pytest.approx(3 / 4)
    assert measured["ROUGE-2"] == pytest.approx(2 / 3)
    assert measured["ROUGE-L"] == pytest.approx(3 / 4)


@pytest.mark.parametrize("text", ["Кошка сидит дома", "η γάτα", "日本語の文"])
def test_summaries_in_other_scripts(text: str) -> None:
    measured = metrics.of_summaries([text, text], [text, text[:2].strip()])
    assert 0.5 <= measured["ROUGE-1"] < 1


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert metrics.missing() == ""
    found = util.find_spec
    monkeypatch.setattr(metrics, "find_spec", lambda name: None if name in ("seqeval", "sklearn") else found(name))
    assert "sklearn, seqeval" in metrics.missing()
    assert "pip install 'tfx-training[metrics]'" in metrics.missing()
    assert metrics.of_classes([1, 0], [1, 1]) == {"accuracy": 1 / 2}
    assert metrics.of_tags([["B-X"]], [["B-X"]]) == {"accuracy": 1}
