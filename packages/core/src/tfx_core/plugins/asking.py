"""Asks one plugin its hooks and checks what it answers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from typing import get_origin

import pluggy

from tfx_core import __version__
from tfx_core.errors import PluginError
from tfx_core.plugins import hookspecs
from tfx_core.plugins.specs import KINDS, ArchitectureSpec, Spec

COMMANDS_HOOK = "tfx_commands"

_HOOKS = (*(kind.hook for kind in KINDS), COMMANDS_HOOK)
_TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


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
        raise PluginError(f"an answer does not fit its hook: {' '.join(str(error).split())}") from error
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        answers = caller.get_hookimpls()
        if not caller.has_spec() and not all(answer.optionalhook for answer in answers):
            close = get_close_matches(caller.name, _HOOKS, n=1)
            hint = f"did you mean {close[0]}?" if close else "a newer core may have it: mark it optionalhook=True"
            raise PluginError(f"it answers {caller.name}, which is no hook of tfx-core {__version__}; {hint}")
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
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin that calls sys.exit() must not end the program either
            fault = PluginError(f"its {kind.hook} raised {type(error).__name__}: {error}")
            fault.__cause__ = error
            faults.append(fault)
            continue
        # pluggy leaves out an answer of None.
        specs, wrong = _usable_specs(answers[0] if answers else None, kind)
        provided[kind] = specs
        faults += [PluginError(f"its {kind.hook} returned {fault}") for fault in wrong]
    return provided, faults


def _usable_specs(answer: object, expected: type[Spec]) -> tuple[tuple[Spec, ...], list[str]]:
    """The usable specs of an answer, and what is wrong with the rest."""
    if not isinstance(answer, list | tuple):
        return (), [f"{_in_one_line(answer)}, not a list of {expected.__name__}"]
    specs: dict[str, Spec] = {}
    wrong: list[str] = []
    for item in answer:
        if not isinstance(item, expected):
            wrong.append(f"{_in_one_line(item)} in its list of {expected.__name__}")
        elif fault := _fault(item):
            wrong.append(f"{expected.__name__} {_in_one_line(item.name)} with {fault}")
        elif item.name in specs:
            wrong.append(f"{item.name!r} twice")
        else:
            specs[item.name] = item
    return tuple(specs.values()), wrong


def _fault(spec: Spec) -> str | None:
    for field in fields(spec):
        value = getattr(spec, field.name)
        if field.type is str and not isinstance(value, str):
            return f"{field.name}={_in_one_line(value)}, which is not a string"
        if get_origin(field.type) is tuple and not (isinstance(value, tuple) and _all_strings(value)):
            return f"{field.name}={_in_one_line(value)}, which is not a tuple of strings"
        if get_origin(field.type) is Mapping and not (
            isinstance(value, Mapping) and _all_strings(value) and _all_strings(list(value.values()))
        ):
            return f"{field.name}={_in_one_line(value)}, which is not a mapping of strings to strings"
    if not spec.name or re.search(r"[:,\s]", spec.name):
        return "a name that is empty or holds ':', ',' or spaces"
    if not _TARGET.fullmatch(spec.target):
        return f"target={spec.target!r}, which is not of the form 'package.module:attribute'"
    if isinstance(spec, ArchitectureSpec):
        for class_name, head in spec.hf_classes.items():
            if head != "backbone" and head not in spec.heads:
                return f"hf_classes[{class_name!r}]={head!r}, which is not one of its heads"
    return None


def _all_strings(values: Sequence[object] | Mapping[str, object]) -> bool:
    return all(isinstance(value, str) for value in values)


def _in_one_line(value: object) -> str:
    """A value for a message that stays one line, whatever it is."""
    if value is None or isinstance(value, str | int | float | tuple):
        text = repr(value)
        return text if len(text) <= 80 else f"{text[:77]}..."
    return f"an object of type {type(value).__qualname__}"
