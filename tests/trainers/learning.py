"""Tiny models, rows that they can learn from, and a training of each kind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments, Trainer, TrainingArguments

import tfx_core
from tests.integration.habits.world import World
from tfx_core.collators import NextTokens, Padding

NEW = int(transformers.__version__.partition(".")[0]) > 4
WORDS = ("aaaaaa", "zzzzzz")
HEADS = {"bert": "sequence-classification", "gpt2": "causal-lm", "t5": "conditional-generation"}

SPEED = {"bert": (6, 2e-2), "t5": (8, 2e-2)}
"""Epochs and rate that a model learns in; others take fewer."""


class Trained:
    """A world in which models learn: of each type with its head, a new model, its rows and its trainer."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.world = World(root / "world")
        self.world.root.mkdir()

    def model(self, model_type: str, head: str | None = None, **config: Any) -> tfx_core.Model:
        start = {"decoder_start_token_id": 0} if model_type in ("t5", "bart") else {}
        return self.world.model(model_type, head or HEADS[model_type], **start, **config)

    def tokenizer(self, model_type: str = "bert") -> tfx_core.Tokenizer:
        return self.world.tokenizer(model_type)

    def rows(self, model_type: str, count: int = 24) -> list[dict[str, Any]]:
        """Of two kinds of text, with what each asks for as labels."""
        tokenizer, made = self.tokenizer(model_type), []
        for number in range(count):
            row = dict(tokenizer(WORDS[number % 2] * (1 + number % 3)))
            labels: Any = {"bert": number % 2, "t5": tokenizer(WORDS[number % 2])["input_ids"]}.get(model_type)
            made.append(row if labels is None else {**row, "labels": labels})
        return made

    def texts(self) -> list[dict[str, Any]]:
        """Rows without labels."""
        return [{name: values for name, values in row.items() if name != "labels"} for row in self.rows("bert", 6)]

    def collator(self, model_type: str) -> Callable[[Any], Any]:
        return (NextTokens if model_type == "gpt2" else Padding)(self.tokenizer(model_type))

    def trainer(
        self,
        model_type: str,
        model: Any = None,
        *,
        collator: Any = None,
        metrics: Callable[[Any], dict[str, float]] | None = None,
        rows: Any = None,
        processing_class: Any = None,
        **changes: Any,
    ) -> Trainer:
        seq2seq = model_type == "t5"
        kind, arguments = (Seq2SeqTrainer, Seq2SeqTrainingArguments) if seq2seq else (Trainer, TrainingArguments)
        epochs, rate = SPEED.get(model_type, (4, 1e-2))
        options: dict[str, Any] = {
            "num_train_epochs": epochs,
            "per_device_train_batch_size": 8,
            "learning_rate": rate,
            "logging_steps": 1,
            "eval_strategy": "epoch",
            "save_strategy": "epoch",
            "report_to": [],
            "disable_tqdm": True,
            "use_cpu": True,
            "seed": 1,
            "dataloader_pin_memory": False,
        }
        return kind(
            model=self.model(model_type) if model is None else model,
            args=arguments(output_dir=str(self.root / "out"), **{**options, **changes}),
            train_dataset=self.rows(model_type) if rows is None else rows,
            eval_dataset=self.rows(model_type, 8) if rows is None else rows,
            data_collator=collator or self.collator(model_type),
            compute_metrics=metrics,
            processing_class=processing_class,
        )


def losses(trainer: Trainer) -> list[float]:
    return [each["loss"] for each in trainer.state.log_history if "loss" in each]


def same(one: Any, other: Any) -> bool:
    mine, its = dict(one.named_parameters()), dict(other.named_parameters())
    return mine.keys() == its.keys() and all(torch.equal(values, its[name]) for name, values in mine.items())
