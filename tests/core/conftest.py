"""What tests of the core share."""

import functools
import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.fake_site import FakeSite
from tfx_core.plugins import discovery


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSite]:
    """An otherwise empty place to install distributions in: nothing that is really installed is seen."""
    site = FakeSite(tmp_path / "site")
    for variable in ("TFX_PLUGINS", "TFX_DISABLE_PLUGINS", "TFX_STRICT_PLUGINS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.syspath_prepend(str(site.root))
    everywhere = importlib.metadata.distributions
    monkeypatch.setattr(importlib.metadata, "distributions", functools.partial(everywhere, path=[str(site.root)]))
    discovery.rescan()
    yield site
    monkeypatch.undo()
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(site.root)):
            del sys.modules[name]
    discovery.rescan()
