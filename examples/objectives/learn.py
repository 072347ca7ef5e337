"""Train a tiny model by each objective on the text that CPython carries: each must guess what is held out.

A guess that knows nothing but how often each label is right is chance: the cross-entropy, in nats, of held-out labels
under their frequencies in training, each seen once more than it was. Each term of a loss that is a guess has to come
below that by a margin. Exits with 1 where one does not.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from texts import LANGUAGES, corpora, documents, keep, pairs, tokenizer_of
from torch import Tensor

from tfx_core import Model
from tfx_training import Document, Objective, TokenCorpus, TrainingSettings, load_objective, train
from tfx_training.objective import Batch, generator_of
from tfx_training.objectives.masked_words import MaskedWords
from tfx_training.objectives.replaced_tokens import drawn, with_samples

WIDTH, LAYERS, HEADS, LENGTH, BATCH = 128, 2, 2, 64, 32
COUNTED = 200
"""Batches whose labels are counted at most; of labels that a model makes, a tenth of that."""

SIZES = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": 4 * WIDTH,
    "max_position_embeddings": 2 * LENGTH,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
BOTH_SIDES = {
    "d_model": WIDTH,
    "encoder_layers": LAYERS,
    "decoder_layers": LAYERS,
    "encoder_attention_heads": HEADS,
    "decoder_attention_heads": HEADS,
    "encoder_ffn_dim": 4 * WIDTH,
    "decoder_ffn_dim": 4 * WIDTH,
    "max_position_embeddings": 4 * LENGTH,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
}
T5 = {"d_model": WIDTH, "d_ff": 4 * WIDTH, "d_kv": 64, "num_layers": LAYERS, "num_heads": HEADS, "dropout_rate": 0.0}
DISTILBERT = {
    "dim": WIDTH,
    "n_layers": LAYERS,
    "n_heads": HEADS,
    "hidden_dim": 4 * WIDTH,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}
LABELS = {
    "words": "word_labels",
    "next sentence": "next_sentence_label",
    "sentence order": "sentence_order_label",
}
"""The column of a batch in which a term's labels are, where it is not ``labels``."""


@dataclass(frozen=True)
class Trial:
    """How an objective is tried."""

    model_type: str
    margins: Mapping[str, float | None]
    """Of each term that is a guess, how many nats below chance it has to come; None where nothing is asked."""

    config: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=lambda: {"length": LENGTH})
    steps: int = 400
    rate: float = 4e-3
    tokenizer: Mapping[str, Any] = field(default_factory=dict)
    translated: bool = False
    """Whether it reads sentences with their translations."""


