"""What a test of every objective needs to know of each: one file an objective, named by it, which sets ``CASE``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import tfx_core
from tests.cases import case_of
from tests.core.text.folders import write
from tfx_training import Document, Objective, TokenCorpus, load_objective


@dataclass(frozen=True)
class ObjectiveCase:
    """How an objective is tried on tiny models."""

    documents: Sequence[Document]
    """A corpus that can be learnt from: what comes next, or is missing, is mostly certain."""

    options: Mapping[str, Any] = field(default_factory=dict)
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


def case_of_objective(name: str) -> ObjectiveCase:
    """The case of an objective."""
    module = f"tests.pretraining.cases.{name.replace('-', '_')}"
    if find_spec(module) is None:
        raise LookupError(f"objective {name!r} is not tested: there is no {module.replace('.', '/')}.py")
    case: ObjectiveCase = import_module(module).CASE
    return case


class Tried:
    """An objective with a tokenizer of an architecture's released kind, a corpus and new tiny models."""

    def __init__(self, name: str, model_type: str, folder: Path) -> None:
        self.name = name
        self.case = case_of_objective(name)
        self.model_type = model_type
        files = {**case_of(model_type).released(), "config.json": {"model_type": model_type}}
        if self.case.tokenizer:
            files["tokenizer_config.json"] = dict(self.case.tokenizer)
        self.tokenizer = tfx_core.load_tokenizer(write(folder, files))
        self.objective: Objective[Any, Any] = load_objective(name)(self.tokenizer, **self.case.options)
        self.corpus = TokenCorpus.of(self.tokenizer, self.case.documents)

    def models(self, seed: int = 0) -> Mapping[str, tfx_core.Model]:
        """New models for all roles."""
        tiny = {name: value for name, value in case_of(self.model_type).tiny.items() if name != "vocab_size"}
        return self.objective.new_models(self.model_type, seed=seed, **{**tiny, **self.case.config})
