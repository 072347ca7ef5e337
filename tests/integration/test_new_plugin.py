"""What ``tfx-core new plugin`` writes is a distribution: it builds, is found, is clean and passes its tests."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.processes import with_path
from tfx_core.plugins.template import KINDS, NewPlugin

NAME = "my-own"


@dataclass(frozen=True)
class Installed:
    """A new distribution, and where its wheel is installed."""

    kind: str
    folder: Path
    wheel: Path
    site: Path

    def run(self, *command: str, **environment: str) -> str:
        """What a program prints, run in the folder where the wheel is installed."""
        env: Mapping[str, str] = {**with_path(self.site), "PYTHONDONTWRITEBYTECODE": "1", **environment}
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=self.folder, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module", params=KINDS)
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Written, built and unpacked, which is all that an installation is: entry points are found in its metadata."""
    place, kind = tmp_path_factory.mktemp("new"), str(request.param)
    folder, site = place / f"tfx-{NAME}", place / "site"
    new = ["tfx_core", "new", "plugin", NAME, "--kind", kind]
    subprocess.run([sys.executable, "-m", *new], cwd=place, check=True, capture_output=True)
    build = ["hatchling", "build", "-t", "wheel", "-d", str(place / "dist")]
    subprocess.run([sys.executable, "-m", *build], cwd=folder, check=True, capture_output=True)
    (wheel,) = (place / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return Installed(kind, folder, wheel, site)


def test_its_wheel_holds_its_package_and_its_licence(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
        licences = [name for name in archive.namelist() if ".dist-info/licenses/" in name]
    written = NewPlugin(NAME, installed.kind).files()
    assert files == {path.removeprefix("src/") for path in written if path.startswith("src/")}
    assert len(licences) == 1


def test_it_passes_its_own_tests(installed: Installed) -> None:
    said = installed.run("pytest", "-q", "-p", "no:cacheprovider")
    assert " passed" in said
    assert "skipped" not in said


@pytest.fixture(scope="session")
def types_known(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where mypy keeps what it knows of the core, which is the same beside every kind."""
    return str(tmp_path_factory.mktemp("types"))


def test_its_style_and_its_types_are_clean(installed: Installed, tmp_path: Path, types_known: str) -> None:
    installed.run("compileall", "-q", "src", "tests", "noxfile.py", PYTHONPYCACHEPREFIX=str(tmp_path))
    installed.run("ruff", "check", "--no-cache", ".")
    installed.run("ruff", "format", "--no-cache", "--check", ".")
    sources = os.environ.get("PYTHONPATH", "")  # where packages are not installed but in a tree
    options = ("--cache-dir", types_known, "--follow-imports", "silent")
    installed.run("mypy", *options, "src", "tests", "noxfile.py", MYPYPATH=sources)


def test_it_is_found_and_nothing_is_wrong_with_it(installed: Installed) -> None:
    lines = installed.run("tfx_core", "plugins", "--json").splitlines()
    (plugin,) = (each for each in map(json.loads, lines) if each["distribution"] == f"tfx-{NAME}")
    assert plugin["status"] == "loaded"
    assert [names for names in plugin["provides"].values() if names] == [[NAME]]
    assert installed.run("tfx_core", "plugins", "--check").startswith("nothing is wrong")


def test_its_name_is_taken_from_then_on(installed: Installed) -> None:
    command = [sys.executable, "-m", "tfx_core", "new", "plugin", NAME, "--directory", "other"]
    done = subprocess.run(
        command, cwd=installed.site, env=with_path(installed.site), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: tfx-{NAME} 0.1.0 is installed already; ")


@pytest.mark.parametrize("installed", ["architecture"], indirect=True)
def test_a_new_architecture_is_listed_and_its_checkpoints_are_found(installed: Installed, tmp_path: Path) -> None:
    lines = installed.run("tfx_core", "architectures", "--json").splitlines()
    (listed,) = (each for each in map(json.loads, lines) if each["name"] == NAME)
    assert listed["heads"] == ["causal-lm", "sequence-classification", "token-classification"]
    code = """
        import sys, tfx_core, torch
        sizes = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        made = tfx_core.new_model("my-own", head="causal-lm", seed=1, vocab_size=40, **sizes).eval()
        made.save_pretrained(sys.argv[1])
        found = tfx_core.load_model(sys.argv[1])
        ids = torch.tensor([[5, 6, 7]])
        assert torch.equal(found(ids).logits, made(ids).logits)
        print(found.head_name, tuple(found.generate(ids, max_new_tokens=4, eos_token_id=None).shape))
    """
    program = tmp_path / "program.py"
    program.write_text("\n".join(line.strip() for line in code.splitlines()))
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path / "model")],
        env=with_path(installed.site), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "causal-lm (1, 7)\n", done.stderr
