"""The examples that are plugins, as strangers would install them: wheels in a fresh environment, where they are found.

Nothing is fetched: the environment sees the packages of this one, and of the examples it has the wheels alone.
"""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(file.parent for file in (ROOT / "examples/plugins").glob("*/pyproject.toml"))


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of the environment."""
    wheels, folder = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("environment")
    for example in EXAMPLES:
        run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels), folder=example)
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    own = run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    install = (sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index")
    run(*install, *map(str, wheels.glob("*.whl")))
    (Path(own) / "packages_of_the_tests.pth").write_text("\n".join(libraries()) + "\n", encoding="utf-8")
    return python


def libraries() -> list[str]:
    """Where packages are imported from here, but for Python's own and the sources of the examples."""
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), str(ROOT)}
    folders = [Path(each) for each in sys.path if each and each not in standard]
    examples = ROOT / "examples"
    return [
        str(each) for each in folders if each.is_dir() and each.name != "lib-dynload" and examples not in each.parents
    ]


def run(*command: str, folder: Path | None = None) -> str:
    """What a command prints, without the settings of these tests."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "TFX_"))}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_they_are_found_and_nothing_is_wrong_with_them(python: Path, tmp_path: Path) -> None:
    told = run(str(python), "-m", "tfx_core", "plugins", "--check", "--json", folder=tmp_path)
    found = {each["distribution"]: each["status"] for each in map(json.loads, told.splitlines())}
    assert {example.name: found.get(example.name) for example in EXAMPLES} == dict.fromkeys(
        (example.name for example in EXAMPLES), "loaded"
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_their_own_tests_pass(example: Path, python: Path) -> None:
    command = (str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(example))
    told = run(*command, folder=example)
    assert " passed" in told
    assert "skipped" not in told
