"""Finds, loads and keeps the plugins of this process; one that fails takes nothing with it but itself.

Three environment variables steer it: ``TFX_PLUGINS`` names the only plugins to load, ``TFX_DISABLE_PLUGINS`` those not
to load (both comma separated, by distribution or entry-point name, and read when plugins are first needed; the core's
own and those registered at run time are always on), and ``TFX_STRICT_PLUGINS=1`` turns every problem into an error.
"""

import os
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib import invalidate_caches
from types import MappingProxyType, ModuleType, TracebackType
from typing import Self

import pluggy

import tfx_core
from tfx_core.errors import PluginError, described, in_one_line, shown, traced
from tfx_core.habits.nearest import nearest
from tfx_core.plugins import distributions, official
from tfx_core.plugins.asking import ask, attach, misnamed
from tfx_core.plugins.distributions import EntryPoint, normalise
from tfx_core.plugins.faults import Fault, uninstall, upgrade
from tfx_core.plugins.specs import Spec, TaskSpec, alias_pattern
from tfx_core.plugins.targets import cure_of, resolve

API = 1
"""The level of the plugin protocol that this core speaks; a plugin may declare its own as ``TFX_API``."""

OLDEST_API = 1
"""The oldest level that this core still understands."""

_REASON = 1_500
"""Characters of all that is told of one plugin."""


class PluginWarning(UserWarning):
    """A plugin that was left out, and why; given once for each."""


class SettingWarning(PluginWarning):
    """A name in ``TFX_PLUGINS`` or ``TFX_DISABLE_PLUGINS`` that nothing installed has; given once."""


class Status(StrEnum):
    """What became of a plugin."""

    LOADED = "loaded"
    CONFLICTING = "conflicting"
    """Loaded, but one of its names is another distribution's too, or not its to give."""
    DISABLED = "disabled"
    INCOMPATIBLE = "incompatible"
    FAILED = "failed"


@dataclass(frozen=True, eq=False)
class Plugin:
    """A plugin and what became of it."""

    name: str
    distribution: str
    """The distribution that brings it; for one registered at run time, the name it was registered under."""

    version: str = ""
    target: str = ""
    status: Status = Status.LOADED
    reason: str = ""
    """One line that says why the status is not ``loaded``."""

    cure: str = ""
    """One line on what mends it, where that is known: mostly a command."""

    error: BaseException | None = None
    requires: tuple[str, ...] = ()
    specs: Mapping[type[Spec], tuple[Spec, ...]] = field(default_factory=dict)
    """Kind -> what it provides."""

    lost: Mapping[type[Spec], tuple[Spec, ...]] = field(default_factory=dict)
    """Kind -> what a failed plugin would have provided, as far as could be learned."""

    manager: pluggy.PluginManager | None = field(default=None, repr=False)
    """Asks this plugin, and no other."""

    @property
    def owner(self) -> str:
        """Its distribution in the spelling of `tfx_core.plugins.official.owner`."""
        return normalise(self.distribution)

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from every other plugin, whatever its status."""
        return self.owner, self.name, self.target

    @property
    def usable(self) -> bool:
        """Whether its names can be looked up."""
        return self.status in (Status.LOADED, Status.CONFLICTING)

    @property
    def problem(self) -> bool:
        """Whether something is wrong with it; being disabled is not wrong."""
        return self.status in (Status.FAILED, Status.INCOMPATIBLE, Status.CONFLICTING)

    @property
    def installed(self) -> bool:
        """Whether it comes with a distribution that is not the core, and was not registered at run time."""
        return bool(self.version) and self.owner != official.CORE

    @property
    def label(self) -> str:
        """How messages name it: ``plugin 'encoders' of tfx-encoders 0.1.0``."""
        if not self.version and self.name == self.distribution:  # registered at run time
            return f"plugin {self.name!r}"
        return f"plugin {self.name!r} of {self.distribution} {self.version}".rstrip()

    @property
    def fault(self) -> Fault | None:
        """What its status tells is wrong with it."""
        verb = "failed" if self.status is Status.FAILED else f"is {self.status}"
        return Fault(f"{verb}: {self.reason}", self.cure, error=self.error) if self.problem else None

    @property
    def outcome(self) -> str:
        """One line on what became of it, to tell what is wrong."""
        fault = self.fault or Fault(f"is {self.status}: {self.reason}")
        return str(self.blamed(fault))

    def blamed(self, fault: Fault) -> Fault:
        """The fault with whose it is in its text: this plugin's, or that of a thing which the plugin provides."""
        whose = f"{fault.spec} of {self.label}" if fault.spec else self.label
        return replace(fault, what=f"{whose} {fault.what}")

    def traceback(self) -> str:
        """Where it failed; empty when nothing was raised."""
        return "" if self.error is None else traced(self.error)