TRIALS = {
    "causal": Trial(
        "gpt2",
        {"loss": 1.5},
        {
            "n_positions": LENGTH,
            "n_embd": WIDTH,
            "n_layer": LAYERS,
            "n_head": HEADS,
            "resid_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "attn_pdrop": 0.0,
        },
    ),
    "denoising": Trial("bart", {"loss": 0.8}, BOTH_SIDES),
    "distillation": Trial("distilbert", {"hidden tokens": 0.5}, DISTILBERT),
    "future-n-grams": Trial(
        "prophetnet",
        {"loss": 0.3},
        {
            "hidden_size": WIDTH,
            "num_encoder_layers": LAYERS,
            "num_decoder_layers": LAYERS,
            "num_encoder_attention_heads": HEADS,
            "num_decoder_attention_heads": HEADS,
            "encoder_ffn_dim": 4 * WIDTH,
            "decoder_ffn_dim": 4 * WIDTH,
            "max_position_embeddings": 2 * LENGTH,
            "dropout": 0.0,
            "attention_dropout": 0.0,
            "activation_dropout": 0.0,
        },
        {"length": LENGTH, "block": 32, "share": 0.25},
    ),
    "gap-sentences": Trial("pegasus", {"loss": 0.8}, BOTH_SIDES, {"length": 2 * LENGTH, "target_length": LENGTH}),
    "gap-sentences-and-words": Trial(
        "pegasus", {"gaps": 0.8, "words": 0.2}, BOTH_SIDES, {"length": 2 * LENGTH, "target_length": LENGTH}
    ),
    "masked-words": Trial("bert", {"loss": 0.5}, SIZES),
    "next-sentence": Trial("bert", {"masked words": 0.4, "next sentence": 0.01}, SIZES),
    "permutation": Trial(
        "xlnet",
        {"loss": 0.2},
        {"d_model": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "d_inner": 4 * WIDTH, "dropout": 0.0},
        {"length": LENGTH, "reuse": 32, "permutation": 32, "predict": 16, "memory": 48},
        steps=800,
    ),
    "replaced-tokens": Trial("electra", {"discriminator": 0.01, "generator": 0.3}, {**SIZES, "embedding_size": WIDTH}),
    "segments": Trial(
        "transfo-xl",
        {"loss": 0.6},
        {
            "d_model": WIDTH,
            "d_embed": WIDTH,
            "n_head": HEADS,
            "d_head": WIDTH // HEADS,
            "d_inner": 4 * WIDTH,
            "n_layer": LAYERS,
            "mem_len": 32,
            "same_length": False,
            "dropout": 0.0,
            "dropatt": 0.0,
            "cutoffs": [],
            "div_val": 1,
        },
        {"length": 32},
    ),
    "sentence-order": Trial(
        "albert",
        {"masked words": 0.4, "sentence order": None},
        {**SIZES, "embedding_size": WIDTH, "num_hidden_groups": 1},
    ),
    "span-corruption": Trial("t5", {"loss": 0.5}, T5),
    "text-to-text": Trial("t5", {"loss": 1.0}, T5, {"length": LENGTH, "target_length": LENGTH}, translated=True),
    "translation-pairs": Trial(
        "xlm",
        {"loss": 0.5},
        {"emb_dim": WIDTH, "n_layers": LAYERS, "n_heads": HEADS, "dropout": 0.0, "attention_dropout": 0.0},
        tokenizer={"lang2id": {name: place for place, name in enumerate(LANGUAGES)}},
        options={"length": 2 * LENGTH},
        translated=True,
    ),
}


@dataclass(frozen=True)
class Line:
    """What one term came to."""

    objective: str
    model_type: str
    term: str
    chance: float
    reached: float
    margin: float | None
    steps: int
    seconds: float

    def figures(self) -> dict[str, Any]:
        """The same as numbers, without the objective."""
        return {**{name: value for name, value in vars(self).items() if name != "objective"}, "passes": self.passes}

    @property
    def passes(self) -> bool:
        """Whether it is as far below chance as it has to be."""
        return self.margin is None or self.reached <= self.chance - self.margin


