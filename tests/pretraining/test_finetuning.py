"""What holds for the fine-tuning of every head, with every architecture that has it; and that each is learnt."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

import tfx_core
from tests.cases import case_of, readers_of_text
from tests.core.text.folders import write
from tfx_core.cli import cli
from tfx_training.finetuning.heads import TUNINGS, tuning_of
from tfx_training.finetuning.records import Record
from tfx_training.finetuning.running import prepared_tuning
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
        model = tfx_core.new_model(self.model_type, head=self.head, seed=0, **config)
        self.objective.fit(model)
        return model

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
    # which text a causal model reads it has to guess at its first words
    assert told[LEARNT[head, model_type]] > (0.7 if head == "causal-lm" else 0.9), told
    assert not trainee.training


def files(head: str, model_type: str, folder: Path, **config: Any) -> tuple[Path, Path, Path]:
    """A folder of a new model with its tokenizer, rows to learn and rows to measure on."""
    tried = Tried(head, model_type, folder / "tokenizer")
    stored = "backbone" if head in ("sequence-classification", "token-classification") else head
    tiny = {**case_of(model_type).tiny, "vocab_size": len(tried.tokenizer)}
    model = tfx_core.new_model(model_type, head=stored, seed=0, **{**tiny, **config})
    for each in (model, tried.tokenizer):
        each.save_pretrained(folder / "model")
    for name, rows in (("train", ROWS[head][:32]), ("held-out", ROWS[head][32:])):
        lines = [json.dumps(dict(row.values)) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder / "model", folder / "train.jsonl", folder / "held-out.jsonl"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="tfx-core")


def finetune(folder: Path, head: str, model_type: str, *more: object, **config: Any) -> Result:
    model, train, held_out = files(head, model_type, folder, **config)
    arguments = ("--model", model, "--train", train, "--held-out", held_out, "--out", folder / "out")
    return run("finetune", *arguments, "--batch-size", 16, "--rate", 1e-2, "--json", *more)


ONCE = ("--evaluate-every", 100, "--steps")
RUNS: list[tuple[str, str, tuple[object, ...], object, str]] = [
    ("sequence-classification", "bert", ("--task", "text-classification", "--epochs", 12), "a b x", "accuracy"),
    ("token-classification", "roberta", ("--task", "ner", "--epochs", 15), "a z b", "F1"),
    ("question-answering", "bert", ("--task", "question-answering", "--epochs", 15),
     {"question": "q", "context": "a b z c"}, "exact match"),
    ("conditional-generation", "t5", ("--task", "summarization", *ONCE, 60, "--prefix", "sum: "), "x", "ROUGE-L"),
    ("causal-lm", "gpt2", ("--task", "text-generation", *ONCE, 100), "x", "accuracy"),
]  # fmt: skip


@pytest.mark.parametrize(("head", "model_type", "asked", "value", "measure"), RUNS, ids=[each[0] for each in RUNS])
def test_the_folder_is_one_to_run(
    head: str, model_type: str, asked: tuple[object, ...], value: object, measure: str, tmp_path: Path
) -> None:
    found = finetune(tmp_path, head, model_type, *asked)
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert told["measures"][measure] > 0.8, told
    answer: Any = tfx_core.pipeline(str(asked[1]), tmp_path / "out")(value)
    if head == "sequence-classification":
        assert answer[0]["label"] == "x"
    elif head == "token-classification":
        assert "z" in {each["word"] for each in answer if each["entity"] == "B-Z"}
    elif head == "question-answering":
        assert answer["answer"] == "z"
    else:
        assert next(iter(answer[0].values())).split()[:2] == ["x", "x"]


def test_choices_are_learnt_by_their_head(tmp_path: Path) -> None:
    found = finetune(tmp_path, "multiple-choice", "albert", "--head", "multiple-choice", "--epochs", 10)
    assert json.loads(found.stdout)["measures"]["accuracy"] > 0.9
    assert tfx_core.load_model(tmp_path / "out").head_name == "multiple-choice"


def test_it_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    model, train, held_out = files("sequence-classification", "bert", tmp_path)
    tuning = [prepared_tuning(model, train, held_out, task="text-classification") for _ in range(3)]
    settings = tuning[0].settings(epochs=4, batch_size=8, rate=1e-2)
    tuning[0].train(tmp_path / "whole", settings, progress=False)

    class Stopped(Exception):  # noqa: N818
        pass

    def stop(trainee: Any, corpus: Any) -> Mapping[str, float]:
        if len(list((tmp_path / "parts" / "checkpoints").glob("step-*"))) > 1:
            raise Stopped
        return {}

    tuning[1].objective.judged = stop  # type: ignore[method-assign]
    with pytest.raises(Stopped):
        tuning[1].train(tmp_path / "parts", settings, progress=False)
    tuning[2].train(tmp_path / "parts", settings, progress=False)
    one, other = (tfx_core.load_model(tmp_path / name).state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(value, other[name]) for name, value in one.items() if isinstance(value, torch.Tensor))


def test_the_best_model_is_kept_and_a_training_that_gets_no_better_ends(tmp_path: Path) -> None:
    model, train, held_out = files("sequence-classification", "bert", tmp_path)
    tuning = prepared_tuning(model, train, held_out, task="text-classification")
    judged = iter([0.1, 0.9, 0.3, 0.2, 0.8])
    kept: list[Any] = []

    def judge(trainee: Any, corpus: Any) -> Mapping[str, float]:
        kept.append(copy.deepcopy(trainee.model("model").state_dict()))
        return {"accuracy": next(judged)}

    tuning.objective.judged = judge  # type: ignore[method-assign]
    settings = tuning.settings(epochs=9, batch_size=16, patience=2)
    trained = tuning.train(tmp_path / "out", settings, progress=False)
    assert (trained.steps, trained.measures["accuracy"]) == (8, 0.9)
    weights = tfx_core.load_model(tmp_path / "out").state_dict()
    assert all(torch.equal(value, kept[1][name]) for name, value in weights.items() if isinstance(value, torch.Tensor))


def test_a_model_that_knows_the_labels_keeps_their_numbers(tmp_path: Path) -> None:
    model, train, _ = files("sequence-classification", "bert", tmp_path)
    known = tfx_core.load_model(model, head="sequence-classification", id2label={0: "y", 1: "w", 2: "x"})
    known.save_pretrained(model)
    tuning = prepared_tuning(model, train, task="text-classification")
    assert tuning.model.config.id2label == {0: "y", 1: "w", 2: "x"}
    other = Record({"text": "a", "label": "new"}, "rows, line 1")
    assert tuning_of("sequence-classification").for_rows(tuning.objective.tokenizer, [other, ROWS[
        "sequence-classification"][0]], known=["x", "y"]).of_model()["id2label"] != {0: "x", 1: "y"}  # fmt: skip


WRONG: list[tuple[str, str, list[dict[str, object]], tuple[object, ...], str]] = [
    ("sequence-classification", "train", [{"text": "a"}], (), "no column for the label: "),
    ("sequence-classification", "train", [{"text": "a", "label": "x"}], (), "at least two"),
    ("sequence-classification", "train", [{"text": "a", "label": "x"}, {"text": 1, "label": "y"}], (),
     "train.jsonl, line 2: 'text' is 1; it must be a text"),
    ("sequence-classification", "train", [{"text": "a", "label": None}], (),
     "train.jsonl, line 1: 'label' is None; it must be one label"),
    ("sequence-classification", "train", [{"text": "a", "label": 0.5}, {"text": "b", "label": "x"}],
     ("--problem", "regression"), "train.jsonl, line 2: 'label' is 'x'; it must be a number"),
    ("sequence-classification", "held-out", [{"text": "a", "label": "new"}], (),
     "held-out.jsonl, line 1: 'label' is 'new'; 'new' is no label of the rows to learn from: x, y"),
    ("sequence-classification", "train", [], ("--column", "text"), "'text': write what a row needs and its column"),
    ("sequence-classification", "train", [], ("--length", 100), "--length 100: the model takes at most 40 tokens"),
    ("sequence-classification", "train", [], ("--stride", 3), "--stride 3: without effect for sequence-classification"),
    ("sequence-classification", "train", [], ("--head", "backbone"), "give --task or --head, and not both"),
    ("token-classification", "train", [{"tokens": ["a", "b"], "tags": ["O"]}], (),
     "train.jsonl, line 1: 'tags' is ['O']; 1 labels for 2 words"),
    ("token-classification", "train", [{"tokens": [], "tags": []}], (), "'tokens' is []; it must be a list"),
    ("question-answering", "train", [{"question": "q", "context": "a b", "answers": "c"}], (),
     "train.jsonl, line 1: the answer 'c' does not stand in its text"),
    ("question-answering", "train", [{"question": "q " * 50, "context": "a b", "answers": "a"}], (),
     "train.jsonl, line 1: a question of 50 tokens leaves no room for its text in 40"),
]  # fmt: skip


@pytest.mark.parametrize(("head", "file", "rows", "more", "told"), WRONG, ids=[each[4][:40] for each in WRONG])
def test_rows_that_do_not_fit(
    head: str, file: str, rows: list[dict[str, object]], more: tuple[object, ...], told: str, tmp_path: Path
) -> None:
    task = {"sequence-classification": "text-classification"}.get(head, head)
    model, train, held_out = files(head, "bert", tmp_path)
    if rows:
        (tmp_path / f"{file}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    arguments = ("--model", model, "--train", train, "--held-out", held_out, "--out", tmp_path / "out")
    found = run("finetune", *arguments, "--task", task, *more)
    assert found.exit_code != 0
    assert told in found.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wrong", [{"task": "feature-extraction"}, {"head": "backbone"}, {"task": "none"}])
def test_what_cannot_be_fine_tuned(wrong: dict[str, str], tmp_path: Path) -> None:
    model, train, _ = files("sequence-classification", "bert", tmp_path)
    with pytest.raises(tfx_core.errors.TfxError, match=r"there is no fine-tuning of|no task"):
        prepared_tuning(model, train, **wrong)  # type: ignore[arg-type]