class Registration:
    """A plugin registered at run time; as a context manager it unregisters at the end of the block."""

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin

    @property
    def name(self) -> str:
        """The name that stands for a distribution in listings and in ``"name:thing"``."""
        return self.plugin.name

    def unregister(self) -> None:
        """Take the plugin out again; the second time does nothing."""
        _plugins.remove(self.plugin)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unregister()


def discovered(*, strict: bool | None = None) -> tuple[Plugin, ...]:
    """All plugins of this process: the core's own, those installed, those registered at run time.

    The first call reads the installed metadata and imports the plugins. ``strict`` raises `PluginError` for the first
    one that has a problem; by default ``TFX_STRICT_PLUGINS`` decides.
    """
    strict = is_strict() if strict is None else strict
    plugins = _plugins.all(warn=not strict)
    if strict:
        for plugin in plugins:
            if plugin.problem:
                raise PluginError(plugin.outcome) from plugin.error
    return plugins


def is_strict() -> bool:
    """Whether ``TFX_STRICT_PLUGINS`` asks for errors."""
    return os.environ.get("TFX_STRICT_PLUGINS", "").strip().lower() not in ("", "0", "false", "no", "off")


def register(plugin: object, name: str | None = None) -> Registration:
    """Add a plugin (a module, an object or a class whose attributes answer hooks) to this process.

    Raises `PluginError` when it does not answer its hooks properly or its name is taken, by one of tfx's own
    distributions too. ``name`` stands in for the distribution's; by default it is the module's or the class's own.
    """
    if name is None:
        kind = plugin if isinstance(plugin, type) else type(plugin)
        name = plugin.__name__ if isinstance(plugin, ModuleType) else f"{kind.__module__}.{kind.__qualname__}"
    if fault := misnamed(name):
        raise PluginError(f"a plugin cannot be named {shown(name)}: that is {fault}")
    if normalise(name) in official.DISTRIBUTIONS:
        raise PluginError(f"a plugin cannot be named {name!r}, as a distribution of tfx is")
    draft = Plugin(name, name, target=f"{type(plugin).__name__} registered at run time")
    examined = guarded(draft, lambda: _examined(plugin, draft))
    if not examined.usable:
        raise PluginError(f"{examined.label} cannot be registered: {examined.reason}") from examined.error
    _plugins.add(examined)
    return Registration(examined)


def unregister(plugin: "str | Registration") -> None:
    """Take a plugin that was registered at run time out again, by its registration or its name."""
    if isinstance(plugin, Registration):
        plugin.unregister()
    else:
        _plugins.remove_named(plugin)


def rescan() -> None:
    """Forget what is installed, so that the next look-up finds what was installed or switched off since."""
    _plugins.forget()


