"""What the checks of every objective of ours need to know of each: one file an objective, which sets ``CASE``."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from tests.cases import OURS, case_of
from tfx_core import ObjectiveSpec
from tfx_core.plugins import registry
from tfx_testing import ObjectiveCase, objectives

OBJECTIVES = [entry.spec for entry in registry.specs(ObjectiveSpec) if entry.distribution in OURS]
PAIRS = [(spec.name, model_type) for spec in OBJECTIVES for model_type in spec.architectures]
"""Each objective with each architecture that was pretrained by it."""


def case_of_objective(name: str) -> ObjectiveCase:
    """The case of an objective."""
    module = f"tests.pretraining.cases.{name.replace('-', '_')}"
    if find_spec(module) is None:
        raise LookupError(f"objective {name!r} is not tested: there is no {module.replace('.', '/')}.py")
    case: ObjectiveCase = import_module(module).CASE
    return case


class Tried(objectives.Tried):
    """An objective of ours with an architecture of ours, by their names; see `tfx_testing.objectives`."""

    def __init__(self, name: str, model_type: str, folder: Path) -> None:
        super().__init__(name, case_of_objective(name), case_of(model_type), folder)
        self.model_type = model_type
