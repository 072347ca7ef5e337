"""``nox`` runs all of this, each session in an environment of its own; ``nox -s tests`` one of them."""

import shutil
from pathlib import Path

import nox

DIST = Path(__file__).parent / "dist"


@nox.session
def tests(session: nox.Session) -> None:
    """The tests; what follows ``--`` goes to pytest."""
    session.install(".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and types."""
    session.install(".[test]", "ruff", "mypy", "nox")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", "src", "tests", "noxfile.py")


@nox.session
def build(session: nox.Session) -> None:
    """The wheel, into ``dist/``, and what tfx-core finds wrong with it once it is installed."""
    session.install("build")
    shutil.rmtree(DIST, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(DIST))
    wheels = [str(wheel) for wheel in DIST.glob("*.whl")]
    session.install(*wheels)
    session.run("tfx-core", "plugins", "--check", *wheels)