def main() -> None:
    """Read the options, train, print, and say whether all have learnt."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=TRIALS, metavar="NAME", help="an objective; may recur")
    parser.add_argument("--json", type=Path, help="a file to put the figures into")
    parser.add_argument("--steps", type=int, help="updates of each training, in place of its own number")
    arguments = parser.parse_args()
    texts = documents()
    print(HEADER, flush=True)
    all_pass = True
    for name in arguments.only or TRIALS:
        lines = []
        for line in tried(name, TRIALS[name], *texts, steps=arguments.steps):
            print(shown(line), flush=True)
            lines.append(line)
        all_pass &= all(line.passes for line in lines)
        if arguments.json:
            keep(arguments.json, "learn", {name: [line.figures() for line in lines]})
    sys.exit(0 if all_pass else 1)


HEADER = f"{'objective':24} {'model':11} {'term':15} {'chance':>7} {'reached':>7} {'wanted':>7} {'seconds':>7}"


def shown(line: Line) -> str:
    """A line of the table."""
    names = f"{line.objective:24} {line.model_type:11} {line.term:15}"
    wanted = "-" if line.margin is None else f"{line.chance - line.margin:.3f}"
    figures = f"{line.chance:7.3f} {line.reached:7.3f} {wanted:>7} {line.seconds:7.0f}"
    return f"{names} {figures}{'' if line.passes else '  not learnt'}"


def tried(
    name: str, trial: Trial, training: Sequence[Document], held_out: Sequence[Document], steps: int | None = None
) -> Iterator[Line]:
    """Train by an objective and compare its guesses with chance."""
    begin = time.monotonic()
    steps = steps or trial.steps
    if trial.translated:
        training, held_out = [*pairs(training)], [*pairs(held_out)]
    tokenizer = tokenizer_of(training, trial.model_type, **trial.tokenizer)
    learnt, unseen = corpora(tokenizer, training, held_out)
    options = dict(trial.options)
    if name == "distillation":
        options["teacher"] = teacher(tokenizer, learnt, steps)
    objective = load_objective(name)(tokenizer, **options)
    models = objective.new_models(trial.model_type, seed=0, **trial.config)
    measures = fitted(objective, models, learnt, unseen, steps, trial.rate)
    seconds = time.monotonic() - begin
    for term, margin in trial.margins.items():
        chance = chance_of(objective, models, term, learnt, unseen)
        yield Line(name, trial.model_type, term, chance, measures[term], margin, steps, seconds)


def fitted(
    objective: Objective[Any, Any],
    models: Mapping[str, Model],
    learnt: Any,
    unseen: Any,
    steps: int,
    rate: float,
    seed: int = 0,
) -> Mapping[str, float]:
    """Train, and say how good the models are on what they have not seen."""
    settings = TrainingSettings(
        steps=steps,
        batch_size=BATCH,
        optimiser="muon",
        rate=rate,
        warmup=min(40, steps),
        betas=(0.9, 0.98),
        seed=seed,
    )
    with tempfile.TemporaryDirectory() as folder:
        return train(objective, models, learnt, folder, settings=settings, held_out=unseen, progress=False).measures


def teacher(tokenizer: Any, learnt: TokenCorpus, steps: int) -> Model:
    """A BERT that has learnt masked words."""
    objective = MaskedWords(tokenizer, length=LENGTH)
    models = objective.new_models("bert", seed=0, **SIZES)
    fitted(objective, models, learnt, None, steps, 4e-3)
    return models["model"]


def chance_of(
    objective: Objective[Any, Any], models: Mapping[str, Model], term: str, learnt: TokenCorpus, unseen: TokenCorpus
) -> float:
    """The cross-entropy of held-out labels under the frequencies of those to learn from, each one more."""
    seen, wanted = (labels_of(objective, models, term, corpus) for corpus in (learnt, unseen))
    binary = term in ("discriminator", "next sentence", "sentence order")
    classes = 2 if binary else len(objective.tokenizer)
    counts = np.bincount(seen, minlength=classes) + 1.0
    return float(-np.log(counts[wanted] / counts.sum()).mean())


def labels_of(
    objective: Objective[Any, Any], models: Mapping[str, Model], term: str, corpus: TokenCorpus
) -> NDArray[np.int64]:
    """The labels of a term that count, of some batches."""
    of_models = term == "discriminator"
    found = []
    for batch in batches(objective, corpus, COUNTED // 10 if of_models else COUNTED):
        labels = replacements(models, batch) if of_models else batch[LABELS.get(term, "labels")]
        found.append(labels[labels >= 0].numpy())
    return np.concatenate(found)


def batches(objective: Objective[Any, Any], corpus: TokenCorpus, most: int) -> Iterator[Batch]:
    """Batches of rows in any order, as no training has them."""
    rows = objective.rows(corpus, generator_of(1))
    numbers = generator_of(1).permutation(len(rows))[: most * BATCH]
    for begin in range(0, len(numbers), BATCH):
        chosen = map(int, numbers[begin : begin + BATCH])
        yield objective.batch([objective.example(rows[each], generator_of(1, 0, each)) for each in chosen])


@torch.no_grad()
def replacements(models: Mapping[str, Model], batch: Mapping[str, Tensor]) -> Tensor:
    """Which tokens a generator replaces by others, ``(B, S)``; -100 where there is none."""
    hidden = batch["labels"] >= 0
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    logits = models["generator"].eval()(**inputs, logits_positions=hidden.nonzero()).logits
    _, replaced = with_samples(inputs["input_ids"], hidden, batch["labels"][hidden], drawn(logits))
    return torch.where(batch["attention_mask"].bool(), replaced, -100)


if __name__ == "__main__":
    main()
