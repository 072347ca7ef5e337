"""What is wrong with a plugin or with an installation, and what mends it: a sentence or a command for a shell."""

import re
import shlex
from dataclasses import dataclass

from tfx_core.errors import in_one_line

_BARE = re.compile(r"[\w.-]+", re.ASCII)
_IN_DOUBLE_QUOTES = re.compile(r"[\w.,<>=!~*+\[\] -]+", re.ASCII)
_REQUIREMENT = re.compile(
    r"\s*([\w.-]+)\s*(\[[\w\s,.-]*\])?\s*\(?([\d\w\s.,<>=!~*+-]*)\)?\s*(;.*)?", re.ASCII | re.DOTALL
)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong; every text of it is one line."""

    what: str

    cure: str = ""
    """What to write otherwise, or the command that mends it."""

    spec: str = ""
    """Which of the things that a plugin provides is meant, ``"architecture 'bert'"``; empty for the plugin itself."""

    error: BaseException | None = None
    """What a stranger's code raised."""

    def __str__(self) -> str:
        return "; ".join(filter(None, (self.what, self.cure)))


def install(*requirements: str) -> str:
    """The command that installs what is required: ``python -m pip install "torch>=2.6"``."""
    return f"python -m pip install {' '.join(map(_argument, requirements))}"


def upgrade(*distributions: str) -> str:
    """The command that installs the newest versions of distributions."""
    return f"python -m pip install --upgrade {' '.join(map(_argument, distributions))}"


def reinstall(*distributions: str) -> str:
    """The command that installs distributions anew, whatever is there."""
    return f"python -m pip install --force-reinstall {' '.join(map(_argument, distributions))}"


def uninstall(*distributions: str) -> str:
    """The command that takes distributions out."""
    return f"python -m pip uninstall {' '.join(map(_argument, distributions))}"


def switch_off(plugin: str) -> str:
    """The command that keeps a plugin from being loaded."""
    return f"export TFX_DISABLE_PLUGINS={_argument(plugin)}"


def _argument(requirement: str) -> str:
    """A name or a requirement as a shell takes it, whoever wrote it; a marker behind it is left out."""
    found = _REQUIREMENT.fullmatch(requirement)
    if found is not None:
        requirement = re.sub(r"\s", "", "".join(part or "" for part in found.groups()[:3]))
    if _BARE.fullmatch(requirement) and not requirement.startswith("-"):
        return requirement
    if _IN_DOUBLE_QUOTES.fullmatch(requirement) and not requirement.startswith("-"):
        return f'"{requirement}"'
    return shlex.quote(in_one_line(requirement, 200))
