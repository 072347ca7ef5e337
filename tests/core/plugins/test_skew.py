"""Plugins and cores of different ages: what fits works, and what does not is told with both versions and the cure.

Each case is a process of its own, with distributions that are folders; where the core is another one, with a copy of it
that is changed in one place.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import tfx_core
from tests.core.fake_site import FakeSite
from tests.processes import with_path
from tfx_core import __version__

PLUGIN = """
from tfx_core import AttentionSpec, HeadSpec, hookimpl

@hookimpl
def tfx_attentions():
    return [AttentionSpec("stranger", target="tfx_core.nn.kernels:eager")]
"""
UPGRADE_CORE = "python -m pip install --upgrade tfx-core"
UPGRADE_PLUGIN = "python -m pip install --upgrade tfx-stranger"
API = "plugins/discovery.py"


@pytest.fixture
def place(tmp_path: Path) -> FakeSite:
    """Where distributions lie that no process finds but those that are told."""
    return FakeSite(tmp_path / "place")


def changed_core(folder: Path, file: str, *changes: tuple[str, str]) -> Path:
    """A folder to import a copy of the core from, in one file of which some texts are replaced."""
    shutil.copytree(Path(tfx_core.__file__).parent, folder / "tfx_core", ignore=shutil.ignore_patterns("__pycache__"))
    source = (folder / "tfx_core" / file).read_text(encoding="utf-8")
    for before, after in changes:
        assert source.count(before) == 1, before
        source = source.replace(before, after)
    (folder / "tfx_core" / file).write_text(source, encoding="utf-8")
    return folder


def core_of_level(folder: Path, oldest: int, newest: int) -> Path:
    """A core that speaks these levels of the protocol of plugins."""
    changes = (("\nAPI = 1\n", f"\nAPI = {newest}\n"), ("\nOLDEST_API = 1\n", f"\nOLDEST_API = {oldest}\n"))
    return changed_core(folder, API, *changes)


def ran(place: FakeSite, *command: str, core: Path | None = None) -> subprocess.CompletedProcess[str]:
    path = [place.root] if core is None else [core, place.root]
    return subprocess.run(
        [sys.executable, "-P", *command], env=with_path(*path), capture_output=True, text=True, check=False
    )


def told(place: FakeSite, *, core: Path | None = None) -> Mapping[str, Any]:
    """What the list of plugins says of the stranger; it says it whatever is installed beside."""
    done = ran(place, "-m", "tfx_core", "plugins", "--json", core=core)
    assert (done.returncode, done.stderr) == (0, "")
    (stranger,) = (each for each in map(json.loads, done.stdout.splitlines()) if each["name"] == "tfx-stranger")
    assert isinstance(stranger, dict)
    return stranger


@pytest.mark.parametrize("level", ["", "TFX_API = 1\n"])
def test_a_plugin_of_todays_level_or_that_declares_none_works(place: FakeSite, level: str) -> None:
    place.install("tfx-stranger", level + PLUGIN)
    assert (told(place)["status"], told(place)["provides"]) == ("loaded", {"attentions": ["stranger"]})


@pytest.mark.parametrize("level", ["", "TFX_API = 1\n", "TFX_API = 2\n"])
def test_a_newer_core_understands_older_levels(place: FakeSite, tmp_path: Path, level: str) -> None:
    place.install("tfx-stranger", level + PLUGIN)
    assert told(place, core=core_of_level(tmp_path / "newer", 1, 2))["status"] == "loaded"


@pytest.mark.parametrize("level", ["", "TFX_API = 1\n"])
def test_a_core_that_understands_older_levels_no_more_says_so(place: FakeSite, tmp_path: Path, level: str) -> None:
    place.install("tfx-stranger", level + PLUGIN)
    stranger = told(place, core=core_of_level(tmp_path / "newer", 2, 3))
    assert stranger["status"] == "incompatible"
    assert stranger["reason"] == f"it speaks plugin API 1, and tfx-core {__version__} speaks 2 to 3"
    assert stranger["cure"] == f"upgrade tfx-stranger: {UPGRADE_PLUGIN}"


@pytest.mark.parametrize(("oldest", "newest", "speaks"), [(1, 1, "1"), (0, 1, "0 to 1"), (0, 0, "0")])
def test_a_plugin_of_a_newer_level_names_both_and_the_upgrade(
    place: FakeSite, tmp_path: Path, oldest: int, newest: int, speaks: str
) -> None:
    place.install("tfx-stranger", f"TFX_API = {newest + 1}\n" + PLUGIN)
    core = None if oldest == newest == 1 else core_of_level(tmp_path / "older", oldest, newest)
    stranger = told(place, core=core)
    assert stranger["status"] == "incompatible"
    assert stranger["reason"] == f"it speaks plugin API {newest + 1}, and tfx-core {__version__} speaks {speaks}"
    assert stranger["cure"] == f"upgrade tfx-core: {UPGRADE_CORE}"


def test_whoever_asks_for_what_a_misfit_provides_is_told_the_same(place: FakeSite) -> None:
    place.install("tfx-stranger", "TFX_API = 2\n" + PLUGIN)
    reason = f"it speaks plugin API 2, and tfx-core {__version__} speaks 1; upgrade tfx-core: {UPGRADE_CORE}"
    program = """
    from tfx_core.plugins import AttentionSpec, registry
    try:
        registry.find(AttentionSpec, "tfx-stranger:stranger")
    except Exception as error:
        print(type(error).__name__, error)
    """
    place.write("program.py", program)
    done = ran(place, str(place.root / "program.py"))
    outcome = f"plugin 'tfx-stranger' of tfx-stranger 1.0 is incompatible: {reason}"
    assert done.stdout == f"PluginError 'stranger' is provided by a plugin that cannot be used: {outcome}\n"
    assert f"PluginWarning: {outcome} (tfx-core --debug plugins --check tells more)" in done.stderr
    done = ran(place, "-m", "tfx_core", "plugins", "--check", "--only", "tfx-stranger")
    assert (done.returncode, done.stdout) == (1, f"{outcome}\n")


@pytest.mark.parametrize(
    ("requirement", "cure"),
    [
        ("tfx-core>=0.2,<1", 'upgrade tfx-core: python -m pip install "tfx-core>=0.2,<1"'),
        ("tfx-core<0.1", f"it was made for an older core, upgrade tfx-stranger: {UPGRADE_PLUGIN}"),
        (
            "tfx-core==0.3.*",
            f"install versions of tfx-core and tfx-stranger that fit each other: {UPGRADE_CORE} tfx-stranger",
        ),
    ],
)
def test_a_plugin_for_another_version_of_the_core_is_told_by_its_metadata_before_it_is_imported(
    place: FakeSite, requirement: str, cure: str
) -> None:
    place.install("tfx-stranger", "raise SystemExit('never imported')", requires=[requirement])
    stranger = told(place)
    assert stranger["status"] == "incompatible"
    assert stranger["reason"] == f"it needs {requirement}, and {__version__} is installed"
    assert stranger["cure"] == cure


def test_a_plugin_that_needs_a_newer_core_fits_that_one(place: FakeSite, tmp_path: Path) -> None:
    place.install("tfx-stranger", PLUGIN, requires=["tfx-core>=0.2,<1"])
    newer = changed_core(tmp_path / "newer", "__init__.py", (f'__version__ = "{__version__}"', '__version__ = "0.2.0"'))
    assert told(place, core=newer)["status"] == "loaded"


LATER = """
@hookimpl{}
def tfx_planets():
    return ["mars"]
