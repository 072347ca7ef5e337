"""All that is wrong with plugins: what they name is imported and looked at, as long as that takes."""

import inspect
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import tfx_core
from tfx_core.errors import described
from tfx_core.habits.nearest import nearest
from tfx_core.plugins import official
from tfx_core.plugins.discovery import Plugin
from tfx_core.plugins.faults import Fault
from tfx_core.plugins.lightness import heavy_imports
from tfx_core.plugins.specs import ArchitectureSpec, AttentionSpec, HeadSpec, Spec, TaskSpec
from tfx_core.plugins.targets import imported

if TYPE_CHECKING:
    from tfx_core.nn import AttentionKernel

S = TypeVar("S", bound=Spec)


def faults_of(plugins: Sequence[Plugin], *, among: Sequence[Plugin]) -> list[list[Fault]]:
    """Of each plugin what is wrong with it ``among`` all; of one that cannot be used, what its status tells."""
    weighed = [plugin for plugin in plugins if plugin.usable and plugin.installed]
    heavy = dict(zip((plugin.key for plugin in weighed), heavy_imports([each.target for each in weighed]), strict=True))
    claims, capabilities, heads = _claims(among), _capabilities(among), _heads_asked_for(among)
    return [
        [
            *([plugin.fault] if plugin.fault else ()),
            *_of_the_distribution(plugin, heavy.get(plugin.key, [])),
            *(fault for spec in _specs(plugin, Spec) for fault in _of_the_target(spec, plugin)),
            *(fault for spec in _specs(plugin, ArchitectureSpec) for fault in _of_its_classes(spec, plugin, claims)),
            *(fault for spec in _specs(plugin, HeadSpec) for fault in _of_its_place(spec, capabilities, heads)),
        ]
        for plugin in plugins
    ]


def _fitting_requirement() -> str:
    """What a distribution made for this core requires."""
    major, minor = tfx_core.__version__.split(".")[:2]
    return f"tfx-core>={major}.{minor},<{int(major) + 1}"


def _of_the_distribution(plugin: Plugin, heavy: Sequence[str]) -> Iterator[Fault]:
    if not plugin.usable or not plugin.installed:
        return
    if not plugin.requires:
        what = "has metadata that do not say which tfx-core it needs, so that it is installed beside any"
        yield Fault(what, f'write dependencies = ["{_fitting_requirement()}"] into its pyproject.toml')
    if heavy:
        what = f"imports {', '.join(heavy)} while it is loaded, and every start of the command line waits for that"
        yield Fault(what, "import it in the module that a target names, or inside of the function that uses it")


def _of_the_target(spec: Spec, plugin: Plugin) -> Iterator[Fault]:
    thing = kernel_of_spec(spec, plugin) if isinstance(spec, AttentionSpec) else imported(spec, plugin)
    if isinstance(thing, Fault):
        yield thing


def kernel_of_spec(spec: AttentionSpec, plugin: Plugin) -> "AttentionKernel | Fault":
    """The kernel that a name stands for, with the arguments of its example where it takes some."""
    thing = imported(spec, plugin)
    if isinstance(thing, Fault):
        return thing
    try:
        return _kernel(spec, thing)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # its own code runs in here
        example = f"its example, {spec.example!r}, " if spec.example else ""
        return Fault(f"cannot be made: {example}raises {described(error)}", spec=_named(spec), error=error)


def _kernel(spec: AttentionSpec, thing: object) -> "AttentionKernel | Fault":
    from tfx_core.model.attentions import kernel_of, made, parsed

    if spec.example:
        name, arguments = parsed(spec.example)
        if name != spec.name or arguments is None:
            cure = f"write one such as '{spec.name}(16)'"
            return Fault(f"has the example {spec.example!r}, which does not call it", cure, _named(spec))
        assert callable(thing)
        thing = made(spec.example, spec, thing, *arguments)
    kernel = kernel_of(thing)  # type: ignore[arg-type]  # raises for what is no attention
    try:
        inspect.signature(kernel).bind(*[None] * 4, scale=1.0, dropout=0.0, observer=None)
    except ValueError:
        return kernel  # a function of C, which has no signature
    except TypeError as error:
        cure = "let it take query, key, value, bias, *, scale, dropout and observer"
        return Fault(f"cannot be called as a tfx_core.nn.AttentionKernel is: {error}", cure, _named(spec))
    return kernel


def _of_its_classes(
    spec: ArchitectureSpec, plugin: Plugin, claims: Mapping[str, Sequence[tuple[ArchitectureSpec, Plugin]]]
) -> Iterator[Fault]:
    """Class names that are another architecture's; of an official one, for it goes before others, none."""
    if official.owner(spec.kind, spec.name) == plugin.owner:
        return
    for name in spec.hf_classes:
        for other, giver in claims[name]:
            if other.name != spec.name:
                what = f"claims the class {name} of {_named(other)} of {giver.label}"
                yield Fault(what, "give it the class names of its own model", _named(spec))


def _of_its_place(spec: HeadSpec, capabilities: Sequence[str], heads: Sequence[str]) -> Iterator[Fault]:
    if spec.capability not in capabilities:
        what = f"needs the capability {spec.capability!r}, which no installed architecture has"
        yield Fault(what, f"say one of {', '.join(map(repr, capabilities))}", _named(spec))
    for head in spec.serves:
        meant = nearest(head, heads)
        if head not in heads and meant is not None:
            what = f"serves {head!r}, which no installed task asks for"
            yield Fault(what, f"did you mean {meant!r}?", _named(spec))


def _claims(plugins: Sequence[Plugin]) -> Mapping[str, Sequence[tuple[ArchitectureSpec, Plugin]]]:
    """Class name -> the architectures that say that it is theirs."""
    claims: dict[str, list[tuple[ArchitectureSpec, Plugin]]] = defaultdict(list)
    for plugin in plugins:
        for spec in _specs(plugin, ArchitectureSpec):
            for name in spec.hf_classes:
                claims[name].append((spec, plugin))
    return claims


def _capabilities(plugins: Sequence[Plugin]) -> list[str]:
    offered = (each for plugin in plugins for spec in _specs(plugin, ArchitectureSpec) for each in spec.capabilities)
    return list(dict.fromkeys(("token-states", "pooled-state", *offered)))


def _heads_asked_for(plugins: Sequence[Plugin]) -> list[str]:
    return list(dict.fromkeys(head for plugin in plugins for spec in _specs(plugin, TaskSpec) for head in spec.heads))


def _specs(plugin: Plugin, kind: type[S]) -> Iterator[S]:
    """What a plugin provides, of one kind; of ``Spec``, all."""
    return (spec for specs in plugin.specs.values() for spec in specs if isinstance(spec, kind))


def _named(spec: Spec) -> str:
    return f"{spec.kind} {spec.name!r}"
