"""``tfx-core plugins --check WHEEL``: a built wheel is told what is wrong with it before anybody installs it."""

import json
import os
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import Result

from tests.core.cli.running import run

METADATA = """Metadata-Version: 2.4
Name: tfx-sharp
Version: 1.0
Requires-Python: >=3.11
Requires-Dist: tfx-core>=0.1,<1
"""
POINTS = "[tfx_core]\nsharp = tfx_sharp.plugin\n"
PLUGIN = """
from tfx_core import TaskSpec, hookimpl

@hookimpl
def tfx_tasks():
    return [TaskSpec("sharp", target="tfx_sharp.task:Sharp")]
"""
TASK = """
from tfx_core import Task

class Sharp(Task):
    "Keeps what is sharp."
"""
NAME = "tfx_sharp-1.0-py3-none-any.whl"
INFO = "tfx_sharp-1.0.dist-info"
SOUND = {
    "tfx_sharp/__init__.py": "",
    "tfx_sharp/plugin.py": PLUGIN,
    "tfx_sharp/task.py": TASK,
    f"{INFO}/METADATA": METADATA,
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
    f"{INFO}/entry_points.txt": POINTS,
    f"{INFO}/RECORD": "",
}


def wheel(folder: Path, changes: Mapping[str, str | None] | None = None, name: str = NAME) -> Path:
    """A sound wheel but for the files that are changed, or left out."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as archive:
        for file, text in (SOUND | dict(changes or {})).items():
            if text is not None:
                archive.writestr(file, text)
    return folder / name


def check(*wheels: Path, more: tuple[str, ...] = ()) -> Result:
    return run("plugins", "--check", *more, *map(str, wheels))


def told(path: Path) -> list[str]:
    """What is told of a wheel with which something is wrong, without its name."""
    result = check(path)
    assert (result.exit_code, result.stderr) == (1, ""), result.output
    assert all(line.startswith(f"{path.name}: ") for line in result.stdout.splitlines())
    return [line.removeprefix(f"{path.name}: ") for line in result.stdout.splitlines()]


def test_a_sound_wheel_is_checked_and_not_installed(tmp_path: Path) -> None:
    path = wheel(tmp_path)
    result = check(path)
    assert (result.exit_code, result.output) == (0, f"{NAME}: nothing is wrong\n")
    with pytest.raises(metadata.PackageNotFoundError):
        metadata.version("tfx-sharp")
    result = check(path, more=("--json",))
    assert json.loads(result.stdout) == {"wheel": str(path), "problems": []}
    assert sorted(tmp_path.iterdir()) == [path]


def test_switches_do_not_keep_a_wheel_from_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFX_DISABLE_PLUGINS", "tfx-sharp")
    (line,) = told(wheel(tmp_path, {"tfx_sharp/plugin.py": "1 / 0"}))
    assert line == "its plugin 'sharp' failed: importing tfx_sharp.plugin failed: ZeroDivisionError: division by zero"


LIES = METADATA.replace("Version: 1.0", "Version: {}")
DAMAGED: Mapping[str, tuple[dict[str, str | None], str]] = {
    "no metadata": (
        dict.fromkeys((file for file in SOUND if INFO in file), None),
        "it has no metadata: no folder that ends in .dist-info; build it anew: python -m build --wheel",
    ),
    "two distributions": ({"other-1.0.dist-info/METADATA": METADATA}, "it has 2 folders of metadata; build it anew"),
    "no METADATA": (
        {f"{INFO}/METADATA": None, f"{INFO}/RECORD": None},
        f"it has no {INFO}/METADATA and no {INFO}/RECORD; build it anew",
    ),
    "a path out of the folder": (
        {"../evil.py": "1"},
        "its file '../evil.py' would be written outside of the folder of packages; do not install it; build it anew",
    ),
    "an absolute path": ({"/evil.py": "1"}, "its file '/evil.py' would be written outside of the folder"),
    "a path of Windows": ({"C:\\evil.py": "1"}, "would be written outside of the folder of packages"),
    "no name": ({f"{INFO}/METADATA": "Version: 1.0\n"}, "its METADATA say no Name; build it anew"),
    "no version": ({f"{INFO}/METADATA": "Name: tfx-sharp\n"}, "its METADATA say no Version; build it anew"),
    "a version that is none": (
        {f"{INFO}/METADATA": LIES.format("first")},
        "its version cannot be read: InvalidVersion: Invalid version: 'first'; correct it in pyproject.toml",
    ),
    "another version": (
        {f"{INFO}/METADATA": LIES.format("2.0")},
        "its name says tfx-sharp 1.0, but it is tfx-sharp 2.0 in METADATA, tfx-sharp 1.0 in the name of their folder",
    ),
    "broken entry points": (
        {f"{INFO}/entry_points.txt": "[tfx_core]\nhalf a line\n"},
        "its entry_points.txt cannot be read: ParsingError: Source contains parsing errors",
    ),
    "an entry point twice": (
        {f"{INFO}/entry_points.txt": POINTS + "sharp = tfx_sharp.other\n"},
        "its entry_points.txt cannot be read: DuplicateOptionError",
    ),
    "no entry points": (
        {f"{INFO}/entry_points.txt": None},
        "it names no plugin: it has no entry point in the group tfx_core; write [project.entry-points.\"tfx_core\"] in",
    ),
    "entry points of others": (
        {f"{INFO}/entry_points.txt": "[console_scripts]\nsharp = tfx_sharp.plugin:main\n"},
        "it names no plugin: it has no entry point in the group tfx_core",
    ),
    "a requirement on what is not here": (
        {f"{INFO}/METADATA": METADATA + "Requires-Dist: not-installed-at-all>=2; python_version>'3'\n"},
        "it needs not-installed-at-all>=2; python_version>'3', which is not installed here, so that it cannot be "
        'asked; python -m pip install "not-installed-at-all>=2"',
    ),
    "a file that is a folder": ({"tfx_sharp/task.py/more.py": ""}, "it cannot be unpacked: "),
    "a name that is too long": ({f"tfx_sharp/{'a' * 300}.py": ""}, "it cannot be unpacked: "),
    "a file as a folder of data": ({"tfx_sharp.data": "", "tfx_sharp-1.0.data/purelib": ""}, "1 of its files are outs"),
    "a requirement of no letters": (
        {f"{INFO}/METADATA": METADATA + "Requires-Dist: b\u00fccher>=1\n"},
        "its requirement 'b\u00fccher>=1' cannot be read: InvalidRequirement",
    ),
    "a marker that compares nothing": (
        {f"{INFO}/METADATA": METADATA + 'Requires-Dist: torch; python_version ~= "x"\n'},
        "its requirement 'torch; python_version ~= \"x\"' cannot be read: UndefinedComparison",
    ),
    "a range of Pythons in other letters": (
        {f"{INFO}/METADATA": METADATA.replace(">=3.11", "\u22653.11")},
        "its Requires-Python is '\u22653.11', which is no range of versions",
    ),
    "what hides Python's own": (
        {"json/__init__.py": ""},
        "it would hide json, which others import; call its package by a name of its own",
    ),
    "what hides the core": ({"tfx_core/nn/faster.py": ""}, "it would hide tfx_core, which others import"),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_wheel_is_one_clear_error(tmp_path: Path, what: str) -> None:
    changes, message = DAMAGED[what]
    lines = told(wheel(tmp_path, changes))
    assert lines[-1].startswith(message) or message in lines[-1]
    assert ";" in lines[-1], "no cure"
    assert not (tmp_path.parent / "evil.py").exists()


def test_what_is_no_zip_and_what_was_cut_off_or_changed_is_told(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"not a zip")
    assert told(path) == [
        "it is no wheel that can be read: BadZipFile: File is not a zip file; build it anew: python -m build --wheel"
    ]
    whole = wheel(tmp_path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert told(path)[0].startswith("it is no wheel that can be read: ")
    path.write_bytes(whole.replace(b"what is sharp", b"what is blunt"))
    assert told(path)[0].startswith("its file 'tfx_sharp/task.py' is damaged")


def test_metadata_in_another_encoding_are_told(tmp_path: Path) -> None:
    path = wheel(tmp_path, {f"{INFO}/METADATA": None})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{INFO}/METADATA", (METADATA + "Author: M\u00fcller\n").encode("latin-1"))
    assert told(path)[0].startswith("it is no wheel that can be read: UnicodeDecodeError")


def test_the_end_of_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    assert told(tmp_path / NAME) == ["it is no regular file; name the file that was built, or copy it into one"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    path = wheel(tmp_path)
    link = zipfile.ZipInfo("tfx_sharp/link.py")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    assert told(path)[0].startswith("its file 'tfx_sharp/link.py' is a link; do not install it")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tfx_sharp.whl", "its name is no name of a wheel: InvalidWheelFilename"),
        ("tfx_blunt-1.0-py3-none-any.whl", "its name says tfx-blunt 1.0, but it is tfx-sharp 1.0 in METADATA"),
        ("tfx_sharp-1.0-cp27-none-any.whl", "it was built for cp27-none-any, and cannot be used in this Python"),
    ],
)
def test_the_name_of_a_wheel_must_be_its_own(tmp_path: Path, name: str, message: str) -> None:
    (line,) = told(wheel(tmp_path, name=name))
    assert line.startswith(message)


ASKED: Mapping[str, tuple[dict[str, str | None], list[str]]] = {
    "a module that was left out": (
        {"tfx_sharp/plugin.py": None},
        [
            "its entry point 'sharp' names 'tfx_sharp.plugin', which is not in it; correct the name, or let the build "
            "take that package in",
            "its plugin 'sharp' failed: importing tfx_sharp.plugin failed: ModuleNotFoundError",
        ],
    ),
    "a target that was left out": (
        {"tfx_sharp/task.py": None},
        ["task 'sharp' could not be imported from 'tfx_sharp.task:Sharp': ModuleNotFoundError"],
    ),
    "files beside its package": (
        {"tests/__init__.py": "", "tests/test_sharp.py": "", "conftest.py": ""},
        ["3 of its files are outside of its package tfx_sharp: 'conftest.py', 'tests/__init__.py', 'tests/test_sh"],
    ),
    "another Python": (
        {f"{INFO}/METADATA": METADATA.replace(">=3.11", "<3")},
        ["it needs Python <3, and this is 3."],
    ),
    "a Python that is none": (
        {f"{INFO}/METADATA": METADATA.replace(">=3.11", "3 or newer")},
        ["its Requires-Python is '3 or newer', which is no range of versions; write requires-python"],
    ),
    "no requirement on the core": (
        {f"{INFO}/METADATA": METADATA.replace("Requires-Dist: tfx-core>=0.1,<1\n", "")},
        ["its plugin 'sharp' has metadata that do not say which tfx-core it needs, so that it is installed beside any"],
    ),
    "another core": (
        {f"{INFO}/METADATA": METADATA.replace("<1", "<0.1")},
        ["its plugin 'sharp' is incompatible: it needs tfx-core>=0.1,<0.1, and 0.1.0 is installed"],
    ),
    "a requirement that is none": (
        {f"{INFO}/METADATA": METADATA + "Requires-Dist: torch at least 2\n"},
        ["its requirement 'torch at least 2' cannot be read: InvalidRequirement"],
    ),
    "a heavy plugin": (
        {"tfx_sharp/__init__.py": "import torch\n"},
        ["its plugin 'sharp' imports torch (tfx_sharp, line 1) while it is loaded"],
    ),
    "a plugin that ends the process": (
        {"tfx_sharp/plugin.py": "import os, sys\nprint('no more', file=sys.stderr, flush=True)\nos._exit(7)"},
        ["asking it ended the process with 7: no more; import the plugin by hand to see why"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ASKED)
def test_what_an_installed_plugin_would_be_told_a_wheel_is_told(tmp_path: Path, what: str) -> None:
    changes, messages = ASKED[what]
    lines = told(wheel(tmp_path, changes))
    assert len(lines) == len(messages), lines
    for line, message in zip(lines, messages, strict=True):
        assert line.startswith(message)


def test_wheels_are_checked_together_and_each_is_told_its_own(tmp_path: Path) -> None:
    needs = METADATA.replace("tfx-sharp", "tfx-flat") + "Requires-Dist: tfx-sharp\n"
    flat = {
        file.replace("sharp", "flat"): text.replace("sharp", "flat").replace("Sharp", "Flat")
        for file, text in SOUND.items()
    }
    flat |= {
        "tfx_flat-1.0.dist-info/METADATA": needs,
        "tfx_flat/task.py": "from tfx_sharp.task import Sharp\nFlat = 3",
        "tfx_flat-1.0.data/purelib/tfx_flat/more.py": "",
        "tfx_flat-1.0.data/scripts/flat": "",
    }
    other = wheel(tmp_path / "flat", dict.fromkeys(SOUND, None) | flat, name=NAME.replace("sharp", "flat"))
    broken = tmp_path / "broken-1.0-py3-none-any.whl"
    broken.write_bytes(b"")
    result = check(wheel(tmp_path), other, broken)
    assert result.exit_code == 1
    assert [line.partition(";")[0] for line in result.stdout.splitlines()] == [
        f"{NAME}: nothing is wrong",
        f"{other.name}: task 'flat' stands for 3, which is no subclass of tfx_core.Task",
        f"{broken.name}: it is no wheel that can be read: BadZipFile: File is not a zip file",
    ]
    first, second, third = map(json.loads, check(wheel(tmp_path), other, broken, more=("--json",)).stdout.splitlines())
    assert first["problems"] == []
    assert [(each["spec"], each["cure"]) for each in second["problems"]] == [
        ("task 'flat'", "correct its target 'tfx_flat.task:Flat', or what is there")
    ]
    assert third["problems"][0]["cure"] == "build it anew: python -m build --wheel"


def test_of_two_wheels_of_a_distribution_neither_is_taken_for_the_other(tmp_path: Path) -> None:
    sound = wheel(tmp_path / "a")
    broken = wheel(tmp_path / "b", {"tfx_sharp/plugin.py": "1 / 0"})
    assert check(sound).exit_code == 0
    result = check(sound, broken)
    line = f"{NAME}: there are 2 wheels of tfx-sharp, so that none can be asked; check them one after the other\n"
    assert (result.exit_code, result.output) == (1, 2 * line)


NOISY = """
import atexit, os, subprocess, sys
print("printed")
os.write(1, b"written")
subprocess.run([sys.executable, "-c", "print('by a process')"])
atexit.register(print, "at the end")
"""


def test_what_a_plugin_writes_past_pythons_stdout_is_no_answer(tmp_path: Path) -> None:
    path = wheel(tmp_path, {"tfx_sharp/plugin.py": NOISY + PLUGIN})
    result = check(path, more=("--json",))
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"wheel": str(path), "problems": []})


def test_a_plugin_does_not_wait_for_somebody_to_type(tmp_path: Path) -> None:
    (line,) = told(wheel(tmp_path, {"tfx_sharp/plugin.py": "input()"}))
    assert line == "its plugin 'sharp' failed: importing tfx_sharp.plugin failed: EOFError: EOF when reading a line"


def test_wrong_usage_ends_with_2(tmp_path: Path) -> None:
    path = wheel(tmp_path)
    result = run("plugins", str(path))
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: wheels are for --check: tfx-core plugins --check WHEEL (see tfx-core plugins --help)\n",
    )
    result = run("plugins", "--check", str(tmp_path / "absent.whl"))
    assert result.exit_code == 2
    assert "absent.whl' does not exist" in result.stderr
    assert run("plugins", "--check", str(tmp_path)).exit_code == 2
