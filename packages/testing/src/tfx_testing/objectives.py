"""What holds of a pretraining objective, with small models that learn by it; needs tfx-training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

import tfx_core
from tfx_core.plugins import ObjectiveSpec, registry
from tfx_testing import toy
from tfx_testing.cases import ArchitectureCase
from tfx_testing.checks import each
from tfx_testing.released import released
from tfx_testing.tasks import toy_heads
from tfx_testing.toys import ToyChecks

if TYPE_CHECKING:
    from tfx_training import Document, Objective

Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class ObjectiveCase:
    """How an objective is tried on tiny models."""

    documents: "Sequence[Document]" = ()
    """A corpus that can be learnt from: what comes next, or is missing, is mostly certain. By default texts that say
    one of the toys' words again and again."""

    options: Mapping[str, Any] = field(default_factory=lambda: {"length": 24})
    """Options for texts and models this small."""

    config: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the model's config beside those of its tiny one."""

    tokenizer: Mapping[str, Any] = field(default_factory=dict)
    """Keys of ``tokenizer_config.json``, beside the released files of a vocabulary."""

    rate: float = 3e-3
    """Learning rate of Adam."""

    steps: int = 60
    """Updates after which the loss has fallen by a third, and each of its terms by a tenth."""

    draws: bool = True
    """Whether an epoch makes other examples of the same rows."""


class Tried:
    """An objective with a tokenizer of an architecture's released kind, a corpus and new tiny models."""

    def __init__(self, name: str, case: ObjectiveCase, architecture: ArchitectureCase, folder: Path) -> None:
        from tfx_training import TokenCorpus, load_objective

        self.name = name
        self.case = case
        self.architecture = architecture
        self.tokenizer = tfx_core.load_tokenizer(released(architecture, folder, **case.tokenizer))
        self.objective: Objective[Any, Any] = load_objective(name)(self.tokenizer, **case.options)
        self.corpus = TokenCorpus.of(self.tokenizer, case.documents or repeated_words())

    def models(self, seed: int = 0) -> Mapping[str, tfx_core.Model]:
        """New models for all roles."""
        tiny = {name: value for name, value in self.architecture.tiny.items() if name != "vocab_size"}
        return self.objective.new_models(self.architecture.model_type, seed=seed, **{**tiny, **self.case.config})

    def examples(self, epoch: int, count: int = 4) -> list[Any]:
        """The first rows of an epoch, as examples."""
        rows = self.objective.rows(self.corpus, drawn(epoch))
        assert len(rows) >= count, f"the documents of the case give {len(rows)} rows; {count} are needed"
        return [self.objective.example(rows[number], drawn(epoch, number)) for number in range(count)]


def drawn(*numbers: int) -> np.random.Generator:
    """The generator of an epoch's rows, or of a row, as a training makes it."""
    return np.random.default_rng(np.random.SeedSequence(0, spawn_key=numbers))


def repeated_words() -> "list[Document]":
    """Texts that say one word again and again, the first of several lengths, so that there is padding among them."""
    from tfx_training import Document

    words = [word for word in toy.VOCABULARY[len(toy.SPECIAL) :] if word.isascii() and word.isalpha()]
    return [Document.of(" ".join([word] * (12 + place))) for word in words for place in range(4)]


def architectures(cls: "type[ObjectiveChecks]") -> Sequence[ArchitectureCase]:
    """The architectures that learn by the objective: those that the class names, or the toy that has its heads."""
    if cls.architectures:
        return cls.architectures
    from tfx_training import load_objective

    needed = {*load_objective(cls.objective).roles.values()}
    fitting = [name for name, heads in toy_heads().items() if needed <= {*heads}]
    return [ArchitectureCase(name, {"hidden_size": 24}, released=toy.files) for name in fitting[:1]]


def _named(architecture: ArchitectureCase) -> str:
    return architecture.model_type


