"""What holds of a distribution that brings a plugin: its metadata, its plugin module, and what that says."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution
from importlib.util import find_spec
from inspect import getdoc, isclass
from pathlib import Path
from typing import Any, ClassVar

from packaging.requirements import Requirement

import tfx_core
from tfx_core.plugins import Spec, registry
from tfx_testing.checks import Checks, each
from tfx_testing.promises import promised

GROUP = "tfx_core"
"""The group of entry points."""

HEAVY = ("torch", "numpy", "tokenizers", "safetensors", "huggingface_hub", "transformers")
"""What a plugin module may not import: a list of what is installed has to be quick."""


def entry_points(cls: "type[PluginChecks]") -> Sequence[EntryPoint]:
    """Those of the distribution that plugins are found by."""
    return [point for point in cls.installed().entry_points if point.group == GROUP]


class PluginChecks(Checks):
    """Every check of an installed distribution: a test class names it.

    >>> class TestPlugin(PluginChecks):
    ...     distribution = "tfx-llama"
    """

    distribution: ClassVar[str]
    """Its name, as ``pip install`` takes it."""

    @classmethod
    def installed(cls) -> Distribution:
        """Its metadata."""
        return distribution(cls.distribution)

    @classmethod
    def is_declared(cls) -> bool:
        """With the name of a distribution; raises `PackageNotFoundError` where it is not installed."""
        if not hasattr(cls, "distribution"):
            return False
        try:
            cls.installed()
        except PackageNotFoundError as error:
            error.add_note(f"{cls.__name__} checks it: install it first, `pip install -e .`")
            raise
        return True

    def test_it_has_an_entry_point(self) -> None:
        """Its metadata name a plugin module in the group ``tfx_core``; by that alone it is found.

        Where they do not: add ``[project.entry-points."tfx_core"]`` to pyproject.toml, and install it again.
        """
        groups = sorted({point.group for point in self.installed().entry_points})
        assert entry_points(type(self)), (
            f"{self.distribution} has entry points of {groups or 'no group'}, none of {GROUP}"
        )

    @each(point=entry_points)
    def test_its_entry_point_names_a_module_of_its_own(self, point: EntryPoint) -> None:
        """The module is there, in a package of this distribution.

        Where it is not: the name in pyproject.toml is misspelled, or the package is not in the wheel.
        """
        assert is_there(point.module), f"entry point {point.name!r}: there is no module {point.module!r}"

    @each(point=entry_points)
    def test_its_plugin_module_is_light(self, point: EntryPoint) -> None:
        """Importing it imports neither torch nor anything else that takes its time.

        Where it does: import specs and `hookimpl` from `tfx_core` alone, and name everything else in ``target=``.
        """
        code = f"import sys; before = set(sys.modules); import {point.module}; print(*(set(sys.modules) - before))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{point.module} cannot be imported in a new process:\n{done.stderr}"
        heavy = sorted({name.partition(".")[0] for name in done.stdout.split()} & {*HEAVY})
        assert not heavy, f"importing {point.module} imports {', '.join(heavy)}"

    def test_it_says_which_cores_fit(self) -> None:
        """It requires tfx-core from some version on and below some other, and the installed one fits.

        Where it does not: ``dependencies = ["tfx-core>=0.1,<1"]`` in pyproject.toml. Without an upper bound a future
        core of another protocol is installed beside it; with ``==`` no other core can be.
        """
        lines = [Requirement(line) for line in self.installed().requires or ()]
        ours = [line for line in lines if line.name == "tfx-core" and line.marker is None]
        assert len(ours) == 1, f"{self.distribution} requires tfx-core {len(ours)} times"
        operators = {each.operator for each in ours[0].specifier}
        assert operators & {">=", "~="}, f"{ours[0]}: says no oldest version"
        assert operators & {"<", "<=", "~="}, f"{ours[0]}: says no version that is too new"
        assert ours[0].specifier.contains(tfx_core.__version__, prereleases=True), (
            f"{ours[0]}: does not fit tfx-core {tfx_core.__version__}, which is installed"
        )

    def test_nothing_is_wrong_with_it(self) -> None:
        """`tfx-core plugins --check` finds nothing: everything that it names can be imported and is what it should be.

        Where something is wrong, the message says what, and what to do.
        """
        plugins = [plugin for plugin in checked() if plugin["distribution"] == self.installed().name]
        assert plugins, f"tfx-core plugins does not list {self.distribution}"
        for plugin in plugins:
            problems = [f"{found['spec'] or 'it'} {found['what']}; {found['cure']}" for found in plugin["problems"]]
            assert not problems, f"plugin {plugin['name']!r}: {', '.join(problems)}"

    def test_it_provides_something(self) -> None:
        """A plugin answers at least one hook.

        Where it does not: a function that answers is called as the hook and marked with `tfx_core.hookimpl`.
        """
        assert provided(self.installed()), f"{self.distribution} provides nothing"

    def test_what_it_provides_is_described(self) -> None:
        """Each name that it gives has a summary, and what stands behind it a docstring, or its module has one.

        Where it has not: add ``summary=`` to the spec; `tfx-core architectures` and the pages of documentation show it.
        """
        for entry in provided(self.installed()):
            what = f"{entry.spec.kind} {entry.spec.name!r}"
            assert getattr(entry.spec, "summary", "…"), f"{what} has no summary in its spec"
            target: Any = registry.load(type(entry.spec), entry.qualified)
            module = import_module(entry.spec.target.partition(":")[0])
            own = getdoc(target) if isclass(target) or callable(target) else None
            assert own or getdoc(module), f"{what}: neither {entry.spec.target} nor its module has a docstring"

    def test_its_public_classes_and_functions_have_docstrings(self) -> None:
        """Every public class and function of its modules says in a docstring what it is.

        Where one does not: say it in a sentence, with the shapes of tensors and the errors that are raised.
        """
        missing = [name for file in self.sources() for name in without_docstring(file)]
        assert not missing, f"without a docstring: {', '.join(missing)}"

    def test_it_imports_public_names_only(self) -> None:
        """Of tfx it imports names that are listed in the ``__all__`` of the package that it takes them from.

        Where it imports others, they may be gone in the next version: look for a public name, or ask for one.
        """
        private = self.imports_that_are_not(is_public)
        assert not private, f"not public: {', '.join(private)}"

    def test_it_imports_what_is_promised(self) -> None:
        """What it imports of tfx is in the frozen list of the plugin API, `tfx_testing.promised`.

        Where it is not, a later version may do without it: look in the list, or ask for the name to be promised. tfx's
        own distributions, which are released together with the core, leave this check out.
        """
        loose = self.imports_that_are_not(is_promised)
        assert not loose, f"not promised to third parties: {', '.join(loose)}"

    def test_it_is_typed(self) -> None:
        """Its package has a file ``py.typed``, so that type checkers of those who use it read its annotations.

        Where it has not: put an empty file of this name beside ``__init__.py``.
        """
        for package in self.packages():
            assert (package / "py.typed").is_file(), f"{package.name} has no file py.typed"

    def test_its_metadata_are_complete(self) -> None:
        """Name, version, a summary, a licence and the Pythons that it runs on.

        Where something lacks: ``description``, ``license`` and ``requires-python`` in pyproject.toml.
        """
        given = self.installed().metadata
        for field, cure in (("Summary", "description"), ("Requires-Python", "requires-python")):
            assert given.get_all(field), f"{self.distribution} has no {field}: add {cure} to pyproject.toml"
        named = given.get_all("License-Expression") or given.get_all("License")
        classified = [each for each in given.get_all("Classifier") or () if each.startswith("License ::")]
        assert named or classified, f"{self.distribution} names no licence: add license to pyproject.toml"

    def imports_that_are_not(self, allowed: Callable[[str, str], bool]) -> list[str]:
        """What its files import of tfx and may not, each with its file."""
        imports = [(file.name, *each) for file in self.sources() for each in imports_of_tfx(file)]
        return [f"{module}.{name} ({file})" for file, module, name in imports if not allowed(module, name)]

    @classmethod
    def packages(cls) -> list[Path]:
        """The folders of the packages that its plugin modules are in."""
        names = {point.module.partition(".")[0] for point in entry_points(cls)}
        specs = [spec for name in sorted(names) if (spec := find_spec(name)) is not None and spec.origin]
        return [Path(str(spec.origin)).parent for spec in specs]

    @classmethod
    def sources(cls) -> list[Path]:
        """Its Python files."""
        return [file for package in cls.packages() for file in sorted(package.rglob("*.py"))]


def is_there(module: str) -> bool:
    """Whether there is a module of this name."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that it would be in
        return False


