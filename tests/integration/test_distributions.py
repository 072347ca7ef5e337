"""What pip gets to see of each distribution, and what importing one costs."""

import ast
import email.message
import email.parser
import importlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path
from textwrap import dedent

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[2]
NAMES = sorted(folder.parent.name for folder in (ROOT / "packages").glob("*/pyproject.toml"))
FAMILIES = [name for name in NAMES if name not in ("core", "testing")]
"""The plugins."""

NEEDS = {
    "core": {"torch", "numpy", "tokenizers", "pluggy", "click", "packaging"},
    "encoders": {"tfx-core"},
    "decoders": {"tfx-core"},
    "seq2seq": {"tfx-core"},
    "multimodal": {"tfx-core", "tfx-encoders", "pillow"},
    "retrieval": {"tfx-core", "tfx-encoders", "faiss-cpu"},
    "testing": {"tfx-core", "pytest", "safetensors"},
    "training": {"tfx-core", "accelerate"},
}
MODULES = {"faiss-cpu": "faiss", "pillow": "PIL", "pytrec-eval-terrier": "pytrec_eval", "scikit-learn": "sklearn"}
"""Import names of the requirements where they differ."""
OF_ANOTHER = {"testing": {"tfx_training"}}
"""What is imported where it is checked, and then installed: the base of objectives."""
BROUGHT = {"huggingface_hub": "tokenizers", "nltk": "rouge-score", "scipy": "scikit-learn"}
"""What may be imported because a requirement always brings it."""


@dataclass(frozen=True)
class Wheel:
    """A built wheel, read."""

    package: str
    """Its import name."""
    files: frozenset[str]
    metadata: email.message.Message
    entry_points: ConfigParser
    licence: bytes

    @property
    def requirements(self) -> list[Requirement]:
        return [Requirement(line) for line in self.metadata.get_all("Requires-Dist", [])]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Wheel]:
    """The wheel of every distribution, built from the tree that the tests are in."""
    return {name: read(build(name, tmp_path_factory.mktemp(name))) for name in NAMES}


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def wheel(name: str, wheels: dict[str, Wheel]) -> Wheel:
    return wheels[name]


