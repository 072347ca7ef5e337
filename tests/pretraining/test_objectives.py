"""The conformance kit, of every objective of ours, with every architecture that was pretrained by it."""

from tests.cases import case_of
from tests.pretraining.case import OBJECTIVES, case_of_objective
from tfx_testing import ObjectiveChecks

for _spec in OBJECTIVES:
    _name = "Test" + "".join(part.capitalize() for part in _spec.name.split("-"))
    _facts = {"objective": _spec.name, "case": case_of_objective(_spec.name)}
    _learning = {"architectures": [case_of(model_type) for model_type in _spec.architectures]}
    globals()[_name] = type(_name, (ObjectiveChecks,), {**_facts, **_learning, "__module__": __name__})
