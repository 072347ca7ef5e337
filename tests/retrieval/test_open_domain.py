"""Answers to questions out of an index: what is read, how it is ranked, what is refused."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import tfx_core
from tests.retrieval.conftest import WORDS
from tests.retrieval.test_dpr import PASSAGES, SIZES
from tfx_core.cli import cli
from tfx_core.embedding import Passage
from tfx_core.errors import InputError, PassageIndexError
from tfx_core.model import Model
from tfx_core.text import Tokenizer
from tfx_retrieval import build_index
from tfx_retrieval.hits import Hit
from tfx_retrieval.open_domain import OpenDomainQuestionAnswering
from tfx_retrieval.pairs import load_pair

TASK = "open-domain-question-answering"


class Found:
    """Finds the same passages for every question, and counts."""

    def __init__(self, passages: Sequence[Passage] = PASSAGES) -> None:
        self.passages = passages
        self.asked: list[tuple[list[str], int]] = []

    def __len__(self) -> int:
        return len(self.passages)

    def search(self, questions: Sequence[str], k: int = 5, *, where: Any = None) -> list[list[Hit]]:
        self.asked.append((list(questions), k))
        hits = [Hit(rank, 9.0 - rank, rank - 1, each) for rank, each in enumerate(self.passages[:k], 1)]
        return [hits for _ in questions]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair of encoders, two readers and an index."""
    folder = tmp_path_factory.mktemp("dpr")
    for model_type, head in (
        ("dpr", "question-encoder"), ("dpr", "context-encoder"), ("dpr", "reader"), ("bert", "question-answering"),
    ):  # fmt: skip
        model = tfx_core.new_model(model_type, head=head, seed=3, **SIZES)
        with torch.no_grad():
            for parameter in model.head.parameters():
                parameter.mul_(20)
        model.save_pretrained(folder / head)
        (folder / head / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    build_index(PASSAGES, load_pair(folder / "context-encoder", folder / "question-encoder"), folder / "index")
    return folder


@pytest.fixture
def reader(folders: Path) -> tuple[Model, Tokenizer]:
    return tfx_core.load_model(folders / "reader"), tfx_core.load_tokenizer(folders / "reader")


def answers(reader: tuple[Model, Tokenizer], question: Any = "the cat", **options: Any) -> Any:
    model, tokenizer = reader
    search = options.pop("index", Found())
    return OpenDomainQuestionAnswering(model, tokenizer, index=search, **{"passages": 3, **options})(question)


def test_an_answer_is_a_part_of_its_passage_with_all_scores(reader: tuple[Model, Tokenizer]) -> None:
    for answer in answers(reader, top_k=12):
        passage = answer["passage"]
        assert passage["text"][answer["start"] : answer["end"]] == answer["answer"] != ""
        known = next(each for each in PASSAGES if each.text == passage["text"])
        assert (passage["topic"], passage["id"]) == (known.topic, known.id)
        assert answer["retrieval_score"] == 8.0 - PASSAGES.index(known)
        assert 0 < answer["score"] < 1


def test_scores_are_the_readers_own_on_each_passage_alone(reader: tuple[Model, Tokenizer]) -> None:
    model, _ = reader
    found = answers(reader, top_k=100, num_spans_per_passage=1)
    assert len(found) == 3
    for answer in found:
        passage = answer["passage"]
        words = ["[CLS]", "the", "cat", "[SEP]", *passage["topic"].split(), "[SEP]", *passage["text"].split()]
        ids = torch.tensor([[WORDS.index(word) if word in WORDS else 1 for word in words]])
        output = model(ids)
        assert answer["relevance_score"] == pytest.approx(output.relevance_logits.item(), abs=1e-4)
        before = len(words) - len(passage["text"].split())
        sums = output.start_logits[0, before:, None] + output.end_logits[0, None, before:]
        assert answer["span_score"] == pytest.approx(
            sums.triu().masked_fill(sums.triu() == 0, -99).max().item(), abs=1e-4
        )


def test_passages_come_by_relevance_and_spans_by_their_score(reader: tuple[Model, Tokenizer]) -> None:
    found = answers(reader, top_k=100)
    keys = [(answer["relevance_score"], answer["span_score"]) for answer in found]
    assert keys == sorted(keys, reverse=True)
    assert len({answer["passage"]["text"] for answer in found}) == 3
    for one in found:
        for other in found:
            if one is not other and one["passage"] == other["passage"]:
                assert not (one["start"] <= other["start"] and other["end"] <= one["end"])
    assert answers(reader) == found[0]
    assert [answers(reader, top_k=2)] == [found[:2]]


@pytest.mark.parametrize(("options", "most"), [({"max_answer_length": 1}, 1), ({"max_answer_length": 2}, 2)])
def test_an_answer_is_as_long_as_is_allowed(
    reader: tuple[Model, Tokenizer], options: dict[str, int], most: int
) -> None:
    assert all(len(answer["answer"].split()) <= most for answer in answers(reader, top_k=100, **options))


def test_only_the_text_is_cut(reader: tuple[Model, Tokenizer]) -> None:
    long = Found([Passage("boat sails " * 50, topic="the sea")])
    found = answers(reader, index=long, passages=1, top_k=100, num_spans_per_passage=100, max_length=10)
    assert max(answer["end"] for answer in found) <= len("boat sails boat")
    with pytest.raises(InputError, match=r"inputs\[0\]: question and title leave no room for a passage within 7"):
        answers(reader, index=long, passages=1, max_length=7)


def test_questions_in_batches_are_those_alone(reader: tuple[Model, Tokenizer]) -> None:
    search = Found()
    questions = ["the cat", "a boat on the sea", "bread"]
    together = answers(reader, questions, index=search, batch_tokens=16, top_k=3)
    assert search.asked == [(questions, 3)]
    for question, found in zip(questions, together, strict=True):
        for one, other in zip(found, answers(reader, {"question": question}, top_k=3), strict=True):
            assert one == {**other, **{key: pytest.approx(other[key], abs=1e-4) for key in other if "score" in key}}


def test_a_model_of_extractive_answers_leaves_the_order_to_the_retrieval(folders: Path) -> None:
    place = folders / "question-answering"
    model = tfx_core.load_model(place), tfx_core.load_tokenizer(place)
    found = answers(model, top_k=100)
    assert [answer["relevance_score"] for answer in found] == [answer["retrieval_score"] for answer in found]
    assert list(dict.fromkeys(answer["passage"]["text"] for answer in found)) == [each.text for each in PASSAGES]
    assert all(each["passage"]["text"][each["start"] : each["end"]] == each["answer"] for each in found)


# an index folder


def test_from_a_folder_to_answers(folders: Path) -> None:
    options: dict[str, Any] = {"index": folders / "index", "passages": 2, "top_k": 2}
    task = tfx_core.pipeline(TASK, folders / "reader", question_model=str(folders / "question-encoder"), **options)
    found = task(["the cat", "bread"])
    assert [len(each) for each in found] == [2, 2]
    pair = load_pair(folders / "context-encoder", folders / "question-encoder")
    for encoder in (pair, folders / "question-encoder"):
        asked = tfx_core.pipeline(TASK, folders / "reader", question_encoder=encoder, **options)
        assert asked(["the cat", "bread"]) == found
    assert tfx_core.pipeline(model=folders / "reader", question_encoder=pair, **options).task == TASK


def test_the_command_line_answers(folders: Path) -> None:
    named = ["--index", str(folders / "index"), "--question-model", str(folders / "question-encoder")]
    args = ["run", TASK, "--model", str(folders / "reader"), *named, "--passages", "2", "--json", "the cat"]
    result = CliRunner().invoke(cli, args, prog_name="tfx-core")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["passage"]["text"][answer["start"] : answer["end"]] == answer["answer"]


def test_what_cannot_be_answered_is_told(reader: tuple[Model, Tokenizer], folders: Path, tiny_bert: Path) -> None:
    model, tokenizer = reader
    with pytest.raises(InputError, match="passages=4: the index holds 3"):
        answers(reader, passages=4)
    for empty in ("", "  "):
        with pytest.raises(InputError, match=r"inputs\[0\]: the question is empty"):
            answers(reader, empty)
    with pytest.raises(InputError, match="needs an index: give a folder"):
        OpenDomainQuestionAnswering(model, tokenizer)("the cat")
    with pytest.raises(InputError, match=r"index=3: must be a folder, or have search\(questions, k\)"):
        OpenDomainQuestionAnswering(model, tokenizer, index=3)
    with pytest.raises(PassageIndexError, match="no such folder"):
        OpenDomainQuestionAnswering(model, tokenizer, index=str(folders / "none"))
    with pytest.raises(InputError, match="encoder of passages alone"):
        OpenDomainQuestionAnswering(model, tokenizer, index=folders / "index")
    encoder = tfx_core.load_encoder(tiny_bert)
    with pytest.raises(PassageIndexError, match=r"whose vectors have 24 numbers; those of .* have 32"):
        OpenDomainQuestionAnswering(model, tokenizer, index=folders / "index", question_encoder=encoder)
