"""Look-up by name of everything that the core and the plugins provide; imports code only when a thing is loaded.

Which of several distributions a name stands for:

1. ``"distribution:name"`` is that distribution's, and so is a name with ``provider="distribution"`` beside it.
2. A name of tfx's own, `tfx_core.plugins.official` lists them, is the official distribution's, whether that one is
   installed or not: what a program or a stored model means does not depend on what is installed beside it. A plugin of
   anybody else that gives the name is conflicting, keeps all its other names, and is reached by rule 1.
3. Any other name is its only giver's; where several give it, `PluginError` says how to choose.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar, cast

from tfx_core.errors import InputError, PluginError, TfxError, UnknownNameError, shown
from tfx_core.fields import checked
from tfx_core.habits.nearest import nearest
from tfx_core.plugins import discovery, official
from tfx_core.plugins.discovery import Plugin, Status
from tfx_core.plugins.distributions import normalise
from tfx_core.plugins.faults import Fault
from tfx_core.plugins.specs import KINDS, ArchitectureSpec, Spec
from tfx_core.plugins.targets import imported, resolve

S = TypeVar("S", bound=Spec)
S_co = TypeVar("S_co", bound=Spec, covariant=True)


@dataclass(frozen=True)
class Registered(Generic[S_co]):
    """A spec and the distribution that provides it."""

    spec: S_co
    distribution: str
    plugin: Plugin

    @property
    def qualified(self) -> str:
        """``"distribution:name"``, which picks this one when several distributions give the name."""
        return f"{self.distribution}:{self.spec.name}"


_ByName: TypeAlias = Mapping[str, Sequence[Registered[S]]]
_Index: TypeAlias = Mapping[type[Spec], _ByName[Spec]]
_index_of: tuple[tuple[Plugin, ...], _Index] | None = None


def architectures(provider: str | None = None) -> tuple[ArchitectureSpec, ...]:
    """The installed architectures, each name once: the one that `find` gives, the first of several that it refuses."""
    names = _by_name(ArchitectureSpec)
    return tuple((_givers(provider, ArchitectureSpec, name) or entries)[0].spec for name, entries in names.items())


def specs(kind: type[S]) -> tuple[Registered[S], ...]:
    """Everything of a kind that is installed; a name that several distributions give is there once for each."""
    return tuple(entry for entries in _by_name(kind).values() for entry in entries)


def find(kind: type[S], name: str, *, provider: str | None = None) -> S:
    """The spec of a name; ``"distribution:name"``, or ``provider``, picks one distribution's.

    Raises `UnknownNameError` when nothing installed provides the name, `PluginError` when several distributions do or
    when the plugin that would have provided it failed.
    """
    return _entry(kind, name, provider).spec


def load(kind: type[Spec], name: str, *, provider: str | None = None) -> object:
    """Import what a name stands for; raises as `find` does, and `PluginError` when its code cannot be imported.

    The same where it is not what its kind has to be, `Spec.misfit`, so that callers need not look.
    """
    entry = _entry(kind, name, provider)
    thing = imported(entry.spec, entry.plugin)
    if isinstance(thing, Fault):
        raise PluginError(str(entry.plugin.blamed(thing))) from thing.error
    return thing


def giver(kind: type[S], name: str, thing: object) -> Registered[S] | None:
    """Of all who give a name, the one whose target is this very thing; ``None`` where it came from nowhere here."""
    return next((entry for entry in _by_name(kind).get(name, ()) if _is_at(entry.spec.target, thing)), None)


def spelled(entry: Registered[Spec]) -> str:
    """The shortest name that reaches an entry: its own, or where that is ambiguous or another's, the qualified one."""
    alone = _givers(None, type(entry.spec), entry.spec.name) == [entry]
    return entry.spec.name if alone else entry.qualified


def _is_at(target: str, thing: object) -> bool:
    """Whether a thing is what a target stands for; what was not imported yet is not imported for it."""
    try:
        return target.partition(":")[0] in sys.modules and resolve(target) is thing
    except KeyboardInterrupt:
        raise
    except BaseException:
        return False


def _entry(kind: type[S], name: str, provider: str | None) -> Registered[S]:
    checked(name, str, "name", InputError)
    distribution, _, bare = name.rpartition(":")
    if provider and distribution and normalise(provider) != normalise(distribution):
        raise InputError(
            f"{shown(name)} with provider={shown(provider)}: these are two distributions; leave one of them out"
        )
    distribution = distribution or provider or ""
    entries = _givers(distribution, kind, bare)
    if len(entries) == 1:
        return entries[0]
    if entries:
        raise PluginError(_ambiguous(f"{kind.kind} {shown(bare)}", entries))
    raise _missing_from(distribution, kind, bare) if distribution else _missing(kind, bare)


def _givers(distribution: str | None, kind: type[S], name: str) -> list[Registered[S]]:
    """Those whom a name stands for; more than one where it is ambiguous."""
    entries = _by_name(kind).get(name, ())
    whose = normalise(distribution) if distribution else official.owner(kind.kind, name)
    return [entry for entry in entries if whose in (None, entry.plugin.owner)]


