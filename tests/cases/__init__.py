"""What the checks need to know of every architecture of ours: one file each, named by its ``model_type``.

A file sets ``CASE``: a tiny config, what its inputs must have, and the variants to compare with the reference, each
exception with its reason. It imports the reference library only inside of functions.
"""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from tfx_core.plugins import ArchitectureSpec, registry
from tfx_testing.cases import ArchitectureCase
from tfx_testing.parity.case import Case, cases_of

OURS = {f"tfx-{folder.name}" for folder in (Path(__file__).parents[2] / "packages").iterdir()}
"""The distributions of this repository; what others install beside them has tests of its own."""


def case_of(model_type: str) -> ArchitectureCase:
    """The case of an architecture."""
    name = model_type.replace("-", "_")
    if find_spec(f"{__name__}.{name}") is None:
        raise LookupError(f"architecture {model_type!r} is not tested: there is no tests/cases/{name}.py")
    case: ArchitectureCase = import_module(f"{__name__}.{name}").CASE
    return case


def architectures() -> list[ArchitectureSpec]:
    """Those of ours that are installed."""
    return [entry.spec for entry in registry.specs(ArchitectureSpec) if entry.distribution in OURS]


def readers_of_text() -> list[ArchitectureSpec]:
    """The architectures whose calls need a text and nothing else."""
    return [spec for spec in architectures() if case_of(spec.name).reads == "text"]


def cases(model_types: tuple[str, ...] | None = None) -> Iterator[Case]:
    """Every variant of every architecture with every head that it is meant for."""
    for spec in architectures():
        if model_types is None or spec.name in model_types:
            yield from cases_of(case_of(spec.name))
