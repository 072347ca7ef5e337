"""Measure three published effects on the text that CPython carries, with tiny models and several seeds.

Replaced tokens against masked words at equal compute, a student with a teacher against the same one without, and a
Transformer-XL with its memory against the same one without.
"""

import argparse
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from learn import DISTILBERT, LENGTH, SIZES, TRIALS, batches, fitted
from texts import corpora, documents, keep, named_documents, tokenizer_of
from torch.utils.flop_counter import FlopCounterMode

from tfx_core import Model, Tokenizer, load_model
from tfx_training import Document, Objective, TokenCorpus
from tfx_training.finetuning.classes import Classes, Classified
from tfx_training.objectives.distillation import Distillation
from tfx_training.objectives.masked_words import MaskedWords
from tfx_training.objectives.replaced_tokens import ReplacedTokens
from tfx_training.objectives.segments import Segments

RATE = 4e-3
ELECTRA = {**SIZES, "embedding_size": SIZES["hidden_size"]}
TUNED_STEPS, TUNED_RATE = 300, 1e-3
MOST_CLASSES, LEAST_LEARNT, LEAST_HELD_OUT, LEAST_WORDS = 12, 70, 10, 5


@dataclass(frozen=True)
class Effect:
    """A measure of two ways to train, by seed; less is better."""

    measure: str
    ways: tuple[str, str]
    values: Sequence[tuple[float, float]]

    @property
    def by_way(self) -> dict[str, list[float]]:
        """The values of each way."""
        return {way: [pair[place] for pair in self.values] for place, way in enumerate(self.ways)}

    @property
    def ratios(self) -> list[float]:
        """The first way's measure as a share of the second's."""
        return [one / other for one, other in self.values]

    def shown(self, name: str) -> str:
        """The means with what lies between the least and the greatest, and the ratio."""
        columns = [f"{way} {_spread(values)}" for way, values in self.by_way.items()]
        return f"{name}, {self.measure}: {', '.join(columns)}; ratio {_spread(self.ratios)}"

    def figures(self) -> dict[str, Any]:
        """The same as numbers."""
        return {"measure": self.measure, **self.by_way, "ratio": self.ratios}


class Text(NamedTuple):
    """What all trainings read."""

    training: list[Document]
    held_out: list[Document]
    steps: int


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=EFFECTS, metavar="NAME", help="an effect; may recur")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=500, help="updates of each training (default: 500)")
    parser.add_argument("--json", type=Path, help="a file to put the figures into")
    arguments = parser.parse_args()
    text = Text(*documents(), arguments.steps)
    for name in arguments.only or EFFECTS:
        effect = EFFECTS[name](text, arguments.seeds)
        print(effect.shown(name), flush=True)
        if arguments.json:
            known = {"steps": arguments.steps, "seeds": arguments.seeds}
            keep(arguments.json, "effects", {name: {**known, **effect.figures()}})


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def replaced_tokens(text: Text, seeds: Sequence[int]) -> Effect:
    """A discriminator and a model of the same size that guesses masked words, each fine-tuned afterwards.

    The second has as many more updates as make the floating-point operations of both equal, the generator's counted.
    """
    tokenizer = tokenizer_of(text.training, "electra")
    (corpus,) = corpora(tokenizer, text.training)
    objectives: dict[str, Objective[Any, Any]] = {
        "replaced-tokens": ReplacedTokens(tokenizer, length=LENGTH),
        "masked-words": MaskedWords(tokenizer, length=LENGTH, packing="document-sentences"),
    }
    cost = {name: operations(objective, corpus) for name, objective in objectives.items()}
    steps = {name: round(text.steps * cost["replaced-tokens"] / each) for name, each in cost.items()}
    labelled = Packages.of_library()
    values = []
    for seed in seeds:
        errors = []
        for name, objective in objectives.items():
            models = objective.new_models("electra", seed=seed, **ELECTRA)
            fitted(objective, models, corpus, None, steps[name], RATE, seed)
            errors.append(labelled.error(next(iter(models.values())), tokenizer, seed))
        values.append((errors[0], errors[1]))
    return Effect("share of docstrings given to a wrong package", ("replaced tokens", "masked words"), values)


