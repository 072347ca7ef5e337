"""Options of a kind of index: fields of a checked dataclass, given as text by ``--index-option``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, TypeVar

from tfx_core.errors import InputError, shown
from tfx_core.fields import Checked

_INTEGER = re.compile("-?[0-9]{1,18}")


@dataclass(frozen=True, kw_only=True)
class KindOptions(Checked):
    """Base of the options of a kind, all of which are integers or None: what suits the number of vectors."""

    error = InputError
    kind: ClassVar[str]
    """Name of the kind in messages."""


_Options = TypeVar("_Options", bound=KindOptions)


def read_options(wanted: type[_Options], values: Mapping[str, str]) -> _Options:
    """Read options, or raise an `InputError` that names the option and what is allowed."""
    known = [each.name for each in fields(wanted)]
    for name in values:
        if name not in known:
            has = f"has the options {', '.join(known)}" if known else "has no options"
            raise InputError(f"index option {shown(name)}: an index of the kind {wanted.kind} {has}")
    numbers = {name: int(text) if _INTEGER.fullmatch(text) else text for name, text in values.items()}
    try:
        return wanted(**numbers)
    except InputError as error:
        raise InputError(f"index option {error}") from None
