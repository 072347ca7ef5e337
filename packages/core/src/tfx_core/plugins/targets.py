"""From what a spec names to the thing itself: imported, and held against what its kind has to be."""

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

import tfx_core
from tfx_core.errors import described
from tfx_core.plugins.faults import Fault, install, reinstall, upgrade
from tfx_core.plugins.specs import Spec

if TYPE_CHECKING:
    from tfx_core.plugins.discovery import Plugin


def resolve(target: str) -> object:
    """Import what a target, ``"package.module"`` or ``"package.module:attribute"``, stands for."""
    module, _, path = target.partition(":")
    thing: object = import_module(module)
    for attribute in path.split(".") if path else ():
        thing = getattr(thing, attribute)
    return thing


def imported(spec: Spec, plugin: "Plugin") -> object:
    """What a spec of a plugin stands for; a `Fault` where it cannot be imported or is not what its kind has to be."""
    named = f"{spec.kind} {spec.name!r}"
    try:
        thing = resolve(spec.target)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module that calls sys.exit() must not end the program
        what = f"could not be imported from {spec.target!r}: {described(error)}"
        cure = cure_of(error, spec.target, plugin.distribution) or (
            "define it there, or correct the target" if type(error) is AttributeError else ""
        )
        return Fault(what, cure, named, error)
    try:
        misfit = spec.misfit(thing)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Fault(f"stands for what cannot be asked what it is: {described(error)}", spec=named, error=error)
    return thing if misfit is None else replace(misfit, spec=named)


def cure_of(error: BaseException, target: str, distribution: str) -> str:
    """What to do about an error that importing a target raised; empty where only its author can tell."""
    if type(error) not in (ImportError, ModuleNotFoundError):  # of a subclass nothing is asked
        return ""
    name: object = getattr(error, "name", None)
    if type(name) is not str:
        return ""
    if name.partition(".")[0] == tfx_core.__name__:
        return f"it was made for another tfx-core: {upgrade('tfx-core', distribution)}"
    if type(error) is ImportError:
        return ""
    if f"{target.partition(':')[0]}.".startswith(f"{name}."):
        return "write that module, or correct the name; where it was lost, " + reinstall(distribution)
    return f"install what brings it, or all that {distribution} requires: {install(distribution)}"
