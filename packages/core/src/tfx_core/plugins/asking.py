"""Asks one plugin its hooks and keeps of its answers plain values only, so that nothing of its own is met later."""

import re
from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any, get_origin

import pluggy

from tfx_core import __version__
from tfx_core.errors import PluginError, described, in_one_line, shown
from tfx_core.habits.nearest import nearest
from tfx_core.plugins import hookspecs
from tfx_core.plugins.faults import upgrade
from tfx_core.plugins.specs import KINDS, ArchitectureSpec, Spec, TaskSpec, alias_pattern

COMMANDS_HOOK = "tfx_commands"

_PREFIX = "tfx_"
"""How the name of every hook begins, which likens none to another."""

_HOOKS = (*(kind.hook for kind in KINDS), COMMANDS_HOOK)
_TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_NAME_LIMIT, _TEXT_LIMIT = 200, 500


def attach(plugin: object) -> pluggy.PluginManager:
    """A manager for this plugin alone, whose hooks reach nothing else.

    Raises `PluginError` when the plugin answers no hook, one that this core does not have, or one in a form that would
    never be called.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin)
    except pluggy.PluginValidationError as error:
        raise PluginError(f"an answer does not fit its hook: {in_one_line(str(error))}") from error
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        answers = caller.get_hookimpls()
        if not caller.has_spec() and not all(answer.optionalhook for answer in answers):
            close = nearest(caller.name.removeprefix(_PREFIX), [hook.removeprefix(_PREFIX) for hook in _HOOKS])
            newer = f"a newer core may have it: {upgrade('tfx-core')}, or mark it optionalhook=True"
            hint = f"did you mean {_PREFIX}{close}?" if close else newer
            raise PluginError(
                f"it answers {in_one_line(caller.name, 100)}, which is no hook of tfx-core {__version__}; {hint}"
            )
        if any(answer.hookwrapper or answer.wrapper for answer in answers):
            raise PluginError(
                f"its {caller.name} is a hook wrapper: each plugin answers for itself, nothing is wrapped"
            )
    answered = {caller.name for caller in callers}
    for hook in _HOOKS:
        if hook not in answered and callable(getattr(plugin, hook, None)):
            raise PluginError(f"its {hook} lacks @tfx_core.hookimpl above it, so it would never be asked")
    if not answered:
        raise PluginError("it answers no hook of tfx_core (they are described in tfx_core.plugins.hookspecs)")
    return manager


def ask(manager: pluggy.PluginManager) -> tuple[dict[type[Spec], tuple[Spec, ...]], list[PluginError]]:
    """What the plugin provides, by kind, and everything that is wrong with its answers."""
    provided: dict[type[Spec], tuple[Spec, ...]] = {}
    faults: list[PluginError] = []
    for kind in KINDS:
        hook = getattr(manager.hook, kind.hook)
        if not hook.get_hookimpls():
            continue
        try:
            answers = hook()
            # pluggy leaves out an answer of None.
            provided[kind], wrong = _usable_specs(answers[0] if answers else None, kind)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin that calls sys.exit() must not end the program either
            fault = PluginError(f"its {kind.hook} raised {described(error)}")
            fault.__cause__ = error
            faults.append(fault)
        else:
            faults += [PluginError(f"its {kind.hook} returned {each}") for each in wrong]
    return provided, faults


def misnamed(name: object) -> str | None:
    """Why nothing can be called this, for it could not be said or printed."""
    if not isinstance(name, str):
        return "a name that is no string"
    if not name or len(name) > _NAME_LIMIT or not name.isprintable() or re.search(r"[:,\s]", name):
        return f"a name that is empty or longer than {_NAME_LIMIT}, or holds ':', ',', spaces or control characters"
    return None


class _MisfitError(Exception):
    """What is wrong with a spec."""


def _usable_specs(answer: object, expected: type[Spec]) -> tuple[tuple[Spec, ...], list[str]]:
    """Plain copies of the usable specs of an answer, and what is wrong with the rest."""
    if not isinstance(answer, list | tuple):
        return (), [f"{shown(answer)}, not a list of {expected.__name__}"]
    specs: dict[str, Spec] = {}
    wrong: list[str] = []
    for item in answer:
        if not isinstance(item, expected):
            wrong.append(f"{shown(item)} in its list of {expected.__name__}")
            continue
        try:
            values: dict[str, Any] = {field.name: _plain(item, field) for field in fields(expected)}
            spec = _checked(expected(**values))
        except _MisfitError as fault:
            wrong.append(f"{expected.__name__} {shown(item.name)} with {fault}")
            continue
        if spec.name in specs:
            wrong.append(f"{spec.name!r} twice")
        else:
            specs[spec.name] = spec
    return tuple(specs.values()), wrong


def _plain(spec: Spec, field: Field[Any]) -> object:
    """The value of a field made anew out of plain strings; only what is for people to read may hold any character."""
    value = getattr(spec, field.name)
    if field.type is str:
        if not isinstance(value, str):
            raise _MisfitError(f"{field.name}={shown(value)}, which is not a string")
        text = str.__str__(value)
        return text if field.name in ("name", "target") else in_one_line(text, _TEXT_LIMIT)
    if get_origin(field.type) is tuple:
        if not isinstance(value, tuple) or not all(isinstance(each, str) for each in value):
            raise _MisfitError(f"{field.name}={shown(value)}, which is not a tuple of strings")
        return tuple(_printable(each, field) for each in value)
    assert get_origin(field.type) is Mapping
    if isinstance(value, Mapping):
        items = list(value.items())
        if all(isinstance(key, str) and isinstance(each, str) for key, each in items):
            return {_printable(key, field): _printable(each, field) for key, each in items}
    raise _MisfitError(f"{field.name}={shown(value)}, which is not a mapping of strings to strings")


def _printable(name: str, field: Field[Any]) -> str:
    name = str.__str__(name)
    if len(name) > _NAME_LIMIT or not name.isprintable():
        raise _MisfitError(
            f"{shown(name)} in its {field.name}, which is longer than {_NAME_LIMIT} or holds control characters"
        )
    return name


def _checked(spec: Spec) -> Spec:
    if fault := misnamed(spec.name):
        raise _MisfitError(fault)
    if not _TARGET.fullmatch(spec.target):
        raise _MisfitError(f"target={shown(spec.target)}, which is not of the form 'package.module:attribute'")
    for alias in spec.aliases if isinstance(spec, TaskSpec) else ():
        try:
            alias_pattern(alias)
        except re.error:
            raise _MisfitError(f"the alias {shown(alias)}, which does not name options in its braces") from None
    if isinstance(spec, ArchitectureSpec):
        for class_name, head in spec.hf_classes.items():
            if head != "backbone" and head not in spec.heads:
                raise _MisfitError(f"hf_classes[{class_name!r}]={head!r}, which is not one of its heads")
    return spec
