"""What a kind of plugin costs: one class among the specs, and nothing anywhere else."""

import json
import pydoc
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tfx_core
from tfx_core.plugins import hookspecs
from tfx_core.plugins.specs import KINDS

PLANET = '''

@dataclass(frozen=True)
class PlanetSpec(Spec):
    """A planet."""

    kind = "planet"
    plural = "planets"
    hook = "tfx_planets"
    hook_doc = "Planets to live on."

    moons: tuple[str, ...] = ()


'''
PLUGIN = """
from tfx_core import hookimpl
from tfx_core.plugins.specs import PlanetSpec

class Astronomy:
    @hookimpl
    def tfx_planets(self):
        return [PlanetSpec("mars", target="nowhere:MARS", moons=("phobos", "deimos"))]
"""


@pytest.fixture
def with_planets(tmp_path: Path) -> Path:
    """A folder to import a copy of the core from that differs by one class."""
    shutil.copytree(Path(tfx_core.__file__).parent, tmp_path / "tfx_core")
    specs = tmp_path / "tfx_core" / "plugins" / "specs.py"
    before, end, after = specs.read_text(encoding="utf-8").partition("\n\nKINDS")
    assert end
    specs.write_text(before + PLANET + end + after, encoding="utf-8")
    return tmp_path


def ran(folder: Path, program: str) -> str:
    """What a program prints whose core is imported from a folder."""
    first = f"import sys; sys.path.insert(0, {str(folder)!r})\n"
    done = subprocess.run([sys.executable, "-c", first + program], check=True, capture_output=True, text=True)
    return done.stdout


def test_a_new_kind_is_asked_for_found_and_listed(with_planets: Path) -> None:
    program = """
from tfx_core import register
from tfx_core.cli import cli
from tfx_core.errors import PluginError, UnknownNameError
from tfx_core.plugins import registry

register(Astronomy(), name="astronomy")
(entry,) = registry.specs(PlanetSpec)
print(entry.qualified, registry.find(PlanetSpec, "astronomy:mars").moons)
try:
    registry.load(PlanetSpec, "mars")
except PluginError as error:
    print(error)
try:
    registry.find(PlanetSpec, "marz")
except UnknownNameError as error:
    print(error)
cli(["plugins", "--json"])
"""
    entry, unloadable, unknown, *listed = ran(with_planets, PLUGIN + program).splitlines()
    assert entry == "astronomy:mars ('phobos', 'deimos')"
    assert unloadable.startswith("planet 'mars' of plugin 'astronomy' could not be imported from 'nowhere:MARS'")
    assert unknown == "no planet 'marz' is installed; did you mean 'mars'? installed: mars"
    provided = {plugin["name"]: plugin["provides"] for plugin in map(json.loads, listed)}
    assert provided["astronomy"] == {"planets": ["mars"]}


def test_the_hook_of_a_new_kind_is_described_with_the_others(with_planets: Path) -> None:
    described = ran(with_planets, "from tfx_core.plugins import hookspecs\nhelp(hookspecs)")
    assert "tfx_planets() -> list[tfx_core.plugins.specs.PlanetSpec]" in described
    assert "Planets to live on." in described


def test_a_wrong_answer_of_a_new_kind_is_told_as_any_other(with_planets: Path) -> None:
    program = """
from tfx_core import register
from tfx_core.errors import PluginError

try:
    register(Astronomy())
except PluginError as error:
    print(error)
"""
    told = ran(with_planets, PLUGIN.replace('("phobos", "deimos")', '"phobos"') + program)
    assert "PlanetSpec 'mars' with moons='phobos', which is not a tuple of strings" in told


@pytest.mark.parametrize("kind", KINDS)
def test_the_help_of_the_hooks_tells_what_each_asks_for(kind: type[tfx_core.plugins.Spec]) -> None:
    described = pydoc.plain(pydoc.render_doc(hookspecs))
    assert f"{kind.hook}() -> list[{kind.__module__}.{kind.__name__}]\n        {kind.hook_doc}" in described


def test_kinds_are_told_apart() -> None:
    for what in ("kind", "plural", "hook", "hook_doc"):
        assert len({getattr(kind, what) for kind in KINDS}) == len(KINDS), what
