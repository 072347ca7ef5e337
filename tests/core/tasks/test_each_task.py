"""What is particular to each task; that their results are the reference's is tested against it."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch

import tfx_core
from tests.core.tasks.conftest import Folder
from tfx_core.errors import InputError
from tfx_core.tasks import ItemError
from tfx_core.tasks.text_classification import apply
from tfx_testing.comparing import same

# fill-mask


@pytest.fixture
def fill(folder: Folder) -> Any:
    return tfx_core.pipeline("fill-mask", model=folder("masked-lm"))


def test_a_text_without_mask_is_told_which_token_is_the_mask(fill: Any) -> None:
    with pytest.raises(ItemError) as caught:
        fill(["a [MASK]", "a <mask>"])
    assert str(caught.value) == "inputs[1]: the text has no [MASK]; this model's mask token marks the place to fill"
    with pytest.raises(ItemError, match=r"inputs\[0\]: \[MASK\] is cut off"):
        fill(["dog " * 40 + "[MASK]"], truncation=True)


def test_only_the_logits_of_masks_are_computed(fill: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["bob [MASK] in [MASK]", "[MASK]", "the dog sings in new york . [MASK]"]
    shapes: list[tuple[int, ...]] = []
    fill.model.register_forward_hook(lambda module, args, output: shapes.append(tuple(output.logits.shape)))
    found = fill(texts)
    monkeypatch.setattr(type(fill), "_predicts_anywhere", False)
    same(found, fill(texts))
    size = len(fill.tokenizer)
    assert shapes == [(4, size), (3, 11, size)]


def test_targets_are_scored_as_in_the_whole_vocabulary(fill: Any) -> None:
    every = {each["token_str"]: each["score"] for each in fill("bob [MASK]", top_k=1000)}
    assert sum(every.values()) == pytest.approx(1)
    chosen = fill("bob [MASK]", targets=["dog", "cat", "dog"])
    assert {each["token_str"]: each["score"] for each in chosen} == {key: every[key] for key in ("dog", "cat")}
    assert chosen[0]["score"] >= chosen[1]["score"]
    assert fill("bob [MASK]", targets="dog") == [each for each in chosen if each["token_str"] == "dog"]


def test_a_target_that_is_several_tokens_is_the_first_with_a_warning(fill: Any) -> None:
    with pytest.warns(UserWarning, match="target 'dogs' is 2 tokens; scoring the first, 'dog'") as caught:
        found = fill("bob [MASK]", targets=["dogs"])
    assert [each["token_str"] for each in found] == ["dog"]
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fill("bob [MASK]", targets=["DOG"]) == found  # the tokenizer lowers it: one token
    with pytest.warns(UserWarning, match=r"target '\u6771' is not known to the tokenizer; scoring '\[UNK\]'"):
        fill("bob [MASK]", targets=["\u6771"])
    with pytest.raises(InputError, match="the tokenizer makes no token of the target ' '"):
        fill("bob [MASK]", targets=[" "])


# text-classification


def test_scores_of_extreme_logits_are_finite() -> None:
    logits = np.array([-1e4, 0.0, 1e4], np.float32)
    with np.errstate(over="raise", invalid="raise"):
        np.testing.assert_allclose(apply("sigmoid", logits), [0, 0.5, 1])
        np.testing.assert_allclose(apply("softmax", logits), [0, 0, 1])
    assert apply("none", logits) is logits
    assert apply("sigmoid", logits).dtype == np.float32


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"txt": "x"}, "keys ['txt']: a dict has 'text' and perhaps 'text_pair'"),
        ({"text": "x", "label": 1}, "keys ['label', 'text']"),
        ({"text": 3}, "a text must be a string, not int"),
        (("x", "y", "z"), "a text, a pair of texts or a dict is needed, not tuple"),
        (3, "a text, a pair of texts or a dict is needed, not int"),
    ],
)
def test_what_cannot_be_classified_is_refused(value: object, said: str, folder: Folder) -> None:
    run = tfx_core.pipeline("text-classification", model=folder("sequence-classification"))
    with pytest.raises(ItemError) as caught:
        run(["x", value])
    assert str(caught.value) == f"inputs[1]: {said}" or said in str(caught.value)


def test_a_text_that_is_too_long_is_named_by_its_place_among_pairs(folder: Folder) -> None:
    run = tfx_core.pipeline("text-classification", model=folder("sequence-classification"))
    with pytest.raises(ItemError, match=r"^inputs\[3\]: 44 tokens"):
        run([("a", "b"), "a", "b", ("dog " * 20, "cat " * 21), "c"])
    assert [run({"text": "a", "text_pair": None})] == run("a")


# token-classification


@pytest.fixture
def tag(folder: Folder) -> Any:
    return tfx_core.pipeline("token-classification", model=folder("token-classification", num_labels=3))


def test_windows_need_a_strategy(tag: Any) -> None:
    with pytest.raises(InputError, match="stride needs an aggregation_strategy"):
        tag(["x"], stride=3)


def test_windows_of_a_long_text_find_what_one_window_of_a_short_text_does(tag: Any) -> None:
    entities = tag(["bob sings " * 60], stride=8, aggregation_strategy="simple")[0]
    assert entities
    ends = [each["end"] for each in entities]
    starts = [each["start"] for each in entities]
    assert starts == sorted(starts)
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
    assert max(ends) > 550
    short = ["bob sings good"]
    assert tag(short, stride=8, aggregation_strategy="simple") == tag(short, aggregation_strategy="simple")


def test_a_letter_of_two_characters_does_not_make_its_word_part_of_the_one_before(folder: Folder) -> None:
    """The reference compares lengths there and joins the words; the mark in the vocabulary says that they are two."""
    run = tfx_core.pipeline("token-classification", model=folder("token-classification", num_labels=99))
    found = run("bob cafe\u0301 dogs", aggregation_strategy="first")
    assert [(each["start"], each["end"], each["word"]) for each in found] == [
        (0, 3, "bob"),
        (4, 9, "cafe\u0301"),
        (10, 14, "dogs"),
    ]


def test_a_list_of_words_needs_the_option(tag: Any) -> None:
    words = ["bob", "sings", "good"]
    given = tag([words], is_split_into_words=True, aggregation_strategy="first")[0]
    assert given == tag(["bob sings good"], aggregation_strategy="first")[0]
    apart = tag([words], is_split_into_words=True, delimiter=" | ")[0]
    assert [each["start"] for each in apart] == [0, 6, 10, 14]
    with pytest.raises(ItemError, match="a text must be a string, not list"):
        tag([words])
    with pytest.raises(ItemError, match="is_split_into_words: a list of words is needed, not str"):
        tag(["bob sings"], is_split_into_words=True)
    with pytest.raises(ItemError, match="a word must be a string, not int"):
        tag([["bob", 3]], is_split_into_words=True)


# question-answering


@pytest.fixture
def answer(folder: Folder) -> Any:
    return tfx_core.pipeline("question-answering", model=folder("question-answering"))


ASKED = {"question": "who lives in paris ?", "context": "ann smith lives in new york . bob lives in paris ."}


def test_a_question_comes_with_its_context_in_any_of_three_forms(answer: Any) -> None:
    found = answer([ASKED])
    assert answer([(ASKED["question"], ASKED["context"])]) == found
    assert answer([ASKED["question"]], context=ASKED["context"]) == found
    text = ASKED["context"][found[0]["start"] : found[0]["end"]]
    assert found[0]["answer"] == text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("who ?", "a question alone needs the option context"),
        ({"question": "who ?"}, "keys ['question']: a dict has 'question' and 'context'"),
        ({**ASKED, "id": 3}, "keys ['context', 'id', 'question']"),
        ({**ASKED, "context": ""}, "the context is empty"),
        ({**ASKED, "question": " "}, "the question is empty"),
        ({**ASKED, "context": None}, "context must be a string, not NoneType"),
        (3, "a question and its context are needed, not int"),
    ],
)
def test_what_is_no_question_is_refused(value: object, said: str, answer: Any) -> None:
    with pytest.raises(ItemError) as caught:
        answer([ASKED, value])
    assert str(caught.value).startswith("inputs[1]: ")
    assert said in str(caught.value)


def test_a_question_that_leaves_no_room_is_refused_with_the_cure(answer: Any) -> None:
    long = {**ASKED, "question": "who " * 40}
    with pytest.raises(ItemError) as caught:
        answer([ASKED, long])
    assert str(caught.value) == (
        "inputs[1]: the question's 40 tokens leave 0 of 32 for the context, which is too few for a stride of 16; give "
        "a max_question_len, a larger max_seq_len or a smaller doc_stride"
    )
    assert answer([long], max_question_len=5) == answer([{**ASKED, "question": "who " * 5}])
    with pytest.raises(InputError, match="max_seq_len=33: the model takes at most 32 tokens"):
        answer([ASKED], max_seq_len=33)
    with pytest.raises(ItemError, match="too few for a stride of 31"):
        answer([ASKED], doc_stride=31)


def test_a_long_question_shortens_the_default_stride_instead_of_failing(answer: Any) -> None:
    item = {"question": "who " * 20, "context": "bob lives in paris . " * 8}
    assert answer([item])[0]["answer"] in item["context"]
    windows = answer.encode([answer.parse(item, answer.options)], answer.options)[0]
    sides = [zip(window.offsets, window.sequences, strict=True) for window in windows]
    covered = {place for pairs in sides for place, side in pairs if side == 1}
    assert len(covered) == 40


@pytest.mark.parametrize("side", ["right", "left"])
def test_answers_are_the_best_spans_of_the_context_on_either_side(side: str, folder: Folder) -> None:
    """Models that are padded on the left read the context first; the reference lets their questions answer, too."""
    saved = folder("question-answering", padding_side=side)
    pair = (ASKED["question"], ASKED["context"]) if side == "right" else (ASKED["context"], ASKED["question"])
    batch = tfx_core.load_tokenizer(saved)(*pair, return_tensors="pt", return_offsets_mapping=True)
    offsets = batch.pop("offset_mapping")[0].tolist()
    context = 1 if side == "right" else 0
    allowed = torch.tensor([number == context for number in batch.sequence_ids(0)])
    competing = allowed | (torch.arange(len(allowed)) == 0)  # [CLS]
    output = tfx_core.load_model(saved)(**batch)
    start, end = (
        logits[0].masked_fill(~competing, -torch.inf).softmax(-1).masked_fill(~allowed, 0)
        for logits in (output.start_logits, output.end_logits)
    )
    products = torch.outer(start, end).triu().tril(14)
    first, last = divmod(int(products.argmax()), len(start))
    found = tfx_core.pipeline("question-answering", model=saved)([ASKED], align_to_words=False, top_k=1)[0]
    assert (found["start"], found["end"]) == (offsets[first][0], offsets[last][1])
    assert found["score"] == pytest.approx(float(products.max().detach()), rel=1e-4)


def test_the_score_of_no_answer_is_there_when_asked_for(answer: Any) -> None:
    plain = answer([ASKED], top_k=3)[0]
    with_score = answer([ASKED], top_k=3, return_no_answer_score=True)[0]
    assert [{key: each[key] for key in plain[0]} for each in with_score] == plain
    (score,) = {each["no_answer_score"] for each in with_score}
    competing = answer([ASKED], top_k=100, handle_impossible_answer=True)[0]
    (empty,) = (each for each in competing if each["answer"] == "")
    assert empty == {"score": score, "start": 0, "end": 0, "answer": ""}
    assert 0 < score < 1


def test_a_context_without_tokens_has_no_answer(answer: Any) -> None:
    found = answer([{"question": "who ?", "context": "\x01"}])
    assert found == [{"score": 0.0, "start": 0, "end": 0, "answer": ""}]


# feature-extraction


def test_features_can_be_pooled_and_scaled(folder: Folder) -> None:
    run = tfx_core.pipeline("feature-extraction", model=folder("backbone"))
    states = run(["bob sings", "dog"])
    assert [each.shape for each in states] == [(5, 8), (3, 8)]
    assert all(each.dtype == np.float32 for each in states)
    for pooling, expected in {
        "mean": states[0].mean(0),
        "max": states[0].max(0),
        "cls": states[0][0],
        "lasttoken": states[0][-1],
        "mean_sqrt_len": states[0].sum(0) / 5**0.5,
        "weightedmean": (states[0] * np.arange(1, 6)[:, None]).sum(0) / 15,
    }.items():
        same(run(["bob sings", "dog"], pooling=pooling)[0], expected)
        same(run(["bob sings"], pooling=pooling, normalize=True)[0], expected / np.linalg.norm(expected))
    lengths = np.linalg.norm(run(["bob sings"], normalize=True)[0], axis=-1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-5)
    with pytest.raises(InputError, match="pooling='avg': must be one of 'none', 'cls', 'mean'"):
        run(["x"], pooling="avg")
