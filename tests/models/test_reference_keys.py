"""Keys of ``config.json`` as two versions of the reference write them: each is honoured or declared."""

import json
from pathlib import Path

import pytest

from tests.cases import readers_of_text
from tfx_core.model import load_architecture

KEYS: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("reference_keys.json").read_text("utf-8"))
"""What two versions of the reference write (``to_dict`` and a saved folder), and what released files have besides."""


@pytest.mark.parametrize("era", KEYS)
@pytest.mark.parametrize("name", [spec.name for spec in readers_of_text()])
def test_every_key_that_the_reference_writes_is_honoured_or_declared(name: str, era: str) -> None:
    made, keys = load_architecture(name).config(), KEYS[era]["every"].split() + KEYS[era].get(name, "").split()
    others = [key for key in keys if made.aliases.get(key, key) not in made.field_names()]
    assert made.replace(extra=dict.fromkeys(others)).unknown_keys == ()
