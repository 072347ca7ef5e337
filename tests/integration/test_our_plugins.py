"""Each family is a plugin as anybody's: the kit's checks of a distribution."""

from pathlib import Path

from tfx_testing import PluginChecks

_ROOT = Path(__file__).parents[2]
_TOGETHER = {"test_it_imports_what_is_promised": "it is released together with the core"}

for _plugin in sorted(_ROOT.glob("packages/*/src/*/plugin.py")):
    _name = _plugin.parent.name.replace("_", "-")
    _class = f"Test{_name.removeprefix('tfx-').capitalize()}"
    globals()[_class] = type(
        _class, (PluginChecks,), {"distribution": _name, "exceptions": _TOGETHER, "__module__": __name__}
    )
