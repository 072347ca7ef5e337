"""The conformance kit, of every architecture of ours that is installed."""

import pytest

from tests.cases import case_of, readers_of_text
from tfx_testing import ArchitectureChecks

for _spec in readers_of_text():
    _name = "Test" + "".join(part.capitalize() for part in _spec.name.split("-"))
    globals()[_name] = type(_name, (ArchitectureChecks,), {"case": case_of(_spec.name), "__module__": __name__})


@pytest.fixture(autouse=True)
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where patterns are checked, the default kernel computes short texts in blocks as it does long ones."""
    if request.function.__qualname__.startswith("PatternChecks."):
        for name, value in (("NARROWEST", 2), ("WIDEST", 4), ("DEARER", 0)):
            monkeypatch.setattr(f"tfx_core.nn.blocks.{name}", value)
