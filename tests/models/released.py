"""Tokenizers of our architectures, by their names; see `tfx_testing.released`."""

from pathlib import Path

from tests.cases import architectures, case_of, readers_of_text
from tfx_core.model import load_architecture
from tfx_core.plugins import ArchitectureSpec, registry
from tfx_testing import released as files

NAMES = [spec.name for spec in architectures() if load_architecture(spec.name).text is not None]
"""The architectures that read text."""


def with_head(head: str) -> list[str]:
    """Those of them that have a head."""
    return [name for name in NAMES if head in registry.find(ArchitectureSpec, name).heads]


def sentence_encoders() -> list[str]:
    """Those of them that have a state of each token of a text."""
    return [spec.name for spec in readers_of_text() if spec.name in NAMES and "token-states" in spec.capabilities]


def released(name: str, folder: Path, **config: object) -> Path:
    """A folder with the family's released files, its model type and perhaps keys of a ``tokenizer_config.json``."""
    return files.released(case_of(name), folder, **config)


def released_with(role: str, token: str, name: str, folder: Path) -> Path:
    """The same; a family without a token of this role is given one, as its users do."""
    return files.released_with(role, token, case_of(name), folder)
