"""``tfx-core new plugin``: what it prints, and the folder that it writes to."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.cli.running import run
from tests.core.fake_site import FakeSite
from tfx_core.plugins.template import KINDS, NewPlugin


@pytest.fixture(autouse=True)
def folder(site: FakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty folder that one is in; nothing is installed."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_an_architecture_is_written_and_what_to_type_next_is_told(folder: Path) -> None:
    result = run("new", "plugin", "my-arch")
    assert (result.exit_code, result.stderr) == (0, "")
    listed, following = result.stdout.split("\nNext:\n")
    assert listed.splitlines() == [
        "tfx-my-arch is in tfx-my-arch:",
        *(f"  {each}" for each in files_in(folder / "tfx-my-arch")),
    ]
    assert files_in(folder / "tfx-my-arch") == list(NewPlugin("my-arch", "architecture").files())
    assert following.splitlines() == [
        "  cd tfx-my-arch",
        '  python -m pip install --editable ".[test]"',
        "  python -m pytest",
        "  tfx-core plugins --check",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_chosen_and_json_says_the_same(folder: Path, kind: str) -> None:
    result = run("new", "plugin", "tfx-foo", "--kind", kind, "--json")
    said = json.loads(result.stdout)
    assert said.pop("next")[0] == "cd tfx-foo"
    assert said == {
        "name": "foo",
        "kind": kind,
        "distribution": "tfx-foo",
        "package": "tfx_foo",
        "folder": "tfx-foo",
        "files": files_in(folder / "tfx-foo"),
        "written": True,
    }


def test_a_dry_run_lists_the_same_files_and_writes_none(folder: Path) -> None:
    dry = run("new", "plugin", "my-arch", "--dry-run")
    assert dry.exit_code == 0
    assert not list(folder.iterdir())
    wet = run("new", "plugin", "my-arch")
    assert dry.stdout == wet.stdout.partition("\nNext:")[0].replace(" is in ", " would be in ")
    again = run("new", "plugin", "my-arch", "--dry-run", "--json")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "tfx-my-arch: there is something in this folder already" in again.stderr


def test_the_folder_is_another_or_the_one_that_one_is_in(folder: Path) -> None:
    assert run("new", "plugin", "my-arch", "--directory", "a folder").stdout.splitlines()[-4] == "  cd 'a folder'"
    assert files_in(folder / "a folder")
    (folder / "empty").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tfx_core", "new", "plugin", "my-arch", "--directory", "."],
        cwd=folder / "empty", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert files_in(folder / "empty") == files_in(folder / "a folder")
    missing = run("new", "plugin", "my-arch", "--directory", "no/folder")
    assert missing.exit_code == 2
    assert "the folder 'no' does not exist; make it first: mkdir -p no" in missing.stderr


def test_what_is_wrong_is_one_line(folder: Path) -> None:
    for arguments, code, said in (
        (("My_Arch",), 1, "Error: 'My_Arch' is no name for a plugin: "),
        (("bert",), 1, "Error: architecture 'bert' is a name of tfx-encoders"),
        (("my-arch", "--kind", "linear"), 2, "Error: Invalid value for '--kind': 'linear' is not one of"),
        ((), 2, "Error: Missing argument 'NAME'"),
    ):
        result = run("new", "plugin", *arguments)
        assert (result.exit_code, result.stdout) == (code, "")
        assert result.stderr.startswith(said)
        assert result.stderr.count("\n") == 1
    assert not list(folder.iterdir())
    assert "no command 'plugins'; did you mean 'plugin'?" in run("new", "plugins", "my-arch").stderr


def test_it_imports_nothing_heavy(folder: Path) -> None:
    code = (
        "import sys; from tfx_core.cli import cli; "
        "cli(['new', 'plugin', 'my-arch'], 'tfx-core', standalone_mode=False); "
        "assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=folder)