@each(ids=_named, architecture=architectures)
class ObjectiveChecks(ToyChecks):
    """Every check of an objective: a test class names it, and how it is tried on models this small.

    It is tried on a toy, or on the architectures of the test class, each with small files of a tokenizer.

    >>> class TestEveryOther(ObjectiveChecks):
    ...     objective = "every-other-word"
    ...     case = ObjectiveCase(options={"length": 16}, rate=1e-2)
    """

    objective: ClassVar[str]
    """Its name."""

    case: ClassVar[ObjectiveCase] = ObjectiveCase()
    architectures: ClassVar[Sequence[ArchitectureCase]] = ()

    @classmethod
    def is_declared(cls) -> bool:
        """With the name of an objective; raises `LookupError` where there is nothing to try it with."""
        if not hasattr(cls, "objective"):
            return False
        if find_spec("tfx_training") is None:
            raise LookupError(f"{cls.__name__}: objectives need tfx-training: python -m pip install tfx-training")
        registry.find(ObjectiveSpec, cls.objective)
        if not architectures(cls):
            raise LookupError(
                f"{cls.__name__}: no toy has all heads of the roles of {cls.objective!r}; give architectures = "
                "[ArchitectureCase(…)] that have, with small files of a tokenizer"
            )
        return True

    @pytest.fixture
    def tried(self, architecture: ArchitectureCase, tmp_path: Path) -> Tried:
        """The objective with a tokenizer, a corpus and models of an architecture."""
        return Tried(self.objective, self.case, architecture, tmp_path)

    def test_it_says_what_it_is(self, architecture: ArchitectureCase) -> None:
        """Its spec has a summary, its class a docstring, and each role the head that it needs.

        Where it does not: ``ObjectiveSpec(summary=…)``; ``roles: ClassVar = {"model": "masked-lm"}``.
        """
        target: Any = registry.load(ObjectiveSpec, self.objective)
        assert registry.find(ObjectiveSpec, self.objective).summary, f"{self.objective!r} has no summary in its spec"
        assert vars(target).get("__doc__"), f"{target.__name__} has no docstring"
        assert target.roles, f"{target.__name__} names no roles"

    def test_a_row_depends_on_its_numbers_alone(self, architecture: ArchitectureCase, tried: Tried) -> None:
        """What a row becomes follows from the corpus and the generator that is given, whatever went before.

        Where it does not: a generator of the objective's own, or ``random`` and ``torch``, are drawn from; a training
        that goes on where it stopped would learn something else.
        """
        objective = tried.objective
        made = []
        for _ in range(2):
            rows = objective.rows(tried.corpus, drawn(0))
            assert len(rows) >= 4, f"the documents of the case give {len(rows)} rows; 4 are needed"
            made.append(objective.batch([objective.example(rows[number], drawn(0, number)) for number in (3, 1, 2)]))
        assert _same(*made), "the same rows gave two batches"

    def test_an_epoch_draws_anew(self, architecture: ArchitectureCase, tried: Tried) -> None:
        """Another epoch makes other examples of the same corpus, unless the case says that nothing is drawn.

        Where it does not: what is drawn once in ``__init__`` is used for every row.
        """
        one, other = (tried.objective.batch(tried.examples(epoch)) for epoch in (0, 1))
        anew = not _same(one, other)
        assert anew == tried.case.draws, f"other examples: {anew}; ObjectiveCase(draws={tried.case.draws})"

    def test_a_batch_is_the_mean_of_its_rows(self, architecture: ArchitectureCase, tried: Tried) -> None:
        """The loss of a batch is the mean over what `Objective.counts` counts, in each term.

        Where it is not: padding counts, or a mean is taken of the rows' means; then shares of a batch that are learnt
        from in several processes do not add up.
        """
        objective = tried.objective
        trainee = objective.trainee(tried.models()).eval()
        several = tried.examples(0)
        torch.manual_seed(0)
        with torch.no_grad():
            whole = trainee(objective.batch(several)).losses
            torch.manual_seed(0)  # a model that draws does so row by row
            batches = [objective.batch([one]) for one in several]
            alone = [(trainee(batch).losses, objective.counts(batch)) for batch in batches]
        counts = objective.counts(objective.batch(several))
        assert whole.keys() == objective.terms.keys() == counts.keys(), "the terms of losses, of terms and of counts"
        for term, loss in whole.items():
            assert counts[term] == sum(each[term] for _, each in alone) > 0, f"what counts in {term!r}"
            total = sum(float(losses[term]) * each[term] for losses, each in alone)
            assert float(loss) == pytest.approx(total / counts[term], rel=1e-4), f"the mean of {term!r}"

    def test_it_learns(self, architecture: ArchitectureCase, tried: Tried) -> None:
        """In ``steps`` updates on certain texts the loss falls by a third, and each of its terms by a tenth.

        Where it does not: a term gives no gradient, labels are of another place than the tokens that they name, or the
        case asks for more than so small a model learns: say ``rate`` and ``steps``.
        """
        losses = learnt(tried)
        begin, end = losses[:5], losses[tried.case.steps - 10 : tried.case.steps]
        fallen = {
            name: float(np.mean([each[name] for each in end]) / np.mean([each[name] for each in begin]))
            for name in end[0]
        }
        assert fallen["sum"] < 2 / 3, f"the loss fell to {fallen['sum']:.2f} of what it was"
        # in the sum a small term would not be missed
        assert all(fallen[term] < 0.9 for term in tried.objective.terms), f"terms fell to these shares: {fallen}"


def learnt(tried: Tried) -> list[dict[str, float]]:
    """The losses of each update of a training, by term, and their sum."""
    objective, case = tried.objective, tried.case
    trainee = objective.trainee(tried.models()).train()
    optimizer = torch.optim.AdamW([each for each in trainee.parameters() if each.requires_grad], case.rate)
    torch.manual_seed(0)
    losses: list[dict[str, float]] = []
    epoch = 0
    while len(losses) < case.steps:
        carried = None
        rows = objective.rows(tried.corpus, drawn(epoch))
        for numbers in objective.order(rows, 8, drawn(epoch)):
            batch = objective.batch([objective.example(rows[each], drawn(epoch, each)) for each in numbers])
            outcome = trainee(batch, carried) if objective.follows else trainee(batch)
            carried = outcome.carried
            loss = sum(objective.terms[term] * each for term, each in outcome.losses.items())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append({"sum": loss.item(), **{term: each.item() for term, each in outcome.losses.items()}})
        epoch += 1
    return losses


def _same(one: Batch, other: Batch) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())
