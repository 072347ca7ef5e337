"""Look-up by name of everything that the core and the plugins provide; imports code only when a thing is loaded."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Generic, Literal, TypeAlias, TypeVar, overload

from tfx_core.errors import PluginError, TfxError, UnknownNameError
from tfx_core.plugins import discovery, official
from tfx_core.plugins.asking import KINDS
from tfx_core.plugins.discovery import Plugin, Status
from tfx_core.plugins.distributions import normalise
from tfx_core.plugins.specs import (
    ArchitectureSpec,
    AttentionSpec,
    HeadSpec,
    IndexSpec,
    LinearSpec,
    ObjectiveSpec,
    Spec,
    TaskSpec,
)

KindName: TypeAlias = Literal["architecture", "head", "attention", "linear", "task", "objective", "index"]

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


_Index: TypeAlias = Mapping[str, Mapping[str, Sequence[Registered[Spec]]]]
_index_of: tuple[tuple[Plugin, ...], _Index] | None = None


def architectures() -> tuple[ArchitectureSpec, ...]:
    """The installed architectures."""
    return tuple(entry.spec for entry in specs("architecture"))


@overload
def specs(kind: Literal["architecture"]) -> tuple[Registered[ArchitectureSpec], ...]: ...
@overload
def specs(kind: Literal["head"]) -> tuple[Registered[HeadSpec], ...]: ...
@overload
def specs(kind: Literal["attention"]) -> tuple[Registered[AttentionSpec], ...]: ...
@overload
def specs(kind: Literal["linear"]) -> tuple[Registered[LinearSpec], ...]: ...
@overload
def specs(kind: Literal["task"]) -> tuple[Registered[TaskSpec], ...]: ...
@overload
def specs(kind: Literal["objective"]) -> tuple[Registered[ObjectiveSpec], ...]: ...
@overload
def specs(kind: Literal["index"]) -> tuple[Registered[IndexSpec], ...]: ...
@overload
def specs(kind: KindName) -> tuple[Registered[Spec], ...]: ...


def specs(kind: KindName) -> tuple[Registered[Spec], ...]:
    """Everything of a kind that is installed; a name that several distributions give is there once for each."""
    return tuple(entry for entries in _index()[_known(kind)].values() for entry in entries)


@overload
def find(kind: Literal["architecture"], name: str) -> ArchitectureSpec: ...
@overload
def find(kind: Literal["head"], name: str) -> HeadSpec: ...
@overload
def find(kind: Literal["attention"], name: str) -> AttentionSpec: ...
@overload
def find(kind: Literal["linear"], name: str) -> LinearSpec: ...
@overload
def find(kind: Literal["task"], name: str) -> TaskSpec: ...
@overload
def find(kind: Literal["objective"], name: str) -> ObjectiveSpec: ...
@overload
def find(kind: Literal["index"], name: str) -> IndexSpec: ...
@overload
def find(kind: KindName, name: str) -> Spec: ...


def find(kind: KindName, name: str) -> Spec:
    """The spec of a name; ``"distribution:name"`` picks one distribution's.

    Raises `UnknownNameError` when nothing installed provides the name, `PluginError` when several distributions do or
    when the plugin that would have provided it failed.
    """
    return _entry(kind, name).spec


def load(kind: KindName, name: str) -> object:
    """Import what a name stands for; raises as `find` does, and `PluginError` when its code cannot be imported."""
    entry = _entry(kind, name)
    target = entry.spec.target
    try:
        return discovery.resolve(target)
    except Exception as error:
        raise PluginError(
            f"{kind} {entry.spec.name!r} of {entry.plugin.label} could not be imported from {target!r}: "
            f"{type(error).__name__}: {error}"
        ) from error


def architecture_for_class(class_name: str) -> tuple[ArchitectureSpec, str]:
    """The architecture and head for a class name from ``architectures`` in ``config.json``; raises as `find` does."""
    entries = [entry for entry in specs("architecture") if class_name in entry.spec.hf_classes]
    if len(entries) == 1:
        return entries[0].spec, entries[0].spec.hf_classes[class_name]
    if entries:
        raise PluginError(_ambiguous(f"class {class_name!r}", entries))
    for plugin in discovery.discovered():
        lost = [spec for spec in plugin.lost.get("architecture", ()) if isinstance(spec, ArchitectureSpec)]
        if any(class_name in spec.hf_classes for spec in lost):
            raise _unusable(plugin, f"class {class_name!r}")
    model_type = official.architecture_of_class(class_name)
    if model_type is not None and model_type not in _index()["architecture"]:
        raise missing("architecture", model_type, f"class {class_name!r} (model type {model_type!r})")
    known = [known_class for entry in specs("architecture") for known_class in entry.spec.hf_classes]
    close = get_close_matches(class_name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "tfx-core architectures --json lists those that are known"
    raise UnknownNameError(f"no installed architecture has a class {class_name!r}; {hint}{_suspects()}")


def _entry(kind: KindName, name: str) -> Registered[Spec]:
    distribution, _, bare = name.rpartition(":")
    entries = _index()[_known(kind)].get(bare, ())
    if distribution:
        entries = [entry for entry in entries if normalise(entry.distribution) == normalise(distribution)]
    if len(entries) == 1:
        return entries[0]
    if entries:
        raise PluginError(_ambiguous(f"{kind} {bare!r}", entries))
    raise _missing_from(distribution, kind, bare) if distribution else missing(kind, bare)


def _index() -> _Index:
    global _index_of
    current = discovery.discovered()
    known = _index_of
    if known is None or known[0] is not current:
        index: dict[str, dict[str, list[Registered[Spec]]]] = {kind: defaultdict(list) for kind in KINDS}
        for plugin in current:
            for kind, provided in plugin.specs.items():
                for spec in provided:
                    index[kind][spec.name].append(Registered(spec, plugin.distribution, plugin))
        known = _index_of = current, {kind: dict(entries) for kind, entries in index.items()}
    return known[1]


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"there is no kind of thing called {kind!r}: it is one of {', '.join(KINDS)}")
    return kind


def _ambiguous(what: str, entries: Sequence[Registered[Spec]]) -> str:
    givers = " and ".join(entry.plugin.label for entry in entries)
    if len({normalise(entry.distribution) for entry in entries}) > 1:
        choices = " or ".join(repr(entry.qualified) for entry in entries)
        return f"{what} is provided by {givers}: say which with {choices}"
    return f"{what} is provided by {givers}: switch one off with TFX_DISABLE_PLUGINS={entries[-1].plugin.name}"


def _missing_from(distribution: str, kind: str, name: str) -> TfxError:
    """Why a name is not to be had from the distribution that was asked for it."""
    present = _plugins_of(distribution)
    for plugin in present:
        if not plugin.usable:
            return _unusable(plugin, repr(name))
    if present:
        given = [spec.name for plugin in present for spec in plugin.specs.get(kind, ())]
        offer = f"; its {KINDS[kind].plural}: {', '.join(given)}" if given else f"; it provides no {KINDS[kind].plural}"
        return UnknownNameError(f"{present[0].distribution} is installed and provides no {kind} {name!r}{offer}")
    if normalise(distribution) == official.distribution_of(kind, name):
        return UnknownNameError(_to_install(repr(name), normalise(distribution)))
    others = [entry.distribution for entry in _index()[kind].get(name, ())]
    hint = f"; {name!r} is provided by {' and '.join(others)}" if others else ""
    return UnknownNameError(f"no plugin of a distribution {distribution!r} is installed{hint}")


def missing(kind: str, name: str, asked: str = "", installed: Iterable[str] | None = None) -> TfxError:
    """The error that tells why nothing installed provides a name, and the cure.

    ``asked`` is what the user asked for when that is not the name; ``installed`` the names to choose from when the kind
    is not one that `find` knows.
    """
    asked = asked or repr(name)
    for plugin in discovery.discovered():  # a failed plugin may still have told what it would have provided
        if any(spec.name == name for spec in plugin.lost.get(kind, ())):
            return _unusable(plugin, asked)
    home = official.distribution_of(kind, name)
    if home is not None:
        present = _plugins_of(home)
        for plugin in present:
            if not plugin.usable:
                return _unusable(plugin, asked)
        if present:
            newer = f"a newer {home} than the installed {present[0].version}: pip install --upgrade {home}"
            return UnknownNameError(f"{asked} is provided by {newer}")
        return UnknownNameError(_to_install(asked, home))
    installed = sorted(_index()[kind] if installed is None else installed)
    close = get_close_matches(name, {*installed, *official.names(kind)}, n=1)
    where = f" of {official.distribution_of(kind, close[0])}" if close and close[0] not in installed else ""
    hint = f"did you mean {close[0]!r}{where}? " if close else ""
    return UnknownNameError(
        f"no {kind} {asked} is installed; {hint}installed: {', '.join(installed) or 'none'}{_suspects()}"
    )


def _plugins_of(distribution: str) -> list[Plugin]:
    return [plugin for plugin in discovery.discovered() if normalise(plugin.distribution) == normalise(distribution)]


def _unusable(plugin: Plugin, asked: str) -> PluginError:
    error = PluginError(f"{asked} is provided by a plugin that cannot be used: {plugin.outcome}")
    error.__cause__ = plugin.error
    return error


def _to_install(asked: str, distribution: str) -> str:
    return f"{asked} is provided by {distribution}: pip install {distribution}"


def _suspects() -> str:
    """The plugins of which it is not known what they would have provided."""
    lost = [plugin.label for plugin in discovery.discovered() if plugin.status in (Status.FAILED, Status.INCOMPATIBLE)]
    if not lost:
        return ""
    return f"; it may belong to {' or '.join(lost)}, which could not be loaded (tfx-core plugins --check tells why)"
