"""What holds for every test: where tfx is imported from, and what of the machine's environment is kept out."""

import importlib.metadata
import importlib.util
import os
import signal
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

# Tiny models are slowed down by threads, and several runs may share the machine; read when torch is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
for _name in ("COLUMNS", "TFX_PLUGINS", "TFX_DISABLE_PLUGINS", "TFX_STRICT_PLUGINS"):
    os.environ.pop(_name, None)  # where tests run in several processes, each is given a width


def _installed() -> dict[str, Path | None]:
    """Our distributions in this environment, and the folder that the package of each is imported from."""
    found = {}
    for name in sorted({str(each.name) for each in importlib.metadata.distributions()}):
        if name.startswith("tfx-"):
            package = importlib.util.find_spec(name.replace("-", "_"))
            found[name] = None if package is None or package.origin is None else Path(package.origin).parent.parent
    return found


@pytest.fixture
def hearing() -> Iterator[None]:
    """Python's own handler, also where what runs this began with interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_report_header() -> list[str]:
    return [f"{name}: {folder}" for name, folder in _installed().items()]


def pytest_sessionstart() -> None:
    """Refuse to test anything but the wheels that the session says it installed."""
    expected = os.environ.get("TFX_TESTED_WHEELS")
    if expected is None:  # a developer's own environment, where the sources are installed editable
        return
    site_packages = Path(sysconfig.get_path("purelib"))
    installed = _installed()
    if sorted(expected.split()) != sorted(installed):
        raise pytest.UsageError(f"installed are {sorted(installed)}, to be tested is {expected!r} alone")
    elsewhere = {name: folder for name, folder in installed.items() if folder != site_packages}
    if elsewhere:
        raise pytest.UsageError(f"not imported from the installed wheels in {site_packages}: {elsewhere}")
