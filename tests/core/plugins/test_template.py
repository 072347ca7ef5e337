"""New distributions out of templates: their names, their files, and that they are there whole or not at all."""

import ast
import os
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import tfx_core.plugins
from tests.core.fake_site import FakeSite, architectures
from tfx_core.errors import InputError
from tfx_core.plugins import template
from tfx_core.plugins.template import KINDS, NewPlugin, plugin_name

ROOT = Path(__file__).parents[3]
TEMPLATES = Path(tfx_core.plugins.__file__).parent / "templates"
LONGEST = "a" + "-bc" * 9 + "-d"
"""As many characters as a name may have."""


@pytest.fixture(autouse=True)
def nothing_installed(site: FakeSite) -> FakeSite:
    return site


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def sources(files: dict[str, str]) -> Iterator[tuple[str, ast.Module]]:
    return ((path, ast.parse(text)) for path, text in files.items() if path.endswith(".py"))


def test_every_kind_has_a_template_and_every_template_is_a_kind() -> None:
    assert {folder.name for folder in TEMPLATES.iterdir()} == {"every", *KINDS}


def test_names_follow_from_one() -> None:
    plugin = NewPlugin(plugin_name("my-arch"), "architecture")
    assert (plugin.name, plugin.distribution, plugin.package) == ("my-arch", "tfx-my-arch", "tfx_my_arch")
    assert plugin_name("tfx-foo") == plugin_name("foo") == "foo"


@pytest.mark.parametrize("name", ["x", "my-arch", "model", LONGEST, "m" * len(LONGEST)])
def test_files_have_the_new_names_and_no_trace_of_the_template(kind: str, name: str) -> None:
    plugin = NewPlugin(name, kind)
    files = plugin.files()
    assert {
        *(".gitignore", "LICENSE", "README.md", "noxfile.py", "pyproject.toml"),
        *(f"src/{plugin.package}/{file}" for file in ("__init__.py", "plugin.py", "py.typed")),
    } < files.keys()
    for path, text in files.items():
        assert "example" not in path
        assert not re.search("example[-_]|Example", text), path
        assert not path.endswith(".py") or max(map(len, text.splitlines())) <= 120, path


def test_the_metadata_are_those_that_the_core_reads(kind: str) -> None:
    plugin = NewPlugin("my-arch", kind)
    project = tomllib.loads(plugin.files()["pyproject.toml"])["project"]
    assert project["name"] == plugin.distribution
    assert project["entry-points"] == {"tfx_core": {"my-arch": "tfx_my_arch.plugin"}}
    assert project["license"] == "Apache-2.0"
    assert "my-arch" in project["description"]


def test_all_versions_of_tfx_that_are_like_this_one_fit(kind: str) -> None:
    """The templates name versions; when that of tfx changes, this says where they are."""
    project = tomllib.loads((TEMPLATES / kind / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    present = Version(version("tfx-core"))
    needed = [Requirement(line) for line in (*project["dependencies"], *project["optional-dependencies"]["test"])]
    ours = {each.name: each.specifier for each in needed if each.name.startswith("tfx-")}
    assert {"tfx-core", "tfx-testing"} <= ours.keys()
    assert set(ours.values()) == {SpecifierSet(f">={present.major}.{present.minor},<{present.major + 1}")}


def test_the_licence_is_that_of_tfx() -> None:
    assert NewPlugin("my-arch", "head").files()["LICENSE"] == (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_what_provides_the_thing_is_light(kind: str) -> None:
    """The package and its plugin module are imported by whatever lists plugins."""
    files = NewPlugin("my-arch", kind).files()
    for file in ("__init__.py", "plugin.py"):
        tree = ast.parse(files[f"src/tfx_my_arch/{file}"])
        assert {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)} <= {"tfx_core"}
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]


def test_an_architecture_is_under_250_lines() -> None:
    files = NewPlugin("my-arch", "architecture").files()
    assert sum(text.count("\n") for path, text in files.items() if path.startswith("src/")) < 250


def test_no_name_makes_a_class_of_what_is_imported_beside_it(kind: str) -> None:
    for path, tree in sources(NewPlugin("my-arch", kind).files()):
        imported = {alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
                    for alias in node.names}  # fmt: skip
        ends = [node.name.removeprefix("MyArch") for node in tree.body if isinstance(node, ast.ClassDef)]
        clashing = [name for name in imported for end in ends if name.endswith(end) and name != end]
        assert not [name for name in clashing if not name.startswith("MyArch")], path


def test_nothing_of_the_templates_is_a_module_of_the_core() -> None:
    found = {each.name for each in pkgutil.walk_packages(tfx_core.plugins.__path__, "tfx_core.plugins.")}
    assert "tfx_core.plugins.template" in found
    assert not [name for name in found if "templates" in name]


def test_what_tools_leave_beside_the_templates_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for folder in ("every", kind):
        for left in ("__pycache__/noxfile.pyc", ".ruff_cache/0", "src/__pycache__/plugin.pyc"):
            (tmp_path / "templates" / folder / left).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "templates" / folder / left).write_bytes(b"\xff")
    (tmp_path / "templates" / kind / "README.md").write_text("all")
    monkeypatch.setattr(template, "files", lambda package: tmp_path)
    assert NewPlugin("my-arch", kind).files() == {"README.md": "all"}


