"""From the name of a task and a model to something to call."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast

from tfx_core.errors import InputError, PluginError, UnknownNameError, shown
from tfx_core.habits import hint, nearest, understands
from tfx_core.habits.telling import row
from tfx_core.plugins import TaskSpec, registry
from tfx_core.plugins.specs import alias_pattern
from tfx_core.tasks.base import Task, serves
from tfx_core.tasks.options import describe_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from tfx_core.checkpoint import Folder, HubOptions
    from tfx_core.model.attentions import AttentionChoice
    from tfx_core.model.model import Model
    from tfx_core.text import Tokenizer


@understands("pipeline")
def pipeline(
    task: str | None = None,
    model: "str | Path | Model | None" = None,
    *,
    tokenizer: "str | Path | Tokenizer | None" = None,
    device: "str | torch.device | None" = None,
    dtype: "str | torch.dtype | None" = None,
    attention: "AttentionChoice | None" = None,
    frozen: bool | None = None,
    revision: str | None = None,
    provider: str | None = None,
    model_kwargs: "Mapping[str, Any] | None" = None,
    **options: object,
) -> Task[Any, Any, Any]:
    """A task by its name, ready to call with a list of inputs; ``options`` become its defaults.

    Without a name it is the one task that the model's head serves. ``model`` is a folder, a hub id, or a model that is
    loaded already, which needs a ``tokenizer``; ``model_kwargs``, and what `tfx_core.load_model` understands of
    transformers' keywords, go to `tfx_core.load_model`. Raises `UnknownNameError` naming the installed tasks,
    `InputError` where no model is given or a head serves several tasks, and what loading raises.
    """
    if model is None:
        if task is not None:
            load_task(named(task)[0])  # a mistyped name of a task is the first thing to mend
        raise InputError(f"pipeline({shown(task)}): {hint('pipeline', 'pipeline(task)')}")
    from tfx_core.checkpoint import taken_hub_options

    hub = taken_hub_options({"revision": revision, **options, **(model_kwargs or {})})
    name, stated = (task_for(model, provider, **hub), {}) if task is None else named(task)
    chosen = load_task(name)
    own = {*(each.name for each in describe_options(chosen.options_type)), *chosen.options_type.further}
    loading = {key: options.pop(key) for key in [*options] if key not in own and row("load_model", f"{key}=")}
    told: dict[str, Any] = {} if frozen is None else {"frozen": frozen}  # a `load` of a task's own may not know it
    return chosen.load(
        model,
        tokenizer=tokenizer,
        device=device,
        dtype=dtype,
        attention=attention,
        revision=revision,
        provider=provider,
        model_kwargs={**loading, **(model_kwargs or {})},
        **{**told, **stated, **options},
    )


def load_task(name: str) -> type[Task[Any, Any, Any]]:
    """The class that a task's name stands for; raises as `tfx_core.plugins.registry.load` does."""
    return cast(type[Task[Any, Any, Any]], registry.load(TaskSpec, name))


def named(name: object) -> tuple[str, dict[str, str]]:
    """The task that a name or an alias stands for, and the options that an alias states.

    A name goes before all aliases, and the core's aliases before others. Raises `PluginError` where an alias is given
    to several tasks, and `UnknownNameError` for a task of transformers that is none here, and for a mistyped alias.
    """
    if not isinstance(name, str):
        raise InputError(f"{shown(name)} is no name of a task")
    entries = registry.specs(TaskSpec)
    if name in {entry.spec.name for entry in entries}:
        return name, {}
    found = [
        (entry.plugin.distribution == "tfx-core", registry.spelled(entry), match.groupdict())
        for entry in entries
        for alias in entry.spec.aliases
        if (match := alias_pattern(alias).fullmatch(name)) is not None
    ]
    found = [each for each in found if each[0]] or found
    if len(found) > 1:
        raise PluginError(f"{shown(name)} stands for {' and for '.join(each[1] for each in found)}: say which")
    if found:
        return found[0][1:]
    cure = _cure(name, entries)
    if cure is not None:
        raise UnknownNameError(f"no task {shown(name)}: {cure}")
    return name, {}


def _cure(name: str, entries: "Sequence[registry.Registered[TaskSpec]]") -> str | None:
    """What to say of a name that is no task's and no alias, where it is theirs or close to an alias."""
    aliases = {alias for entry in entries for alias in entry.spec.aliases}
    close = nearest(name, {*aliases, *(entry.spec.name for entry in entries)})
    return hint("pipeline", f'"{name}"') or (f"did you mean {close!r}?" if close in aliases else None)


def task_for(model: "str | Path | Model", provider: str | None = None, **hub: "Unpack[HubOptions]") -> str:
    """The one task that a model's head serves; `InputError` where there are several, or none."""
    head = _stored_head(model, provider, **hub) if isinstance(model, str | Path) else model.head_name
    serving = [entry for entry in registry.specs(TaskSpec) if serves(head, entry.spec.heads)]
    names = {entry.spec.name for entry in serving}
    found = [registry.spelled(entry) for entry in serving if names.isdisjoint(entry.spec.yields_to)]
    if len(found) > 1:
        choice = f"serves {', '.join(found)}; say which: pipeline({found[0]!r}, model)"
        raise InputError(f"pipeline: the model's head, {head!r}, {choice}")
    if not found:
        raise InputError(f"pipeline: the model's head, {head!r}, serves no task")
    return found[0]


def _stored_head(model: "str | Path", provider: str | None, **hub: "Unpack[HubOptions]") -> str:
    from tfx_core.checkpoint import read_whole
    from tfx_core.model.loading import read_config, stored_head

    def read(folder: "Folder") -> str:
        return stored_head(*read_config(folder, provider), folder) or "backbone"

    return read_whole(model, read, **hub)
