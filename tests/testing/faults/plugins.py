"""Distributions that are wrong in one way each: metadata, plugin module, sources."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import invalidate_caches
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.testing.faults import Fault
from tfx_core.plugins import discovery
from tfx_testing import Checks, PluginChecks
from tfx_testing.plugins import checked

METADATA = """\
Metadata-Version: 2.4
Name: tfx-broken
Version: 1.0
Summary: a kernel
License-Expression: MIT
Requires-Python: >=3.11
Requires-Dist: tfx-core<1,>=0.1
"""
PLUGIN = '''"""What tfx-broken provides."""
from tfx_core import AttentionSpec, hookimpl

@hookimpl
def tfx_attentions() -> list[AttentionSpec]:
    """One kernel."""
    return [AttentionSpec("broken", "tfx_broken.kernel:kernel", summary="the usual one")]
'''
KERNEL = '''"""The kernel."""
from typing import Any

from tfx_core.nn import eager

def kernel(*of_call: Any, **how: Any) -> Any:
    """As `tfx_core.nn.eager`."""
    return eager(*of_call, **how)
'''
SOUND = {
    "tfx_broken-1.0.dist-info/METADATA": METADATA,
    "tfx_broken-1.0.dist-info/entry_points.txt": "[tfx_core]\nbroken = tfx_broken.plugin\n",
    "tfx_broken/__init__.py": '"""A kernel."""\n',
    "tfx_broken/plugin.py": PLUGIN,
    "tfx_broken/kernel.py": KERNEL,
    "tfx_broken/py.typed": "",
}


def forget() -> None:
    """What is known of the distributions that are installed."""
    invalidate_caches()
    discovery.rescan()
    checked.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "tfx_broken"]:
        del sys.modules[name]


@contextmanager
def installed(files: Mapping[str, str | None]) -> Iterator[None]:
    """Have these files among the installed ones, in this process and those that it starts."""
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            if text is not None:
                file = Path(folder, name)
                file.parent.mkdir(exist_ok=True)
                file.write_text(text, encoding="utf-8")
        before = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = folder if not before else f"{folder}{os.pathsep}{before}"
        sys.path.insert(0, folder)
        forget()
        try:
            yield
        finally:
            sys.path.remove(folder)
            os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)
            forget()


def checks(files: Mapping[str, str | None]) -> Callable[[], type[Checks]]:
    """The checks of the sound distribution with other files."""

    @contextmanager
    def surroundings(cls: type[Checks]) -> Iterator[None]:
        with installed({**SOUND, **files}):
            yield

    body = {"distribution": "tfx-broken", "surroundings": classmethod(surroundings)}
    return lambda: type("TestBroken", (PluginChecks,), body)


def said(old: str, new: str) -> dict[str, str | None]:
    """Metadata that say something else."""
    assert old in METADATA
    return {"tfx_broken-1.0.dist-info/METADATA": METADATA.replace(old, new)}


def named(entry_points: str) -> dict[str, str | None]:
    return {"tfx_broken-1.0.dist-info/entry_points.txt": entry_points}


def plugin(old: str, new: str) -> dict[str, str | None]:
    """A plugin module that is written otherwise."""
    assert old in PLUGIN
    return {"tfx_broken/plugin.py": PLUGIN.replace(old, new)}


def kernel(old: str, new: str) -> dict[str, str | None]:
    assert old in KERNEL
    return {"tfx_broken/kernel.py": KERNEL.replace(old, new)}


CORES = "test_it_says_which_cores_fit"
FAULTS = {
    "the group is misspelled": Fault(
        checks(named("[tfx-core]\nbroken = tfx_broken.plugin\n")), "test_it_has_an_entry_point", "none of tfx_core"
    ),
    "the module is misspelled": Fault(
        checks(named("[tfx_core]\nbroken = tfx_brokn.plugin\n")),
        "test_its_entry_point_names",
        "no module 'tfx_brokn.plugin'",
    ),
    "the plugin is heavy": Fault(
        checks(plugin("from tfx_core import", "import torch\nfrom tfx_core import")),
        "test_its_plugin_module_is_light",
        "imports (numpy, )?torch",
    ),
    "any core fits": Fault(checks(said("tfx-core<1,>=0.1", "tfx-core")), CORES, "says no oldest version"),
    "any newer core fits": Fault(checks(said("<1,>=", ">=")), CORES, "says no version that is too new"),
    "no core is required": Fault(checks(said("Requires-Dist: tfx-core<1,>=0.1\n", "")), CORES, "tfx-core 0 times"),
    "a target is not there": Fault(
        checks(plugin("kernel:kernel", "kernel:kernl")), "test_nothing_is_wrong", "no attribute 'kernl'"
    ),
    "a target is something else": Fault(
        checks(kernel("from typing import Any\n", "from typing import Any\nOTHER = 3\n") | plugin(":kernel", ":OTHER")),
        "test_nothing_is_wrong",
        "stands for 3",
    ),
    "a hook is misspelled": Fault(
        checks(plugin("def tfx_attentions", "def tfx_attention")), "test_nothing_is_wrong", "tfx_attentions"
    ),
    "nothing is provided": Fault(checks(plugin("@hookimpl\n", "")), "test_it_provides_something", "provides nothing"),
    "there is no summary": Fault(
        checks(plugin(', summary="the usual one"', "")), "test_what_it_provides_is_described", "has no summary"
    ),
    "there is no docstring": Fault(
        checks(kernel('    """As `tfx_core.nn.eager`."""\n', "")),
        "test_its_public_classes_and_functions",
        "kernel.py: kernel",
    ),
    "a private name is imported": Fault(
        checks(kernel("from tfx_core.nn import", "from tfx_core.nn.kernels import")),
        "test_it_imports_public_names",
        r"not public: tfx_core\.nn\.kernels\.eager",
    ),
    "a name is imported that is not promised": Fault(
        checks(kernel("import eager", "import banded, eager")), "test_it_imports_what_is_promised", r"nn\.banded"
    ),
    "it is not typed": Fault(checks({"tfx_broken/py.typed": None}), "test_it_is_typed", "no file py.typed"),
    "there is no licence": Fault(
        checks(said("License-Expression: MIT\n", "")), "test_its_metadata_are_complete", "names no licence"
    ),
}