@pytest.mark.parametrize(
    ("name", "proper"),
    [
        ("Bert", "bert"), ("my_arch", "my-arch"), ("my.arch", "my-arch"), ("my--arch", "my-arch"), ("-my-", "my"),
        ("3d", "my-3d"), ("mein-körper", "mein-krper"), ("a/b", "ab"), ("..", "my-arch"), ("", "my-arch"),
        ("a b", "ab"), ("x\n", "x"), ("a" * 31, "a" * 30), ("架构", "my-arch"),
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused_with_one_that_is(name: str, proper: str) -> None:
    with pytest.raises(InputError, match=f"is no name for a plugin: .* at most 30 characters; '{proper}' would be one"):
        NewPlugin(name, "head")
    NewPlugin(proper, "head")


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("class", "head", "'class' is the name of a keyword of Python; take another, such as 'my-class'"),
        ("json", "task", "'json' is the name of a module of Python; take another, such as 'my-json'"),
        ("core", "head", "tfx-core is one of tfx's own distributions; take another name, such as 'my-core'"),
        ("seq2seq", "head", "tfx-seq2seq is one of tfx's own distributions"),
        ("testing", "task", "tfx-testing is one of tfx's own distributions"),
        ("bert", "architecture", "architecture 'bert' is a name of tfx-encoders; take another, such as 'my-bert'"),
        ("flat", "index", "index 'flat' is a name of tfx-retrieval"),
        ("causal", "objective", "objective 'causal' is a name of tfx-training"),
        ("fill-mask", "task", "task 'fill-mask' is a name of tfx-core"),
        ("sentiment-analysis", "task", "task 'sentiment-analysis' is a name of tfx-core"),
        ("sdpa", "attention", "attention 'sdpa' is a name of tfx-core"),
        ("backbone", "head", "head 'backbone' is a name of tfx-core"),
    ],
)
def test_names_that_are_taken_are_refused(name: str, kind: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        NewPlugin(name, kind)
    assert str(refused.value).startswith(said)


def test_names_of_what_is_installed_are_refused(site: FakeSite) -> None:
    site.install("tfx-alien", architectures("martian"), version="1.2")
    site.write("tfx_unowned.py", "")
    with pytest.raises(InputError, match=r"^tfx-alien 1\.2 is installed already; .* pip uninstall tfx-alien$"):
        NewPlugin("alien", "head")
    with pytest.raises(InputError, match=r"^there is a package tfx_unowned to import already; take another name$"):
        NewPlugin("unowned", "head")
    with pytest.raises(InputError, match=r"^architecture 'martian' is a name of tfx-alien; take another"):
        NewPlugin("martian", "architecture")
    with pytest.raises(InputError, match=r"^head 'masked-lm' is a name of tfx-alien; take another"):
        NewPlugin("masked-lm", "head")
    NewPlugin("martian", "head")  # names of two kinds do not meet


def test_a_kind_without_a_template_is_refused() -> None:
    with pytest.raises(InputError, match=r"^kind 'linear': there are templates of architecture, head, attention, task"):
        NewPlugin("my-arch", "linear")


@pytest.mark.parametrize("there", [False, True])
def test_all_files_are_written_into_a_new_or_an_empty_folder(kind: str, tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "made"
    if there:
        folder.mkdir()
    plugin = NewPlugin("my-arch", kind)
    plugin.write(folder)
    written = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert {path: file.read_bytes().decode() for path, file in written.items()} == plugin.files()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "site"]


@pytest.mark.parametrize("present", ["README.md", ".git", "more/files"])
def test_nothing_is_written_beside_what_is_there(tmp_path: Path, present: str) -> None:
    (tmp_path / "made" / present).parent.mkdir(parents=True)
    (tmp_path / "made" / present).write_text("mine")
    with pytest.raises(InputError, match=r"made: there is something in this folder already, .* with --directory$"):
        NewPlugin("my-arch", "head").write(tmp_path / "made")
    assert [path.relative_to(tmp_path / "made").as_posix() for path in (tmp_path / "made").rglob("*")][-1] == present
    assert (tmp_path / "made" / present).read_text() == "mine"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "made").write_text("mine")
    with pytest.raises(InputError, match="made: there is a file of this name, and nothing is overwritten"):
        NewPlugin("my-arch", "head").write(tmp_path / "made")
    assert (tmp_path / "made").read_text() == "mine"


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("after", [0, 3, 8])
def test_what_is_interrupted_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool, error: BaseException, after: int
) -> None:
    folder = tmp_path / "made"
    if there:
        folder.mkdir()
    written, write_text = [0], Path.write_text

    def failing(self: Path, *arguments: object, **named: object) -> int:
        written[0] += 1
        if written[0] > after:
            raise error
        return write_text(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "write_text", failing)
    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else InputError):
        NewPlugin("my-arch", "head").write(folder)
    assert written[0] == after + 1
    assert folder.exists() == there
    assert not there or not list(folder.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == [*(["made"] if there else []), "site"]


@pytest.mark.parametrize("there", [False, True])
def test_a_failure_at_the_very_end_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    folder = tmp_path / "made"
    if there:
        folder.mkdir()
    moved, rename = [0], os.rename

    def failing(source: str, target: str) -> None:
        moved[0] += 1
        if moved[0] == 3 or not there:
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(InputError, match="made: could not be saved: Input/output error"):
        NewPlugin("my-arch", "head").write(folder)
    monkeypatch.undo()
    assert folder.exists() == there
    assert not there or not [path for path in folder.rglob("*") if path.is_file()]
