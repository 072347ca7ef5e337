"""Batches and the ranker: pairs of encoders learn from questions, hard negatives and each other's passages."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

import tfx_core
from tests.retrieval.fake_encoder import FakeEncoder
from tfx_core.embedding import Passage, Where
from tfx_core.errors import InputError
from tfx_retrieval.hits import Hit
from tfx_retrieval.training import FixedSide, PassageRanker, RankingBatches, SentenceSide, TrainingQuestion, mined
from tfx_retrieval.training.sides import identity

CAT, BOAT, BREAD = (
    Passage("the cat sat on the mat", "cat"),
    Passage("a boat sails on the sea", "boat"),
    Passage("bread baked in the oven", "bread"),
)
QUESTIONS = [
    TrainingQuestion("cat sat", positives=(CAT,), hard_negatives=(BOAT,)),
    TrainingQuestion("boat sails", positives=(BOAT, CAT), negatives=(BREAD, CAT)),
    TrainingQuestion("oven", positives=(BREAD,)),
]


def texts(items: Sequence[Any]) -> dict[str, Any]:
    return {"texts": list(items)}


# -- batches -----------------------------------------------------------------------------------------------------------


def test_a_batch_has_the_right_passages_and_the_hard_negatives() -> None:
    batch = RankingBatches(texts, texts, hard_negatives=1, shuffle=False)(QUESTIONS)
    assert batch["questions"]["texts"] == ["cat sat", "boat sails", "oven"]
    assert batch["passages"]["texts"] == [CAT, BOAT, BOAT, BREAD, BREAD]
    assert batch["positives"].tolist() == [0, 2, 4]
    numbers = [identity(passage) for passage in (CAT, BOAT, BOAT, BREAD, BREAD)]
    assert batch["identities"].tolist() == numbers
    assert batch["known"].tolist() == [[numbers[0], -1], [numbers[1], numbers[0]], [numbers[3], -1]]
    assert {*RankingBatches(texts, texts, mask_known=False)(QUESTIONS)} == {"questions", "passages", "positives"}
    assert RankingBatches(texts, texts, hard_negatives=0)(QUESTIONS)["passages"]["texts"] == [CAT, BOAT, BREAD]


def test_what_is_drawn_is_torchs_to_decide() -> None:
    question = replace(QUESTIONS[1], negatives=tuple(Passage(str(number)) for number in range(20)))
    batches = RankingBatches(texts, texts, hard_negatives=2, any_positive=True)
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        drawn.append([batches([question])["passages"]["texts"] for _ in range(10)])
    assert drawn[0] == drawn[1]
    assert {each[0] for each in drawn[0]} == {BOAT, CAT}
    assert all(each[1] != each[2] for each in drawn[0])
    assert len({each[1] for each in drawn[0]}) > 3


def test_questions_without_a_right_passage_are_named() -> None:
    with pytest.raises(InputError, match=r"question 'who\?' has no right passage; leave it out"):
        RankingBatches(texts, texts)([TrainingQuestion("who?", hard_negatives=(CAT,))])
    with pytest.raises(InputError, match="no questions"):
        RankingBatches(texts, texts)([])
    with pytest.raises(InputError, match="hard_negatives=-1"):
        RankingBatches(texts, texts, hard_negatives=-1)


# -- the ranker --------------------------------------------------------------------------------------------------------


def ranker(encoder: tfx_core.TextEncoder, **options: Any) -> tuple[PassageRanker, RankingBatches]:
    questions, passages = SentenceSide(encoder, "query"), SentenceSide(encoder, "document")
    return PassageRanker(questions, passages, scale=20, **options), RankingBatches(questions.rows, passages.rows)


def test_a_sentence_encoder_learns_and_is_written(tiny_bert: Path, tmp_path: Path) -> None:
    encoder = tfx_core.load_encoder(tiny_bert)
    before = encoder.encode(["cat"])
    model, collate = ranker(encoder)
    model.train()
    assert len({id(each) for each in model.parameters()}) == len(list(encoder.model.parameters()))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    torch.manual_seed(0)
    losses = []
    for _ in range(15):
        for batch in DataLoader(QUESTIONS, batch_size=3, collate_fn=collate):  # type: ignore[arg-type]
            output = model(**batch)
            output["loss"].backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(output["loss"].item())
    assert losses[-1] < 0.3 * losses[0]
    assert output["accuracy"].item() == 1
    encoder.save_pretrained(tmp_path / "learned")
    learned = tfx_core.load_encoder(tmp_path / "learned").encode(["cat"])
    np.testing.assert_allclose(learned, encoder.encode(["cat"]), atol=1e-6)
    assert np.abs(learned - before).max() > 0.01


def test_vectors_in_training_are_those_of_use(tiny_bert: Path) -> None:
    encoder = tfx_core.load_encoder(tiny_bert, prompts={"query": "the ", "document": "a : "})
    for name, asked in (("query", encoder.encode_query), ("document", encoder.encode_document)):
        side = SentenceSide(encoder, name).eval()  # type: ignore[arg-type]
        vectors = side(**side.rows(["cat", "bread in the oven"]))
        assert vectors.requires_grad
        np.testing.assert_allclose(vectors.detach(), asked(["cat", "bread in the oven"]), atol=1e-6)
    document = SentenceSide(encoder, "document").eval()
    assert torch.equal(document(**document.rows([CAT])), document(**document.rows(["cat: the cat sat on the mat"])))


@pytest.mark.parametrize("size", [1, 2, 100])
def test_chunks_give_the_same_loss_and_gradients(tiny_bert: Path, size: int) -> None:
    found = []
    for chunk_size in (None, size):
        encoder = tfx_core.load_encoder(tiny_bert, model_kwargs={"hidden_dropout_prob": 0.0})
        model, collate = ranker(encoder, chunk_size=chunk_size)
        torch.manual_seed(0)
        output = model.train()(**collate(QUESTIONS))
        output["loss"].backward()
        found.append([output["loss"].detach(), *(each.grad for each in model.parameters() if each.grad is not None)])
    assert len(found[0]) == len(found[1]) > 10
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    with pytest.raises(InputError, match="chunk_size=0"):
        ranker(encoder, chunk_size=0)


def test_encoders_that_have_their_vectors_as_pooler_output() -> None:
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, inputs: Tensor) -> SimpleNamespace:
            return SimpleNamespace(pooler_output=self.linear(inputs))

    def rows(items: Sequence[Any]) -> Mapping[str, Tensor]:
        return {"inputs": torch.rand(len(items), 4).half()}

    model = PassageRanker(Encoder().half(), Encoder().half(), chunk_size=2)
    batch = RankingBatches(rows, rows)(QUESTIONS)
    output = model(**batch)
    assert output["loss"].dtype == torch.float32
    output["loss"].backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_passages_may_stay_as_they_are(tiny_bert: Path) -> None:
    encoder, fixed = tfx_core.load_encoder(tiny_bert), FakeEncoder(dimension=32)
    questions, passages = SentenceSide(encoder, "query"), FixedSide(fixed, [CAT, BOAT, CAT])
    assert fixed.encoded == ["cat: the cat sat on the mat", "boat: a boat sails on the sea"]
    batch = RankingBatches(questions.rows, passages.rows, shuffle=False)(QUESTIONS)
    assert len(fixed.encoded) == 3
    np.testing.assert_array_equal(
        batch["passages"]["vectors"][2], fixed.encode_query(["boat: a boat sails on the sea"])[0]
    )
    model = PassageRanker(questions, passages)
    model(**batch)["loss"].backward()
    assert {*model.parameters()} == {*encoder.model.parameters()}


def test_an_encoder_may_have_its_own_way_with_passages() -> None:
    class Own(FakeEncoder):
        def encode_passages(self, passages: Sequence[Passage], *, progress: Any = None) -> Any:
            return self.encode_document([f"{each.topic} [SEP] {each.text}" for each in passages], progress=progress)

    encoder = Own()
    FixedSide(encoder, [CAT])
    assert encoder.encoded == ["cat [SEP] the cat sat on the mat"]


# -- mining ------------------------------------------------------------------------------------------------------------


class Found:
    """Finds the same for every question."""

    def __init__(self, *passages: Passage) -> None:
        self.passages = passages
        self.asked: list[int] = []

    def search(self, questions: Sequence[str], k: int = 5, *, where: Where | None = None) -> list[list[Hit]]:
        self.asked.append(len(questions))
        return [[Hit(rank, 0.0, rank, each) for rank, each in enumerate(self.passages[:k], 1)] for _ in questions]


def negatives(question: TrainingQuestion, search: Found, **options: Any) -> tuple[Passage, ...]:
    (found,) = mined([question], search, **options)
    return found.hard_negatives


def test_hard_negatives_are_the_best_hits_that_are_not_right() -> None:
    search = Found(CAT, BOAT, BREAD, Passage("sea bread"), Passage("more"))
    question = TrainingQuestion("q", answers=("sea",), positives=(CAT,), hard_negatives=(BREAD,))
    assert negatives(question, search, count=2) == (BREAD, Passage("more"))
    assert negatives(question, search, count=2, skip=1) == (Passage("more"),)
    assert negatives(question, search, depth=3, count=2) == (BREAD,)
    assert negatives(question, search, match="regex", count=9) == (BREAD, Passage("more"))
    unanswered = replace(question, answers=())
    assert negatives(unanswered, search) == (BOAT,)


def test_right_passages_are_found_where_there_are_none() -> None:
    search = Found(CAT, BOAT, Passage("more sea"), BREAD)
    question = TrainingQuestion("q", answers=("the sea", "sea"))
    (found,) = mined([question], search, count=5, find_positives=True)
    assert (found.positives, found.hard_negatives) == ((BOAT,), (CAT, BREAD))
    (without,) = mined([replace(question, answers=("nowhere",))], search, find_positives=True)
    assert without.positives == ()


def test_questions_are_searched_for_together_and_read_one_by_one() -> None:
    search, told = Found(CAT), list[int]()
    found = mined((TrainingQuestion(str(number)) for number in range(130)), search, progress=told.append)
    assert [each.question for each in found] == [str(number) for number in range(130)]
    assert search.asked == told == [64, 64, 2]
    with pytest.raises(InputError, match="count=0"):
        next(mined([], search, count=0))