@cache
def checked() -> list[dict[str, Any]]:
    """What `tfx-core plugins --check --json` says of each plugin."""
    command = [sys.executable, "-m", "tfx_core", "plugins", "--check", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, f"{' '.join(command[1:])} failed:\n{done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def provided(installed: Distribution) -> list[Any]:
    """Everything that a distribution has in the registry."""
    entries = [entry for kind in Spec.__subclasses__() for entry in registry.specs(kind)]
    return [entry for entry in entries if entry.distribution == installed.name]


def without_docstring(file: Path) -> list[str]:
    """Public classes, functions and methods of a file that have none."""
    missing = []

    def look(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                overloaded = any(isinstance(each, ast.Name) and each.id == "overload" for each in node.decorator_list)
                if ast.get_docstring(node) is None and not overloaded:
                    missing.append(f"{prefix}{node.name}")
                if isinstance(node, ast.ClassDef):
                    look(node.body, f"{prefix}{node.name}.")

    look(ast.parse(file.read_text(encoding="utf-8")).body, f"{file.name}: ")
    return missing


def imports_of_tfx(file: Path) -> list[tuple[str, str]]:
    """What a file imports of tfx, but for its own package: module and name, which is empty for the module itself."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            found += [(str(node.module), each.name) for each in node.names]
        elif isinstance(node, ast.Import):
            found += [(each.name, "") for each in node.names]
    ours = {"tfx_core", "tfx_training", "tfx_retrieval"} - {*file.parts}
    return [(module, name) for module, name in found if module.partition(".")[0] in ours]


def is_public(module: str, name: str) -> bool:
    """Whether a module lists a name in its ``__all__``, or has such a list, where the module itself is imported."""
    public = getattr(import_module(module), "__all__", None)
    return public is not None and (not name or name in public)


def is_promised(module: str, name: str) -> bool:
    """Whether a name is in the frozen list; whole modules promise nothing more than their names."""
    return not name or name in promised().get(module, {})