"""


def test_an_answer_to_a_hook_that_this_core_lacks_may_be_optional(place: FakeSite) -> None:
    place.install("tfx-stranger", PLUGIN + LATER.format("(optionalhook=True)"))
    assert (told(place)["status"], told(place)["provides"]) == ("loaded", {"attentions": ["stranger"]})


def test_an_answer_to_a_hook_that_this_core_lacks_is_told_with_both_cures(place: FakeSite) -> None:
    place.install("tfx-stranger", PLUGIN + LATER.format(""))
    stranger = told(place)
    assert (stranger["status"], stranger["reason"]) == (
        "failed",
        f"it answers tfx_planets, which is no hook of tfx-core {__version__}; a newer core may have it: "
        f"{UPGRADE_CORE}, or mark it optionalhook=True",
    )


def test_a_field_of_a_spec_that_this_core_lacks_is_named(place: FakeSite) -> None:
    place.install("tfx-stranger", PLUGIN.replace('eager")', 'eager", planets=3)'))
    stranger = told(place)
    assert (stranger["status"], stranger["reason"]) == (
        "failed",
        "its tfx_attentions raised UnknownFieldError: AttentionSpec has no field planets in tfx-core "
        f"{__version__}, but name, target, example, summary; a newer core may have it: {UPGRADE_CORE}",
    )


def test_a_mistyped_field_is_answered_with_the_one_that_was_meant(place: FakeSite) -> None:
    place.install("tfx-stranger", PLUGIN.replace('eager")', 'eager", sumary="fast")'))
    assert told(place)["reason"].endswith("but name, target, example, summary; did you mean summary?")


def test_an_older_core_names_the_field_that_a_newer_plugin_uses(place: FakeSite, tmp_path: Path) -> None:
    place.install(
        "tfx-stranger", PLUGIN.replace("AttentionSpec(", "HeadSpec(").replace('eager")', 'eager", serves=("x",))')
    )
    older = changed_core(tmp_path / "older", "plugins/specs.py", ("    serves: tuple[str, ...] = ()\n", ""))
    assert told(place, core=older)["reason"] == (
        "its tfx_attentions raised UnknownFieldError: HeadSpec has no field serves in tfx-core "
        f"{__version__}, but name, target, capability, summary; a newer core may have it: {UPGRADE_CORE}"
    )


def test_a_plugin_may_do_without_a_field_that_an_older_core_lacks(place: FakeSite) -> None:
    careful = """
from tfx_core import AttentionSpec, hookimpl

@hookimpl
def tfx_attentions():
    try:
        return [AttentionSpec("stranger", target="tfx_core.nn.kernels:eager", planets=3)]
    except TypeError:
        return [AttentionSpec("stranger", target="tfx_core.nn.kernels:eager")]
"""
    place.install("tfx-stranger", careful)
    assert told(place)["status"] == "loaded"


def test_an_older_core_lacks_a_kind_that_a_newer_plugin_imports(place: FakeSite) -> None:
    place.install("tfx-stranger", "from tfx_core import PlanetSpec\n" + PLUGIN)
    stranger = told(place)
    assert stranger["status"] == "incompatible"
    assert stranger["reason"].startswith(
        f"it was made for another tfx-core than the installed {__version__}: ImportError"
    )
    assert stranger["cure"] == f"{UPGRADE_CORE} tfx-stranger"


@pytest.mark.parametrize("line", ["from tfx_core.nn import Planets", "import tfx_core.planets"])
def test_a_target_that_imports_what_this_core_lacks_is_a_matter_of_versions(place: FakeSite, line: str) -> None:
    place.write("planets.py", line)
    place.install("tfx-stranger", PLUGIN.replace("tfx_core.nn.kernels:eager", "planets:attend"))
    done = ran(place, "-m", "tfx_core", "plugins", "--check", "--only", "tfx-stranger")
    assert done.returncode == 1
    assert done.stdout.endswith(f"; it was made for another tfx-core: {UPGRADE_CORE} tfx-stranger\n")