def operations(objective: Any, corpus: TokenCorpus) -> int:
    """The floating-point operations of an update."""
    trainee = objective.trainee(objective.new_models("electra", seed=0, **ELECTRA))
    batch = next(batches(objective, corpus, 1))
    with FlopCounterMode(display=False) as counter:
        losses = trainee(batch).losses
        sum(objective.terms[term] * loss for term, loss in losses.items()).backward()
    total: int = counter.get_total_flops()
    return total


@dataclass(frozen=True)
class Packages:
    """Pieces of docstrings, each with the package of the standard library that it is from."""

    names: Sequence[str]
    training: Sequence[Classified]
    held_out: Sequence[Classified]

    @classmethod
    def of_library(cls) -> "Packages":
        """Those of packages with modules of both sides of the split."""
        sides: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
        for package, held, piece in _pieces():
            sides[held].append((package, piece))
        learnt, held_out = (Counter(package for package, _ in side) for side in sides)
        fit = [name for name, count in learnt.most_common() if count >= LEAST_LEARNT]
        names = sorted([name for name in fit if held_out[name] >= LEAST_HELD_OUT][:MOST_CLASSES])
        numbers = {name: number for number, name in enumerate(names)}
        rows = [[Classified((text,), numbers[name]) for name, text in side if name in numbers] for side in sides]
        return cls(names, *rows)

    def error(self, model: Model, tokenizer: Tokenizer, seed: int) -> float:
        """The share of held-out pieces that a model gives to a wrong package, once it is fine-tuned."""
        objective = Classes(tokenizer, length=LENGTH, labels=self.names)
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            tuned = load_model(folder, head="sequence-classification", **objective.of_model())
        models = {"model": tuned}
        measures = fitted(objective, models, self.training, self.held_out, TUNED_STEPS, TUNED_RATE, seed)
        return 1 - measures["accuracy"]


def _pieces() -> Iterator[tuple[str, bool, str]]:
    """Package, whether it is held out, and text of each paragraph of some words."""
    for name, held, text in named_documents():
        package, _, module = name.partition("/")
        if module:
            yield from ((package, held, piece) for piece in text.split("\n\n") if len(piece.split()) >= LEAST_WORDS)


def distillation(text: Text, seeds: Sequence[int]) -> Effect:
    """A student that begins anew, with a teacher twice as deep that has learnt longer, and without one.

    Both read the same rows, with the same words hidden; the teacher is the same for all.
    """
    tokenizer = tokenizer_of(text.training, "bert")
    learnt, unseen = corpora(tokenizer, text.training, text.held_out)
    masked = MaskedWords(tokenizer, length=LENGTH)
    teachers = masked.new_models("bert", seed=0, **{**SIZES, "num_hidden_layers": 4})
    fitted(masked, teachers, learnt, None, 3 * text.steps, RATE)
    options: dict[str, Any] = {"teacher": teachers["model"], "length": LENGTH, "layers": ()}
    without = {**options, "soft_weight": 0.0, "states_weight": 0.0}
    ways = (Distillation(tokenizer, **options), Distillation(tokenizer, **without))
    values = []
    for seed in seeds:
        losses = []
        for objective in ways:
            models = objective.new_models("distilbert", seed=seed, **DISTILBERT)
            losses.append(fitted(objective, models, learnt, unseen, text.steps, RATE, seed)["hidden tokens"])
        values.append((losses[0], losses[1]))
    return Effect("held-out loss of hidden tokens", ("with a teacher", "alone"), values)


def memory(text: Text, seeds: Sequence[int]) -> Effect:
    """A model that remembers the segment before, in each layer, and one that sees its own segment alone.

    Both are measured as they have learnt: the second one sees of its segment's tokens those before, on average half.
    """
    trial = TRIALS["segments"]
    tokenizer = tokenizer_of(text.training, trial.model_type)
    learnt, unseen = corpora(tokenizer, text.training, text.held_out)
    objective = Segments(tokenizer, **trial.options)
    values = []
    for seed in seeds:
        bits = []
        for length in (trial.options["length"], 0):
            models = objective.new_models(trial.model_type, seed=seed, **{**trial.config, "mem_len": length})
            bits.append(fitted(objective, models, learnt, unseen, text.steps, RATE, seed)["bits per byte"])
        values.append((bits[0], bits[1]))
    return Effect("held-out bits per byte", ("with memory", "without"), values)


EFFECTS = {"replaced-tokens": replaced_tokens, "distillation": distillation, "memory": memory}


if __name__ == "__main__":
    main()