class _Plugins:
    """The plugins of one process.

    Plugins are imported without holding the lock: an import takes Python's own locks, and two threads that take both
    kinds in opposite order would wait for each other for ever. Two threads that load at the same time import each
    module once all the same, and the first to finish decides.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._entries: list[EntryPoint] | None = None
        self._installed: tuple[Plugin, ...] | None = None
        self._registered: tuple[Plugin, ...] = ()
        self._all: tuple[Plugin, ...] | None = None
        self._here = threading.local()

    def all(self, *, warn: bool) -> tuple[Plugin, ...]:
        everything = self._all
        while everything is None:
            with self._lock:
                entries, installed = self._scanned(), self._installed
            fresh = self._load(entries) if installed is None else ()
            with self._lock:
                if self._entries is not entries:
                    continue  # rescan() came in between
                if self._installed is None:
                    self._installed = fresh
                else:
                    fresh = ()
                if self._all is None:
                    self._all = _with_conflicts(self._installed + self._registered)
                everything = self._all
            # after everything is in place, for a filter may turn a warning into an error
            if fresh and (unknown := _told_of_lists(fresh)):
                warnings.warn(unknown, SettingWarning, stacklevel=2)
            if warn:
                _warn_about(fresh)
        return everything

    def _scanned(self) -> list[EntryPoint]:
        if self._entries is None:
            self._entries = distributions.scan()
        return self._entries

    def _load(self, entries: Sequence[EntryPoint]) -> tuple[Plugin, ...]:
        if getattr(self._here, "loading", False):
            raise PluginError(
                "a plugin asked tfx_core what is installed while the plugins were being loaded; a plugin module may "
                "only define its answers to the hooks"
            )
        self._here.loading = True
        try:
            return (_core_plugin(), *map(_load_plugin, entries))
        finally:
            self._here.loading = False

    def add(self, plugin: Plugin) -> None:
        with self._lock:
            if any(normalise(other.name) == normalise(plugin.name) for other in self._registered):
                raise PluginError(
                    f"a plugin named {plugin.name!r} is already registered: give another name=, or take the first one "
                    f"out with tfx_core.unregister({plugin.name!r})"
                )
            self._registered += (plugin,)
            self._all = None

    def remove(self, plugin: Plugin) -> None:
        with self._lock:
            self._registered = tuple(other for other in self._registered if other is not plugin)
            self._all = None

    def remove_named(self, name: str) -> None:
        with self._lock:
            for plugin in self._registered:
                if normalise(plugin.name) == normalise(name):
                    return self.remove(plugin)
            known = ", ".join(repr(plugin.name) for plugin in self._registered) or "none"
        raise PluginError(f"no plugin named {name!r} was registered at run time (registered: {known})")

    def forget(self) -> None:
        invalidate_caches()
        with self._lock:
            self._entries = self._installed = self._all = None


def _core_plugin() -> Plugin:
    """The core's own names, which come through the same hooks as everybody's."""
    from tfx_core.plugins import builtin

    draft = Plugin("builtin", official.CORE, tfx_core.__version__, "tfx_core.plugins.builtin")
    return guarded(draft, lambda: _examined(builtin, draft))


def _load_plugin(entry: EntryPoint) -> Plugin:
    """Import one plugin and ask it what it provides; never raises."""
    draft = Plugin(entry.name, entry.distribution, entry.version, entry.target, requires=entry.requires)
    return guarded(draft, lambda: _loaded(entry, draft))


def guarded(draft: Plugin, examination: Callable[[], Plugin]) -> Plugin:
    """What became of a plugin: whatever its examination raises is its own failure, and nothing of it escapes.

    Everything that touches what a plugin wrote runs in here: its code, its objects, the text of its errors, and its
    metadata where they are interpreted. A plugin that calls ``sys.exit()`` must not end the program either.
    """
    try:
        return examination()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        cause = None
        if type(error) is PluginError:  # ours, so it can be asked
            reason, cause = in_one_line(str(error), _REASON), error.__cause__
        else:
            reason = described(error)
        origin = error if cause is None else cause
        cure = cure_of(origin, draft.target, draft.distribution)
        return replace(draft, status=Status.FAILED, reason=reason, cure=cure, error=origin)


@contextmanager
def step(what: str, so: str = "") -> Iterator[None]:
    """Say of whatever the block raises what it was that failed, and what follows from it."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError("; ".join(filter(None, (f"{what} {described(error)}", so)))) from error


