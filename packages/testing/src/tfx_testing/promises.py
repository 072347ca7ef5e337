"""The frozen list: what third parties may import, at each level of the plugin API, out of ``api_1.json``.

A name in it stays, with its parameters, for as long as the level is supported; CONTRIBUTING.md says how the list grows.
Other names in an ``__all__`` are for tfx's own distributions, and may change with them.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

from tfx_core.errors import InputError

Promises: TypeAlias = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Module -> name -> what is promised of it: its ``kind``, how it is called, its members."""

FILE = "api_{level}.json"


@cache
def promised(level: int = 1) -> Promises:
    """What is promised at a level; raises `InputError` for a level that there is not."""
    file = files(__package__) / FILE.format(level=level)
    if not file.is_file():
        raise InputError(f"level {level} of the plugin API: there is none")
    promises: Promises = json.loads(file.read_text(encoding="utf-8"))
    return promises
