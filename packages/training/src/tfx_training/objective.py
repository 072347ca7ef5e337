"""What an objective is: how a corpus becomes rows and rows become batches, and what is learnt from them.

Everything that is drawn at random is drawn from a generator that is given, and a training makes one for the rows of
each epoch, one for their order and one for each row (`generator_of`, `generator_of_order`): what a row becomes depends
on nothing else, on no other row, on no process and on nothing that went before. So a training can go on wherever it
stopped.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeAlias, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tfx_core import Model, ObjectiveSpec, Tokenizer, new_model
from tfx_core.errors import InputError
from tfx_core.model.heads import IGNORED
from tfx_core.plugins import registry
from tfx_training.token_tables import rows_of_table

Corpus = TypeVar("Corpus")
Row = TypeVar("Row")

Example: TypeAlias = Mapping[str, Any]
"""Columns of one row: numbers, or arrays with a value for each token."""

Batch: TypeAlias = dict[str, Tensor]


class Outcome(NamedTuple):
    """What a model made of a batch."""

    losses: Mapping[str, Tensor]
    """Of each term the mean over what counts in the batch."""

    right: Mapping[str, Tensor] = {}
    """Of each term how often the best guess was right, while evaluating; a term without guesses has none."""

    carried: Any = None
    """What the next batch of the same texts begins with: a memory."""


class Trainee(nn.Module):
    """The models that an objective trains, called with a batch: one `torch.nn.Module` for any training loop.

    In evaluation mode it also counts what was guessed rightly.
    """

    def __init__(self, models: Mapping[str, Model]) -> None:
        super().__init__()
        self.models = nn.ModuleDict(dict(models))

    def model(self, role: str) -> Model:
        """One of them, by its role."""
        found = self.models[role]
        assert isinstance(found, Model)
        return found

    def tie_weights(self) -> None:
        """Make one again of the parameters that the models begin with tied; what builds a module anew asks for it."""
        for role in self.models:
            self.model(role).tie_weights()

    def forward(self, batch: Mapping[str, Tensor], carried: Any = None) -> Outcome:
        """The losses of a batch; here, of one model that computes its own."""
        (model,) = self.models.values()
        output = model(**batch)
        return Outcome({"loss": output.loss})


class Objective(ABC, Generic[Corpus, Row]):
    """How a corpus becomes batches, and the loss; the target of a `tfx_core.ObjectiveSpec` is a subclass.

    A subclass's ``__init__`` takes a tokenizer first and options by name, with checked types and published defaults.
    """

    roles: ClassVar[Mapping[str, str]]
    """The models that it trains: the role of each -> the head that it needs."""

    terms: ClassVar[Mapping[str, float]] = {"loss": 1.0}
    """The terms of the loss, and the weight of each."""

    follows: ClassVar[bool] = False
    """Whether a batch goes on with the texts of the one before, and with what was carried out of it.

    A column of what `order` gives is one text then. Who shares batches out, to processes or to be accumulated, gives
    each share the same columns every time, and what was carried out of them: detached tensors, or a tuple of some.
    With an epoch, and with an evaluation, texts begin, and nothing is carried.
    """

    length: int
    """How many tokens of a row a model reads at most; an objective that does not bound them has none."""

    target_length: int
    """How many tokens of a target a decoder writes at most, in the same way."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    @abstractmethod
    def rows(self, corpus: Corpus, generator: np.random.Generator) -> Sequence[Row]:
        """The rows of one epoch, each read when it is asked for.

        Raises `InputError` for a corpus that gives none, or not what the objective needs.
        """

    @abstractmethod
    def example(self, row: Row, generator: np.random.Generator) -> Example:
        """What a row becomes this time."""

    @abstractmethod
    def batch(self, examples: Sequence[Example]) -> Batch:
        """The inputs of `Trainee.forward`; nothing is drawn here."""

    def order(self, rows: Sequence[Row], batch_size: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Which rows go into which batch of an epoch, ``(batches, batch_size)``; by default any, each at most once."""
        batches = len(rows) // batch_size
        if not batches:
            raise InputError(f"batch_size={batch_size}: the corpus gives {len(rows)} rows, not enough for one batch")
        return generator.permutation(len(rows))[: batches * batch_size].reshape(batches, batch_size)

    def digest(self, corpus: Corpus) -> int:
        """A number that another corpus does not have, by which a training that goes on knows its own."""
        return int(getattr(corpus, "digest", 0))

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Over how many things each term of `terms` is a mean: here, the labels that count."""
        return {"loss": int((batch["labels"] != IGNORED).sum())}

    def trainee(self, models: Mapping[str, Model]) -> Trainee:
        """The models by their roles, made one module; raises `InputError` for models that do not fit."""
        self.check_roles(models)
        return Trainee(models)

    def check_roles(self, models: Mapping[str, Model]) -> None:
        """Raise `InputError` unless there is a model for each role, with the head and the positions that it needs."""
        if models.keys() != self.roles.keys():
            raise InputError(f"models for {sorted(models)}: this objective trains {sorted(self.roles)}")
        for role, model in models.items():
            if model.head_name != self.roles[role]:
                raise InputError(
                    f"the {role} has the head {model.head_name!r}; this objective needs {self.roles[role]!r}: "
                    f"load or make it with head={self.roles[role]!r}"
                )
            self.check_positions(role, model)

    def check_positions(self, role: str, model: Model) -> None:
        """Raise `InputError` for a model that has positions for fewer tokens than a row may have."""
        for option, positions in (("length", model.max_positions), ("target_length", positions_of_target(model))):
            most: int | None = getattr(self, option, None)
            if most is not None and positions is not None and most > positions:
                raise InputError(
                    f"{option}={most}: the {role} has positions for {positions} tokens; take no longer rows, or a "
                    "config with as many positions"
                )

    def new_models(self, model_type: str, *, seed: int, **config: Any) -> Mapping[str, Model]:
        """New models for all roles, of an architecture; the config's sizes of the vocabulary are the tokenizer's."""
        config = {**self.of_tokenizer(), **config}
        return {role: new_model(model_type, head=head, seed=seed, **config) for role, head in self.roles.items()}

    def save(self, models: Mapping[str, Model], folder: Path) -> None:
        """Write the first role into ``folder`` and each other into a folder of its name there, all with the tokenizer.

        Each is as `tfx_core.load_model` and transformers read it.
        """
        for number, (role, model) in enumerate(models.items()):
            place = folder / role if number else folder
            model.save_pretrained(place)
            self.tokenizer.save_pretrained(place)

    def of_tokenizer(self) -> Mapping[str, Any]:
        """Keys of a config that the tokenizer decides: the size of the vocabulary, the ids of tokens that it names."""
        ids = {role: getattr(self.tokenizer, role) for role in ("pad_token_id", "bos_token_id", "eos_token_id")}
        return {
            "vocab_size": rows_of_table(self.tokenizer),
            **{role: number for role, number in ids.items() if number is not None},
        }

    def measures(self, losses: Mapping[str, float], right: Mapping[str, float], corpus: Corpus) -> Mapping[str, float]:
        """What to report of an evaluation, by name, of the means of all losses and of the shares that were right."""
        return {**losses, **{f"{term} accuracy": share for term, share in right.items()}}

    def judged(self, trainee: Trainee, corpus: Corpus) -> Mapping[str, float]:
        """What else to report of an evaluation, of what the models do with a corpus; in evaluation mode, here nothing.

        Each process of a training calls it, and has the same result.
        """
        return {}

    def score(self, measures: Mapping[str, float]) -> tuple[float, ...]:
        """How good an evaluation is, by its main measure: the greater one is better."""
        if self.main_measure not in measures:
            kind = type(self).__name__
            raise TypeError(
                f"{kind}.main_measure is {self.main_measure!r}, none of its measures: {', '.join(measures)}"
            )
        value = measures[self.main_measure]
        return (value if self.main_measure.endswith("accuracy") else -value,)

    @property
    def main_measure(self) -> str:
        """The one of `measures` that says how good the model is, lower for better unless it is an accuracy."""
        return next(iter(self.terms))


def positions_of_target(model: Model) -> int | None:
    """For how many tokens of a target a model has positions, ``None`` where there is no limit, or no target."""
    writer = model.backbone.text_writer
    return None if writer is None else writer.max_positions


def generator_of(seed: int, *numbers: int) -> np.random.Generator:
    """The generator of an epoch's rows, or of a row: of these numbers, and how many they are, and nothing else."""
    # numbers of the seed itself would be padded with zeros: an epoch's would be those of its row 0
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=numbers))


