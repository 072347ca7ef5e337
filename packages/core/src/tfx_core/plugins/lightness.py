"""What a plugin imports that takes long: it is asked in a process of its own, where such modules cannot be imported."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import NoReturn

from tfx_core.errors import PluginError, in_one_line

HEAVY = frozenset(
    {
        *("torch", "numpy", "tokenizers", "safetensors", "huggingface_hub", "transformers"),
        *("faiss", "pandas", "scipy", "sklearn", "PIL", "tensorflow", "jax"),
    }
)
"""Modules that a plugin module must not import: every start of the command line would wait for them."""

_PROGRAM = """
import json, sys
given = json.load(sys.stdin)
sys.path[:] = given["path"]
from tfx_core.plugins import lightness
lightness.answer(given["targets"])
"""


def heavy_imports(targets: Sequence[str]) -> list[list[str]]:
    """Of each plugin, by its target, the heavy modules that it imports where it is imported and asked, and where.

    Raises `PluginError` where the process that looks ends early.
    """
    if not targets:
        return []
    given = json.dumps({"path": sys.path, "targets": targets})
    done = subprocess.run([sys.executable, "-c", _PROGRAM], input=given, capture_output=True, text=True, check=False)
    try:
        found: list[list[str]] = json.loads(done.stdout)
    except ValueError:
        last = in_one_line(done.stderr[-500:])
        raise PluginError(
            f"what plugins import cannot be seen: the process ended with {done.returncode}: {last}"
        ) from None
    return found


def answer(targets: Sequence[str]) -> None:
    """Print what each imports, as JSON, and nothing that it prints itself."""
    stdout = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    found = [_imports_of(target) for target in targets]
    os.write(stdout, json.dumps(found).encode())


def _imports_of(target: str) -> list[str]:
    import click

    from tfx_core.plugins.asking import COMMANDS_HOOK, ask, attach
    from tfx_core.plugins.targets import resolve

    with _refused() as seen:
        try:
            manager = attach(resolve(target))
            ask(manager)
            getattr(manager.hook, COMMANDS_HOOK)(cli=click.Group())
        except BaseException:
            pass  # what else is wrong with it was told before
    return list(dict.fromkeys(seen))


@contextmanager
def _refused() -> Iterator[list[str]]:
    """Refuse heavy modules, and list what was refused; whether there is one can still be asked."""
    seen: list[str] = []
    finder = _Refusing(seen)
    sys.meta_path.insert(0, finder)
    try:
        yield seen
    finally:
        sys.meta_path.remove(finder)


class _Refusing(MetaPathFinder, Loader):
    def __init__(self, seen: list[str]) -> None:
        self._seen = seen

    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in HEAVY else None

    def create_module(self, spec: ModuleSpec) -> NoReturn:
        self._seen.append(f"{spec.name} ({_importer()})")
        raise ImportError(f"{spec.name} is refused", name=spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing gets that far."""


def _importer() -> str:
    """The line of code that imports: the nearest that is not of the import system, nor of this file."""
    frame = sys._getframe(1)
    while frame.f_back is not None and (
        frame.f_code.co_filename == __file__ or "importlib" in frame.f_code.co_filename
    ):
        frame = frame.f_back
    return f"{frame.f_globals.get('__name__')}, line {frame.f_lineno}"
