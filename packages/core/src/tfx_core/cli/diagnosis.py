"""What is wrong with an installation, and the command that mends it; reads metadata and settings, imports no torch."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import metadata

import tfx_core
from tfx_core.errors import described, in_one_line, shown
from tfx_core.habits import nearest
from tfx_core.plugins import official
from tfx_core.plugins.discovery import Plugin, Status, unknown_in_lists
from tfx_core.plugins.distributions import installed_version, name_of, normalise
from tfx_core.plugins.faults import Fault, install, reinstall, switch_off, upgrade

SETTINGS: Mapping[str, str] = {
    "TFX_PLUGINS": "the only plugins that are loaded",
    "TFX_DISABLE_PLUGINS": "plugins that are not loaded",
    "TFX_STRICT_PLUGINS": "whether anything wrong with a plugin is an error",
    "HF_HOME": "the folder that keeps what was downloaded",
    "HF_HUB_CACHE": "the folder that keeps models that were downloaded",
    "HF_HUB_OFFLINE": "whether nothing is downloaded",
    "OMP_NUM_THREADS": "how many processors compute",
    "CUDA_VISIBLE_DEVICES": "which GPUs are seen",
}
"""Variables of the environment that matter here, and what each says."""

_OURS = [name for name in SETTINGS if name.startswith("TFX_")]


def settings() -> dict[str, str]:
    """Those that are set."""
    return {name: os.environ[name] for name in SETTINGS if name in os.environ}


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions_of_ours(plugins: Sequence[Plugin]) -> dict[str, str]:
    """The version of the core that runs, and of each other distribution of ours that is installed."""
    return {plugin.owner: plugin.version for plugin in plugins if plugin.owner in official.DISTRIBUTIONS}


def wrong_with_plugins(plugins: Sequence[Plugin]) -> Iterator[Fault]:
    """What their status tells."""
    for plugin in plugins:
        if plugin.fault:
            without = f"{upgrade(plugin.distribution)}, or leave it alone: {switch_off(plugin.name)}"
            yield replace(plugin.blamed(plugin.fault), cure=plugin.cure or without)


def wrong_with_versions(plugins: Sequence[Plugin]) -> Iterator[Fault]:
    """Requirements of the core and of the plugins' distributions that are not met, but for those on the core.

    Whether a plugin fits the core is what its status tells.
    """
    recorded = installed_version(official.CORE)
    if recorded not in (None, tfx_core.__version__):
        what = f"tfx-core {tfx_core.__version__} is imported, and the metadata installed with it say {recorded}"
        yield Fault(what, reinstall(official.CORE))
    names = {official.CORE: official.CORE, **{each.owner: each.distribution for each in plugins if each.installed}}
    for name in names.values():
        try:
            yield from _unmet(name)
        except Exception as error:  # damaged metadata raise anything, and requirements that cannot be read
            yield Fault(
                f"the requirements of {in_one_line(name, 200)} cannot be read: {described(error)}", reinstall(name)
            )


def wrong_with_entry_points() -> Iterator[Fault]:
    """Distributions of which nobody can read the entry points, and so nobody those of all."""
    for distribution in metadata.distributions():
        try:
            distribution.entry_points  # noqa: B018, which are read
        except Exception as error:  # a damaged file can raise anything out of importlib.metadata
            name = name_of(distribution)
            what = f"the entry points of {name} cannot be read: {described(error)}; torch is stopped by that, too"
            yield Fault(what, reinstall(name))


def _unmet(name: str) -> Iterator[Fault]:
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires(name) or ()
    except metadata.PackageNotFoundError:  # run from its sources
        return
    for line in lines:
        needed = Requirement(line)
        if normalise(needed.name) == official.CORE:
            continue
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        version = installed_version(needed.name)
        if version is None:
            yield Fault(f"{name} needs {in_one_line(line, 200)}, which is not installed", install(line))
        elif not needed.specifier.contains(version, prereleases=True):
            yield Fault(f"{name} needs {in_one_line(line, 200)}, and {version} is installed", install(line))


def wrong_with_settings(plugins: Sequence[Plugin]) -> Iterator[Fault]:
    """Variables of the environment that cannot mean what they say."""
    for name, unknown in unknown_in_lists(plugins).items():
        yield Fault(f"{name} names {', '.join(map(shown, unknown))}, which no plugin is called", f"unset {name}")
    for name in sorted(os.environ):
        meant = nearest(name, _OURS) if name.startswith("TFX") and name not in _OURS else None
        if meant is not None:
            yield Fault(f"{in_one_line(name, 100)} is no setting of tfx; {meant} is", f"unset {in_one_line(name, 100)}")
    for name in ("HF_HOME", "HF_HUB_CACHE"):
        folder = os.path.expanduser(os.environ.get(name, ""))
        if folder and os.path.exists(folder) and not (os.path.isdir(folder) and os.access(folder, os.W_OK)):
            yield Fault(f"{name}={shown(folder)}: nothing can be written there", f"unset {name}")
    threads = os.environ.get("OMP_NUM_THREADS")
    if threads is not None and _first_number(threads) < 1:
        yield Fault(f"OMP_NUM_THREADS={shown(threads)}: must be a number of at least 1", "unset OMP_NUM_THREADS")


def advice(plugins: Sequence[Plugin]) -> Iterator[Fault]:
    """What is as somebody may want it, and costs something."""
    ours = versions_of_ours(plugins)
    newest = max(ours.values(), key=_release)
    older = [name for name, version in ours.items() if _release(version) < _release(newest)]
    if older:
        listed = ", ".join(f"{name} {version}" for name, version in ours.items())
        yield Fault(f"distributions of tfx are released together, and these differ: {listed}", upgrade(*older))
    for plugin in plugins:
        if plugin.status is Status.DISABLED:
            variable = "TFX_DISABLE_PLUGINS" if "TFX_DISABLE_PLUGINS" in plugin.reason else "TFX_PLUGINS"
            yield Fault(f"{plugin.label} is {plugin.reason}", f"unset {variable}")
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        what = "HF_HUB_OFFLINE: a model that was not downloaded before cannot be loaded by its hub id"
        yield Fault(what, "unset HF_HUB_OFFLINE")
    threads, there = _first_number(os.environ.get("OMP_NUM_THREADS", "")), processors()
    if 0 < threads != there:
        what = f"OMP_NUM_THREADS={threads}: this process may use {there} processor{'s' if there > 1 else ''}"
        yield Fault(what, "unset OMP_NUM_THREADS")


def _first_number(text: str) -> int:
    """The first of numbers with commas between them, as OpenMP reads them; 0 where there is none."""
    first = text.partition(",")[0].strip()
    return int(first) if first.isdecimal() and len(first) < 10 else 0


def _release(version: str) -> tuple[int, ...]:
    """The numbers at the beginning of a version, to compare."""
    numbers = []
    for part in version.split("."):
        if not part.isdecimal() or len(part) > 9:
            break
        numbers.append(int(part))
    return tuple(numbers)