def _loaded(entry: EntryPoint, draft: Plugin) -> Plugin:
    switch = _switched_off(entry)
    if switch:
        return replace(draft, status=Status.DISABLED, reason=switch)
    if entry.damage:
        raise PluginError(entry.damage)
    if normalise(entry.distribution) == official.CORE:
        raise PluginError(f"its distribution is named as the core itself, {official.CORE}")
    with step("its requirements on tfx-core cannot be read:"):
        misfit = distributions.misfit(entry, tfx_core.__version__)
    if misfit:
        return replace(draft, status=Status.INCOMPATIBLE, reason=misfit.what, cure=misfit.cure)
    with step(f"importing {entry.target} failed:"):
        try:
            plugin = resolve(entry.target)
        except ImportError as error:
            if not isinstance(error.name, str) or error.name.partition(".")[0] != tfx_core.__name__:
                raise
            reason = f"it was made for another tfx-core than the installed {tfx_core.__version__}: {described(error)}"
            cure = upgrade(official.CORE, draft.distribution)
            return replace(draft, status=Status.INCOMPATIBLE, reason=reason, cure=cure, error=error)
    return _examined(plugin, draft)


def _examined(plugin: object, draft: Plugin) -> Plugin:
    """The plugin with its answers, after a look at its API level; raises what is wrong with it."""
    with step("its TFX_API cannot be read:"):
        level: object = getattr(plugin, "TFX_API", 1)
    if type(level) is not int:
        raise PluginError(f"TFX_API must be an integer, not {shown(level)}")
    if not OLDEST_API <= level <= API:
        speaks = f"{API}" if OLDEST_API == API else f"{OLDEST_API} to {API}"
        older = official.CORE if level > API else draft.distribution
        reason = f"it speaks plugin API {shown(level)}, and tfx-core {tfx_core.__version__} speaks {speaks}"
        return replace(draft, status=Status.INCOMPATIBLE, reason=reason, cure=f"upgrade {older}: {upgrade(older)}")
    manager = attach(plugin)
    answers, faults = ask(manager)
    specs = MappingProxyType(answers)
    if faults:
        reason = in_one_line("; ".join(map(str, faults)), _REASON)
        cause = faults[0].__cause__
        error = faults[0] if cause is None else cause
        return replace(draft, status=Status.FAILED, reason=reason, error=error, lost=specs)
    return replace(draft, specs=specs, manager=manager)


def _with_conflicts(plugins: Sequence[Plugin]) -> tuple[Plugin, ...]:
    """Mark the plugins that give a name which is another's, or which another gives too."""
    clashes: dict[int, list[str]] = defaultdict(list)
    for plugin, clash in (*_same_names(plugins), *_same_aliases(plugins)):
        clashes[id(plugin)].append(clash)
    return tuple(clashing(plugin, clashes[id(plugin)]) if id(plugin) in clashes else plugin for plugin in plugins)


def clashing(plugin: Plugin, clashes: Sequence[str]) -> Plugin:
    """The plugin with what else there is that it clashes with."""
    reason = in_one_line("; ".join(filter(None, (plugin.reason, *clashes))), _REASON)
    out = uninstall(plugin.distribution) if plugin.version else f"tfx_core.unregister({plugin.name!r})"
    cure = f"say '{plugin.distribution}:…' where this one is meant, or take it out: {out}"
    return replace(plugin, status=Status.CONFLICTING, reason=reason, cure=cure)