def generator_of_order(seed: int, epoch: int) -> np.random.Generator:
    """The generator of an epoch's order; that of none of its rows, nor of what they are."""
    return generator_of(seed, epoch, 0, 0)


def load_objective(name: str) -> type[Objective[Any, Any]]:
    """The class of an objective; raises `UnknownNameError` that says which there are."""
    return cast(type[Objective[Any, Any]], registry.load(ObjectiveSpec, name))


def padded(examples: Sequence[Example], fill: Mapping[str, int], *, left: bool = False) -> Batch:
    """Columns of rows as tensors ``(B, …)``, filled up along their first axis with the values in ``fill``.

    A column that is not in ``fill`` is not filled up: its rows must be alike.
    """
    columns = examples[0].keys()
    if any(example.keys() != columns for example in examples):
        raise InputError(f"examples of other columns than {', '.join(columns)}: rows of two kinds make no batch")
    batch = {}
    for name in columns:
        values = [np.asarray(example[name]) for example in examples]
        if name in fill:
            width = max(map(len, values))
            values = [_filled(value, width, fill[name], left) for value in values]
        batch[name] = torch.from_numpy(np.stack(values))
    return batch


def share_right(guesses: Tensor, labels: Tensor) -> Tensor:
    """How many of the labels that count were guessed, of two tensors ``(…)``; of no labels none."""
    counted = labels != IGNORED
    return ((guesses == labels) & counted).sum() / counted.sum().clamp(min=1)


def _filled(value: NDArray[Any], width: int, with_what: int, left: bool) -> NDArray[Any]:
    missing = width - len(value)
    around = [(missing, 0) if left else (0, missing), *[(0, 0)] * (value.ndim - 1)]
    return np.pad(value, around, constant_values=with_what)
