"""Labels that are chosen when they are asked for; that scores are the reference's is tested against it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tfx_core
from tests.core.tasks.conftest import Folder
from tests.core.tasks.test_tasks import texts
from tfx_core.errors import InputError
from tfx_core.plugins import TaskSpec, registry
from tfx_core.tasks import ItemError, batching
from tfx_core.tasks.pipeline import load_task
from tfx_core.tasks.text_classification import apply
from tfx_testing.comparing import same

CLASSES = {0: "CONTRADICTION", 1: "neutral", 2: "Entailment"}
LABELS = ["a dog", "a cat", "new york"]


@pytest.fixture
def saved(folder: Folder) -> str:
    return folder("sequence-classification", id2label=CLASSES)


@pytest.fixture
def classify(saved: str) -> Any:
    return tfx_core.pipeline("zero-shot-classification", saved)


def logits(saved: str, text: str, template: str = "This example is {}.") -> Any:
    """Of a text with the hypothesis of each label, (labels, classes)."""
    run = tfx_core.pipeline("text-classification", saved, function_to_apply="none", return_all_scores=True)
    return np.array([[each["score"] for each in run((text, template.replace("{}", label)))] for label in LABELS])


def test_the_task_is_what_its_class_says_and_no_head_stands_for_it(saved: str) -> None:
    spec, found = registry.find(TaskSpec, "zero-shot-classification"), load_task("zero-shot-classification")
    assert (found.name, found.heads) == (spec.name, spec.heads)
    assert tfx_core.pipeline(model=saved).task == "text-classification"


def test_labels_compete_and_with_multi_label_each_has_a_score_of_its_own(classify: Any, saved: str) -> None:
    found, alone = logits(saved, "bob sings", "it is {}"), logits(saved, "bob sings")
    competing = apply("softmax", found[:, 2])
    result = classify("bob sings", LABELS, hypothesis_template="it is {}")
    assert (list(result), result["sequence"]) == (["sequence", "labels", "scores"], "bob sings")
    assert result["scores"] == sorted(result["scores"], reverse=True)
    same([dict(zip(result["labels"], result["scores"], strict=True))[label] for label in LABELS], [*competing])
    each = apply("softmax", alone[:, [0, 2]])[:, 1]
    result = classify("bob sings", LABELS, multi_label=True)
    same([dict(zip(result["labels"], result["scores"], strict=True))[label] for label in LABELS], [*each])
    same(classify("bob sings", LABELS[:1])["scores"], [each[0]])


def test_labels_come_as_a_list_with_commas_or_with_their_text(classify: Any) -> None:
    expected = classify("bob sings", LABELS)
    assert classify("bob sings", candidate_labels=" a dog,a cat ,, new york") == expected
    assert classify({"text": "bob sings", "candidate_labels": LABELS}) == expected
    assert classify([{"text": "bob sings", "candidate_labels": ",".join(LABELS)}]) == [expected]
    mixed = classify(["bob sings", {"text": "bob sings", "candidate_labels": ["good", "bad"]}], LABELS)
    assert mixed[0] == expected
    assert sorted(mixed[1]["labels"]) == ["bad", "good"]
    assert classify("bob", ["a, b", "c"])["labels"] in (["a, b", "c"], ["c", "a, b"])
    assert tfx_core.pipeline("zero-shot-classification", classify.model, tokenizer=classify.tokenizer,
                             candidate_labels=LABELS)("bob sings") == expected  # fmt: skip


@pytest.mark.parametrize("side", ["right", "left"])
def test_results_depend_neither_on_neighbours_nor_on_batches(side: str, folder: Folder) -> None:
    run = tfx_core.pipeline(
        "zero-shot-classification", folder("sequence-classification", id2label=CLASSES, padding_side=side)
    )
    alone = [run(text, LABELS) for text in texts(20)]
    for batch_tokens in (1, 60, 10_000):
        same(run(texts(20), LABELS, batch_tokens=batch_tokens), alone)
    assert run([], LABELS) == []


def test_texts_are_read_in_chunks_that_count_their_labels(classify: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "CHUNK_INPUTS", 6)
    read: list[str] = []

    def source() -> Iterator[str]:
        for text in texts(9):
            read.append(text)
            yield text

    results = classify.stream(source(), candidate_labels=LABELS)
    first = next(results)
    assert len(read) == 2
    same([first, *results], classify(texts(9), LABELS))
    for labels in (LABELS, ",".join(LABELS)):
        read.clear()
        own = classify.stream({"text": text, "candidate_labels": labels} for text in source())
        first = next(own)
        assert len(read) == 2
        same([first, *own], classify(texts(9), LABELS))


def test_a_long_text_is_cut_and_its_label_is_not(classify: Any) -> None:
    for options in ({}, {"max_length": 16}, {"truncation": False, "max_length": 16}):
        item = classify.parse({"text": "dog " * 50, "candidate_labels": ["new york", "cat"]}, classify.options)
        (windows,) = classify.encode([item], tfx_core.tasks.options.read_options(classify.options, options, "it"))
        for window, label in zip(windows, ("new york", "cat"), strict=True):
            assert len(window) == options.get("max_length", 32)
            said = classify.tokenizer.decode(window.features["input_ids"], skip_special_tokens=True)
            assert said.endswith((f"{label}.", f"{label} ."))
    with pytest.raises(ItemError, match=r"inputs\[1\]: 59 tokens, but the model takes at most 32; truncation=True"):
        classify(["bob", "dog " * 50], LABELS, truncation=False)


@pytest.mark.parametrize(
    ("inputs", "options", "said"),
    [
        (["bob"], {}, "inputs[0]: a text alone needs the option candidate_labels"),
        (["bob"], {"candidate_labels": []}, "zero-shot-classification: candidate_labels is empty"),
        (["bob"], {"candidate_labels": " , "}, "zero-shot-classification: candidate_labels is empty"),
        (["bob"], {"candidate_labels": ["a", " "]}, "candidate_labels=('a', ' '): label 2 is blank"),
        (["bob"], {"candidate_labels": "a, b, a"}, "candidate_labels=('a', 'b', 'a'): 'a' is there twice"),
        (["bob"], {"candidate_labels": ["a", 3]}, "candidate_labels=('a', 3): must be a list, each a string"),
        (["bob"], {"hypothesis_template": "it is"}, "hypothesis_template='it is': needs {} where the label goes"),
        (["bob"], {"hypothesis_template": "{} \ud800"}, "hypothesis_template is not valid Unicode: character 3"),
        (["bob", ("a", "b")], {"candidate_labels": "a"}, "inputs[1]: a text must be a string, not tuple"),
        ([{"text": "a"}], {}, "inputs[0]: keys ['text']: a dict has 'text' and 'candidate_labels'"),
        ([{"text": "a", "candidate_labels": []}], {}, "inputs[0]: candidate_labels is empty"),
        ([{"text": "a", "candidate_labels": 3}], {}, "inputs[0]: candidate_labels=3: must be a list, each a string"),
        (
            [{"text": "bob", "candidate_labels": "a"}, {"text": "bob", "candidate_labels": ["a", "dog " * 40]}],
            {},
            "inputs[1]: the hypothesis",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_told(inputs: Any, options: dict[str, Any], said: str, classify: Any) -> None:
    with pytest.raises(InputError) as caught:
        classify(inputs, **options)
    assert said in str(caught.value)


def test_a_model_of_something_else_is_told_with_the_cure(folder: Folder) -> None:
    for classes in ({0: "good", 1: "bad"}, {0: "not_entailment", 1: "neutral"}):
        with pytest.raises(InputError) as caught:
            tfx_core.pipeline("zero-shot-classification", folder("sequence-classification", id2label=classes))
        assert f"no class of this one, {list(classes.values())}, is named entailment" in str(caught.value)
        assert "id2label=" in str(caught.value)
    unnamed = folder("sequence-classification", num_labels=3)
    run = tfx_core.pipeline("zero-shot-classification", unnamed, id2label=CLASSES)
    assert run("bob", LABELS)["sequence"] == "bob"


def test_contradiction_is_found_by_its_name_or_is_the_other_of_two(folder: Folder) -> None:
    """The reference takes the first class for it, or the last where entailment is the first."""
    scores = set()
    for names in (("neutral", "ENTAIL", "contradictory"), ("other", "entailment", "not_entailment")):
        saved = folder("sequence-classification", id2label=dict(enumerate(names)))
        run = tfx_core.pipeline("zero-shot-classification", saved, multi_label=True)
        found = apply("softmax", logits(saved, "bob")[:, [2, 1]])[:, 1]
        same(sorted(run("bob", LABELS)["scores"]), sorted(found.tolist()))
        scores.add(tuple(run("bob", LABELS)["scores"]))
    assert len(scores) == 1
    two = tfx_core.pipeline(
        "zero-shot-classification", folder("sequence-classification", id2label={0: "x", 1: "entailed"})
    )
    assert 0 < two("bob", "a dog")["scores"][0] < 1
    none = folder("sequence-classification", id2label={0: "entailment", 1: "x", 2: "y"})
    run = tfx_core.pipeline("zero-shot-classification", none)
    assert len(run("bob", LABELS)["scores"]) == 3
    with pytest.raises(InputError, match=r"\['entailment', 'x', 'y'\], is named contradiction"):
        run("bob", LABELS, multi_label=True)
    with pytest.raises(ItemError, match="is named contradiction"):
        run(["bob"], LABELS[:1])