def _same_names(plugins: Sequence[Plugin]) -> Iterator[tuple[Plugin, str]]:
    """Plugins with a name that is an official distribution's, or also another plugin's."""
    givers: dict[tuple[type[Spec], str], list[Plugin]] = defaultdict(list)
    for plugin in plugins:
        for kind, specs in plugin.specs.items():
            for spec in specs:
                givers[kind, spec.name].append(plugin)
    for (kind, name), several in givers.items():
        owner = official.owner(kind.kind, name)
        for plugin in several:
            others = [other.label for other in several if other is not plugin and owner in (None, other.owner)]
            if owner not in (None, plugin.owner):
                qualified = f"{plugin.distribution}:{name}"
                yield plugin, f"{kind.kind} {name!r} is a name of {owner}; this one is {qualified!r}"
            elif others:
                yield plugin, f"{kind.kind} {name!r} is also provided by {' and '.join(others)}"


def _same_aliases(plugins: Sequence[Plugin]) -> Iterator[tuple[Plugin, str]]:
    """Plugins with an alias of a task that stands for another task, by the rule of `tfx_core.tasks.pipeline.named`."""
    tasks = [
        (plugin, spec) for plugin in plugins for spec in plugin.specs.get(TaskSpec, ()) if isinstance(spec, TaskSpec)
    ]
    for plugin, spec in tasks:
        for alias in spec.aliases:
            own = f"alias {alias!r} of task {spec.name!r}"
            for other, task in tasks:
                if task.name == alias and task is not spec:
                    yield plugin, f"{own} is the name of a task of {other.label}, which goes before it"
                if task is spec or plugin.owner == official.CORE != other.owner:
                    continue
                if any(_overlap(alias, theirs) for theirs in task.aliases):
                    yield plugin, f"{own} stands for task {task.name!r} of {other.label} too"


def _overlap(alias: str, other: str) -> bool:
    """Whether a name stands for both; of two with braces, where one can be read as the other."""
    return any(alias_pattern(one).fullmatch(another) for one, another in ((alias, other), (other, alias)))


def _warn_about(plugins: Sequence[Plugin]) -> None:
    for plugin in plugins:
        if plugin.problem:
            message = f"{plugin.outcome} (tfx-core --debug plugins --check tells more)"
            warnings.warn(message, PluginWarning, stacklevel=2)


def unknown_in_lists(plugins: Sequence[Plugin]) -> Mapping[str, Sequence[str]]:
    """Of ``TFX_PLUGINS`` and ``TFX_DISABLE_PLUGINS`` the names that no plugin has; a list without one is left out."""
    known = {normalise(name) for plugin in plugins for name in (plugin.name, plugin.distribution)}
    unknown = {variable: sorted(_listed(variable) - known) for variable in ("TFX_PLUGINS", "TFX_DISABLE_PLUGINS")}
    return {variable: names for variable, names in unknown.items() if names}


def _told_of_lists(plugins: Sequence[Plugin]) -> str:
    """What is wrong with the names in the two lists, and what would do; empty where they are all known."""
    unknown = unknown_in_lists(plugins)
    if not unknown:
        return ""
    named = [f"{variable} names {', '.join(map(shown, names))}" for variable, names in unknown.items()]
    known = {normalise(name) for plugin in plugins for name in (plugin.name, plugin.distribution)}
    installed = sorted({normalise(plugin.distribution) for plugin in plugins} - {official.CORE})
    close = {name: nearest(name, known) for names in unknown.values() for name in names}
    meant = "".join(f"; {name}: did you mean {each}?" for name, each in close.items() if each)
    listed = ", ".join(installed) or "none"
    return f"{' and '.join(named)}: no installed plugin is called that{meant}; installed: {listed}"


def _switched_off(entry: EntryPoint) -> str:
    own = {normalise(entry.name), normalise(entry.distribution)}
    if own & _listed("TFX_DISABLE_PLUGINS"):
        return "switched off by TFX_DISABLE_PLUGINS"
    allowed = _listed("TFX_PLUGINS")
    return "not named by TFX_PLUGINS" if allowed and not own & allowed else ""


def _listed(variable: str) -> set[str]:
    return {normalise(name.strip()) for name in os.environ.get(variable, "").split(",") if name.strip()}


_plugins = _Plugins()
