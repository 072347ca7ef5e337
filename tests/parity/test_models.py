"""Every architecture, variant and head of ours gives the reference's numbers, in both directions."""

from tests.cases import architectures, case_of
from tfx_testing import ParityChecks

for _spec in architectures():
    _name = "Test" + "".join(part.capitalize() for part in _spec.name.split("-"))
    globals()[_name] = type(_name, (ParityChecks,), {"case": case_of(_spec.name), "__module__": __name__})
