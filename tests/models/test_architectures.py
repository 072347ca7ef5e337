"""The conformance kit, of every architecture of ours that is installed."""

from tests.cases import case_of, readers_of_text
from tfx_testing import ArchitectureChecks

for _spec in readers_of_text():
    _name = "Test" + "".join(part.capitalize() for part in _spec.name.split("-"))
    globals()[_name] = type(_name, (ArchitectureChecks,), {"case": case_of(_spec.name), "__module__": __name__})
