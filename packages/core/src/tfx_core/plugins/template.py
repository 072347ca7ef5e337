"""A new distribution with a plugin, written from a template: its names, its files, and the folder that they go to.

The folders of ``templates/`` are whole distributions, one for each kind of plugin, and are checked as such; what all of
them have is in ``templates/every``. A new one has other names in the places of ``example-head``, ``example_head`` and
the ``Example`` that classes begin with. No module there is part of this package.
"""

import keyword
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path

from tfx_core.errors import InputError, shown
from tfx_core.plugins import official, registry
from tfx_core.plugins.distributions import normalise
from tfx_core.plugins.specs import KINDS as SPECS
from tfx_core.plugins.specs import ArchitectureSpec, TaskSpec

KINDS = ("architecture", "head", "attention", "task", "index", "objective")
"""The kinds of plugin, `Spec.kind`, that there are templates of."""

PREFIX = "tfx-"
"""What the names of distributions begin with."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 30
"""Characters of a name: with more, lines of the templates would be too long."""

_RENAMED = {"gitignore": ".gitignore"}
"""Files that would have a meaning where the templates are."""


@dataclass(frozen=True)
class NewPlugin:
    """A distribution to be, by the name of the one thing that it provides, and its kind.

    Raises `InputError` for a name that is none, or that somebody has.
    """

    name: str
    """As users will type it: the model type of an architecture."""

    kind: str
    """One of `KINDS`."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"kind {shown(self.kind)}: there are templates of {', '.join(KINDS)}")
        _check_form(self.name)
        _check_free(self)

    @property
    def distribution(self) -> str:
        """What pip calls it."""
        return f"{PREFIX}{self.name}"

    @property
    def package(self) -> str:
        """What Python imports."""
        return self.distribution.replace("-", "_")

    def files(self) -> dict[str, str]:
        """Every file of it, by its path in the folder, in alphabetical order."""
        templates = files("tfx_core.plugins").joinpath("templates")
        found = {}
        for folder in ("every", self.kind):
            for path, text in _texts(templates.joinpath(folder)):
                found[_RENAMED.get(path, self._named(path))] = self._named(text)
        return dict(sorted(found.items()))

    def write(self, folder: Path) -> None:
        """Write the files into a new or empty folder, all of them or none; raises `InputError` for any other."""
        from tfx_core.checkpoint import replacing_files, save_errors

        check_empty(folder)
        with save_errors(folder, InputError), replacing_files(folder) as new:
            for path, text in self.files().items():
                file = new / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="\n")

    def _named(self, text: str) -> str:
        """A text of the template, or a path, with this plugin's names."""
        capitals = "".join(part.capitalize() for part in self.name.split("-"))
        names = {"-": self.name, "_": self.name.replace("-", "_"), None: capitals}
        return re.sub(rf"example([-_]){self.kind}|\bExample(?=[A-Z])", lambda found: names[found[1]], text)


def plugin_name(given: str) -> str:
    """The name of what a distribution provides that is called so; ``tfx-`` before it says nothing more."""
    return given.removeprefix(PREFIX)


def check_empty(folder: Path) -> None:
    """Raise `InputError` for a folder that has something in it, or for a file of this name."""
    try:
        if not any(folder.iterdir()):
            return
        what = "there is something in this folder already"
    except FileNotFoundError:
        return
    except NotADirectoryError:
        what = "there is a file of this name"
    raise InputError(f"{folder}: {what}, and nothing is overwritten; write to another folder with --directory")


def _texts(folder: Traversable, path: str = "") -> Iterator[tuple[str, str]]:
    """The files below a folder, without what pip and tools leave beside them."""
    for each in folder.iterdir():
        if each.name.startswith((".", "__pycache__")):
            continue
        if each.is_dir():
            yield from _texts(each, f"{path}{each.name}/")
        else:
            yield f"{path}{each.name}", each.read_text(encoding="utf-8")


def _check_form(name: str) -> None:
    if _NAME.fullmatch(name) and len(name) <= _LONGEST:
        if keyword.iskeyword(name) or name.replace("-", "_") in sys.stdlib_module_names:
            what = "a keyword" if keyword.iskeyword(name) else "a module"
            raise InputError(f"{shown(name)} is the name of {what} of Python; take another, such as 'my-{name}'")
        return
    proper = re.sub(r"[^a-z0-9-]+", "", normalise(name)).strip("-")
    proper = (f"my-{proper}" if proper[:1].isdigit() else proper)[:_LONGEST].rstrip("-") or "my-arch"
    raise InputError(
        f"{shown(name)} is no name for a plugin: that is of the lower-case letters a to z, digits and single hyphens "
        f"between them, a letter first, at most {_LONGEST} characters; {proper!r} would be one"
    )


def _check_free(plugin: NewPlugin) -> None:
    """Raise `InputError` where a distribution, a package or a plugin has one of the names."""
    name, distribution = plugin.name, plugin.distribution
    if distribution in official.DISTRIBUTIONS:
        raise InputError(f"{distribution} is one of tfx's own distributions; take another name, such as 'my-{name}'")
    try:
        raise InputError(
            f"{distribution} {version(distribution)} is installed already; take another name, or uninstall it first: "
            f"python -m pip uninstall {distribution}"
        )
    except PackageNotFoundError:
        pass
    if find_spec(plugin.package) is not None:
        raise InputError(f"there is a package {plugin.package} to import already; take another name")
    owner = _owner(plugin)
    if owner is not None:
        raise InputError(f"{plugin.kind} {name!r} is a name of {owner}; take another, such as 'my-{name}'")


def _owner(plugin: NewPlugin) -> str | None:
    """The distribution that provides something of the kind and name, installed or one of tfx's own."""
    (kind,) = (spec for spec in SPECS if spec.kind == plugin.kind)
    taken: dict[str, str] = {}
    for entry in registry.specs(kind):
        aliases = entry.spec.aliases if isinstance(entry.spec, TaskSpec) else ()
        taken |= dict.fromkeys((entry.spec.name, *aliases), entry.distribution)
    if plugin.kind == "head":  # an architecture's own goes before
        taken["backbone"] = official.CORE
        for architecture in registry.specs(ArchitectureSpec):
            taken |= dict.fromkeys(architecture.spec.heads, architecture.distribution)
    return official.owner(plugin.kind, plugin.name) or taken.get(plugin.name)