def _by_name(kind: type[S]) -> _ByName[S]:
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of spec: it is one of {', '.join(each.__name__ for each in KINDS)}")
    return cast(_ByName[S], _index()[kind])  # plugins were asked for a kind's specs and answered with no others


def _index() -> _Index:
    """Everything by kind and name, made anew when the plugins are no longer the same."""
    global _index_of
    plugins, latest = discovery.discovered(), _index_of
    if latest is None or latest[0] is not plugins:
        index: dict[type[Spec], dict[str, list[Registered[Spec]]]] = {kind: defaultdict(list) for kind in KINDS}
        for plugin in plugins:
            for kind, provided in plugin.specs.items():
                for spec in provided:
                    index[kind][spec.name].append(Registered(spec, plugin.distribution, plugin))
        latest = _index_of = plugins, {kind: dict(entries) for kind, entries in index.items()}
    return latest[1]


def _ambiguous(what: str, entries: Sequence[Registered[Spec]]) -> str:
    givers = " and ".join(entry.plugin.label for entry in entries)
    if len({normalise(entry.distribution) for entry in entries}) > 1:
        choices = " or ".join(repr(entry.qualified) for entry in entries)
        return f"{what} is provided by {givers}: say which with {choices}, or for a stored model with provider="
    return f"{what} is provided by {givers}: switch one off with TFX_DISABLE_PLUGINS={entries[-1].plugin.name}"


def _missing_from(distribution: str, kind: type[Spec], name: str) -> TfxError:
    """Why a name is not to be had from the distribution that was asked for it."""
    present = _plugins_of(distribution)
    for plugin in present:
        if not plugin.usable:
            return _unusable(plugin, name)
    if present:
        given = [spec.name for plugin in present for spec in plugin.specs.get(kind, ())]
        offer = f"; its {kind.plural}: {', '.join(given)}" if given else f"; it provides no {kind.plural}"
        return UnknownNameError(
            f"{present[0].distribution} is installed and provides no {kind.kind} {shown(name)}{offer}"
        )
    if normalise(distribution) == official.distribution_of(kind.kind, name):
        return UnknownNameError(_to_install(kind.kind, name))
    others = [entry.distribution for entry in _by_name(kind).get(name, ())]
    hint = f"; {shown(name)} is provided by {' and '.join(others)}" if others else ""
    return UnknownNameError(f"no plugin of a distribution {shown(distribution)} is installed{hint}")


def _missing(kind: type[Spec], name: str) -> TfxError:
    """Why nothing installed provides a name, and the cure."""
    owner = official.owner(kind.kind, name)
    for plugin in discovery.discovered():  # a failed plugin may still have told what it would have provided
        if owner in (None, plugin.owner) and any(spec.name == name for spec in plugin.lost.get(kind, ())):
            return _unusable(plugin, name)
    return missing(kind.kind, name, _by_name(kind), [entry.qualified for entry in _by_name(kind).get(name, ())])


def missing(kind: str, name: str, installed: Iterable[str], others: Sequence[str] = ()) -> TfxError:
    """Why none of the ``installed`` names of a kind, or of ``"command"``, is this one, and the cure.

    ``others`` are qualified names of those who give a name that is an official distribution's.
    """
    home = official.distribution_of(kind, name)
    if home is not None:
        present = _plugins_of(home)
        for plugin in present:
            if not plugin.usable:
                return _unusable(plugin, name)
        choice = f", or say {' or '.join(map(repr, others))} for what is installed" if others else ""
        if present:
            newer = f"a newer {home} than the installed {present[0].version}: upgrade {home}"
            return UnknownNameError(f"{shown(name)} is provided by {newer}{choice}")
        return UnknownNameError(_to_install(kind, name) + choice)
    installed = sorted(installed)
    close = nearest(name, {*installed, *official.names(kind)})
    hint = "" if close is None else f"did you mean {close!r}? "
    if close is not None and close not in installed:
        hint += f"{_to_install(kind, close)}; "
    return UnknownNameError(
        f"no {kind} {shown(name)} is installed; {hint}installed: {', '.join(installed) or 'none'}{_suspects()}"
    )


def _plugins_of(distribution: str) -> list[Plugin]:
    return [plugin for plugin in discovery.discovered() if plugin.owner == normalise(distribution)]


def _unusable(plugin: Plugin, name: str) -> PluginError:
    error = PluginError(f"{shown(name)} is provided by a plugin that cannot be used: {plugin.outcome}")
    error.__cause__ = plugin.error
    return error


def _to_install(kind: str, name: str) -> str:
    """Of an official name that nothing installed provides: how to get it."""
    home = official.distribution_of(kind, name)
    return f"{shown(name)} is provided by {home}: install {home}"


def _suspects() -> str:
    """The plugins of which it is not known what they would have provided."""
    lost = [plugin.label for plugin in discovery.discovered() if plugin.status in (Status.FAILED, Status.INCOMPATIBLE)]
    if not lost:
        return ""
    return f"; it may belong to {' or '.join(lost)}, which could not be loaded (tfx-core plugins --check tells why)"