def build(name: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT / "packages" / name, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def read(path: Path) -> Wheel:
    distribution, version = path.name.split("-")[:2]
    info = f"{distribution}-{version}.dist-info"
    with zipfile.ZipFile(path) as archive:
        files = frozenset(archive.namelist())
        points = ConfigParser(delimiters=("=",))
        if f"{info}/entry_points.txt" in files:
            points.read_string(archive.read(f"{info}/entry_points.txt").decode())
        metadata = email.parser.BytesParser().parsebytes(archive.read(f"{info}/METADATA"))
        licences = [archive.read(file) for file in files if file.startswith(f"{info}/licenses/")]
    assert len(licences) == 1, f"{path.name} should hold one licence file"
    return Wheel(distribution, files, metadata, points, licences[0])


def imported_modules(package: Path) -> Iterator[tuple[str, str]]:
    """Each absolute import of a package, inside functions too: (file, top-level module)."""
    for file in package.rglob("*.py"):
        if "templates" in file.parts:  # distributions to be, with requirements of their own
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((file.name, alias.name.partition(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
                yield file.name, node.module.partition(".")[0]


def test_all_distributions_have_one_version(wheels: dict[str, Wheel]) -> None:
    assert len({wheel.metadata["Version"] for wheel in wheels.values()}) == 1


def test_a_distribution_requires_what_the_design_says_and_nothing_more(name: str, wheel: Wheel) -> None:
    unconditional = {each.name for each in wheel.requirements if each.marker is None}
    assert unconditional == NEEDS[name]
    assert all("extra" in str(each.marker) for each in wheel.requirements if each.marker is not None)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_accepts_every_core_from_its_own_minor_version_to_the_next_major_one(wheel: Wheel) -> None:
    version = Version(wheel.metadata["Version"])
    ours = [each for each in wheel.requirements if each.name.startswith("tfx-")]
    assert ours
    for each in ours:
        assert each.specifier == SpecifierSet(f">={version.major}.{version.minor},<{version.major + 1}"), str(each)


def test_the_python_versions_and_the_description_are_stated(wheel: Wheel) -> None:
    assert wheel.metadata["Requires-Python"] == ">=3.11"
    assert wheel.metadata["Summary"]
    assert wheel.metadata["Description-Content-Type"] == "text/markdown"
    assert len(str(wheel.metadata.get_payload())) > 200, "the page of the distribution says nothing"


def test_the_licence_is_stated_and_included(wheel: Wheel) -> None:
    assert wheel.metadata["License-Expression"] == "Apache-2.0"
    assert wheel.licence == (ROOT / "LICENSE").read_bytes()


def test_a_wheel_holds_its_package_and_nothing_else(name: str, wheel: Wheel) -> None:
    source = ROOT / "packages" / name / "src"
    expected = {file.relative_to(source).as_posix() for file in (source / wheel.package).rglob("*") if file.is_file()}
    expected = {file for file in expected if not re.search(r"(^|/)(__pycache__|\.)", file)}  # no tool's notes
    modules = {file for file in expected if "/templates/" not in file}
    assert {Path(file).suffix or Path(file).name for file in modules} <= {".html", ".json", ".py", ".typed"}
    assert {file for file in wheel.files if ".dist-info/" not in file} == expected
    assert f"{wheel.package}/py.typed" in wheel.files


@pytest.mark.parametrize("name", FAMILIES)
def test_the_page_of_a_family_lists_its_architectures(name: str, wheel: Wheel) -> None:
    plugin = importlib.import_module(f"{wheel.package}.plugin")
    specs = plugin.tfx_architectures() if hasattr(plugin, "tfx_architectures") else []
    missing = [spec.name for spec in specs if f"| `{spec.name}` |" not in str(wheel.metadata.get_payload())]
    assert not missing, f"add a row for each to packages/{name}/README.md"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_names_one_light_plugin_module(name: str, wheel: Wheel) -> None:
    assert dict(wheel.entry_points["tfx_core"]) == {name: f"{wheel.package}.plugin"}
    assert f"{wheel.package}/plugin.py" in wheel.files


def test_the_checks_are_no_plugin(wheels: dict[str, Wheel]) -> None:
    assert wheels["testing"].entry_points.sections() == []


def test_the_core_brings_the_command_and_is_no_plugin(wheels: dict[str, Wheel]) -> None:
    points = wheels["core"].entry_points
    assert dict(points["console_scripts"]) == {"tfx-core": "tfx_core.cli:main"}
    assert points.sections() == ["console_scripts"]


def test_only_what_is_required_is_imported(name: str, wheel: Wheel) -> None:
    """And of our own distributions the core alone, whatever else is required: parts are asked for by name."""
    third_party = {each.name for each in wheel.requirements if not each.name.startswith("tfx-")} | NEEDS["core"]
    allowed = {MODULES.get(each, each.replace("-", "_")) for each in third_party}
    allowed |= {"tfx_core", wheel.package, *BROUGHT, *OF_ANOTHER.get(name, ()), *sys.stdlib_module_names}
    imports = imported_modules(ROOT / "packages" / name / "src" / wheel.package)
    assert {(file, module) for file, module in imports if module not in allowed} == set()


@pytest.mark.parametrize(("module", "bringer"), BROUGHT.items())
def test_what_is_said_to_be_brought_is(module: str, bringer: str) -> None:
    lines = [Requirement(line) for line in requires(bringer) or ()]
    assert module.replace("_", "-") in {each.name.replace("_", "-") for each in lines if each.marker is None}


LOOKING_AROUND = [
    "import tfx_core",
    *(f"import tfx_{name}.plugin" for name in FAMILIES),
    *(
        f"from tfx_core.cli import cli; cli({arguments!r}, 'tfx-core', standalone_mode=False)"
        for arguments in (["--help"], ["plugins"], ["plugins", "--json"], ["architectures"], ["run", "--help"])
    ),
]


@pytest.mark.parametrize("code", LOOKING_AROUND)
def test_looking_around_imports_nothing_heavy(code: str) -> None:
    heavy = ("torch", "numpy", "tokenizers", "huggingface_hub", "safetensors", "faiss")
    code += f"\nimport sys; heavy = [name for name in {heavy} if name in sys.modules]; assert not heavy, heavy"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_opens_calls_and_writes_imports_no_compiler(tmp_path: Path) -> None:
    code = """
    import sys, torch
    import tfx_core, tfx_core.alignment, tfx_core.embedding, tfx_core.tasks, tfx_core.text
    from tests.cases import architectures, case_of, readers_of_text
    from tfx_testing.inputs import inputs_of
    from tfx_testing.writers import prompts, writers, writing_model

    def looked(what):
        wrong = [name for name in ("torch._dynamo", "sympy") if name in sys.modules]
        assert not wrong, f"{what}: {wrong} imported"

    looked("the imports of this test")
    texts = {spec.name for spec in readers_of_text()}
    for spec in architectures():
        case, folder = case_of(spec.name), f"{sys.argv[1]}/{spec.name}"
        for head in ("backbone", *spec.heads):
            model = tfx_core.new_model(spec.name, head=head, seed=0, **case.tiny).eval()
            looked(f"a new {spec.name} with {head}")
            if spec.name in texts:
                model(**inputs_of(case, head))
                looked(f"a call of {spec.name} with {head}")
        model.save_pretrained(folder)
        tfx_core.load_model(folder)
        looked(f"loading {spec.name}")
        checks = type("Checks", (), {"case": case, "heads": lambda: spec.heads})
        for writer in writers(checks) if spec.name in texts else ():
            model = writing_model(case, writer)
            model.generate(**prompts(case, model), max_new_tokens=2)
            looked(f"{spec.name}, which writes with {writer.name}")
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(code), str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_importing_the_core_imports_no_plugin() -> None:
    code = "import sys, tfx_core; print(sorted(name for name in sys.modules if name.startswith('tfx_')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['tfx_core', 'tfx_core.first_use']"
