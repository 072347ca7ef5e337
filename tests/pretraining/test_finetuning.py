"""What holds for the fine-tuning of every head, with every architecture that has it; and that each is learnt."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tfx_core
from tests.cases import case_of, readers_of_text
from tests.core.text.folders import write
from tfx_training.finetuning import TUNINGS, tuning_of
from tfx_training.finetuning.records import Record
from tfx_training.finetuning.tuning import FineTuning, tokenizer_for
from tfx_training.objective import Batch, generator_of

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
PAIRS = [(head, spec.name) for head in TUNINGS for spec in readers_of_text() if head in spec.heads]
_random = np.random.default_rng(0)


def letters(count: int, among: str = ALPHABET[:13]) -> list[str]:
    return [among[number] for number in _random.integers(len(among), size=count)]


def row_of(head: str) -> dict[str, object]:
    """A row whose answer can be told from its letters."""
    words = letters(int(_random.integers(4, 9)))
    place = int(_random.integers(len(words)))
    text = " ".join([*words[:place], "z", *words[place:]])
    if head == "sequence-classification":
        word = letters(1, "xy")[0]
        return {"text": " ".join([*words, word]), "label": word}
    if head == "token-classification":
        marked = [*words[:place], "z", *words[place:]]
        return {"tokens": marked, "tags": ["B-Z" if word == "z" else "O" for word in marked]}
    if head == "question-answering":
        return {"question": "q", "context": text, "answers": {"text": ["z"], "answer_start": [text.index("z")]}}
    if head == "multiple-choice":
        right = int(_random.integers(2))
        return {"question": "q", "choices": ["z w z", "v v"][:: -1 if right else 1], "label": right}
    answer = {"conditional-generation": ("source", "target"), "causal-lm": ("prompt", "completion")}[head]
    word = letters(1, "xy")[0]
    return dict(zip(answer, (word, f" {word} {word}"), strict=True))


ROWS: Mapping[str, list[Record]] = {
    head: [Record(row_of(head), f"rows, line {number}") for number in range(1, 49)] for head in TUNINGS
}


class Tried:
    """The objective of a head with an architecture's tokenizer, rows and a new tiny model."""

    def __init__(self, head: str, model_type: str, folder: Path, **options: Any) -> None:
        self.head, self.model_type = head, model_type
        files = {**case_of(model_type).released(), "config.json": {"model_type": model_type}}
        self.tokenizer = tokenizer_for(head, write(folder, files))
        languages = self.tokenizer.languages
        if head == "conditional-generation" and languages:
            options |= {"src_lang": languages[0], "tgt_lang": languages[-1]}
        self.objective: FineTuning[Any] = tuning_of(head).for_rows(
            self.tokenizer, ROWS[head], **{"length": 32, **options}
        )
        self.corpus = self.objective.corpus(ROWS[head])

    def model(self, **config: Any) -> tfx_core.Model:
        tiny = {**case_of(self.model_type).tiny, "vocab_size": len(self.tokenizer)}
        ids = {f"{name}_token_id": getattr(self.tokenizer, f"{name}_token_id") for name in ("pad", "eos", "bos")}
        config = {**tiny, **ids, **self.objective.of_model(), **config}
        return tfx_core.new_model(self.model_type, head=self.head, seed=0, **config)

    def batch(self, numbers: list[int]) -> Batch:
        rows = self.objective.rows(self.corpus, generator_of(0))
        return self.objective.batch([self.objective.example(rows[number], generator_of(0)) for number in numbers])


@pytest.mark.parametrize(("head", "model_type"), PAIRS, ids=map("-".join, PAIRS))
def test_a_batch_is_the_mean_of_its_rows(head: str, model_type: str, tmp_path: Path) -> None:
    tried = Tried(head, model_type, tmp_path)
    trainee = tried.objective.trainee({"model": tried.model()}).eval()
    numbers = [0, 1, 2]
    with torch.no_grad():
        whole = trainee(tried.batch(numbers))
        alone = [
            (trainee(batch), tried.objective.counts(batch)["loss"]) for batch in (tried.batch([n]) for n in numbers)
        ]
    count = tried.objective.counts(tried.batch(numbers))["loss"]
    assert count == sum(each for _, each in alone) > 0
    total = sum(float(outcome.losses["loss"]) * each for outcome, each in alone)
    assert float(whole.losses["loss"]) == pytest.approx(total / count, rel=1e-4)
    if whole.right:
        assert float(whole.right["loss"]) == pytest.approx(
            sum(float(outcome.right["loss"]) * each for outcome, each in alone) / count, abs=1e-5
        )


LEARNT = {
    ("sequence-classification", "bert"): "accuracy",
    ("token-classification", "roberta"): "F1",
    ("question-answering", "bert"): "exact match",
    ("multiple-choice", "albert"): "accuracy",
    ("conditional-generation", "bart"): "exact match",
    ("conditional-generation", "t5"): "exact match",
    ("causal-lm", "gpt2"): "accuracy",
}


@pytest.mark.parametrize(("head", "model_type"), LEARNT, ids=map("-".join, LEARNT))
def test_it_is_learnt(head: str, model_type: str, tmp_path: Path) -> None:
    tried = Tried(head, model_type, tmp_path)
    objective, corpus = tried.objective, tried.corpus
    trainee = objective.trainee({"model": tried.model()})
    rows = objective.rows(corpus, generator_of(0))
    optimizer = torch.optim.AdamW(trainee.parameters(), 1e-2)
    torch.manual_seed(0)
    for epoch in range(25):
        trainee.train()
        for numbers in objective.order(rows, 16, generator_of(0, epoch)):
            batch = objective.batch([objective.example(rows[each], generator_of(0)) for each in numbers])
            optimizer.zero_grad()
            trainee(batch).losses["loss"].backward()
            optimizer.step()
    trainee.eval()
    with torch.no_grad():
        outcome = trainee(objective.batch([objective.example(row, generator_of(0)) for row in rows]))
    right = {name: float(share) for name, share in outcome.right.items()}
    told = objective.measures({"loss": float(outcome.losses["loss"])}, right, corpus)
    told = {**told, **objective.judged(trainee, corpus)}
    assert told[LEARNT[head, model_type]] > 0.9, told
    assert not trainee.training
