"""What ``attention=`` may be: a kernel, a pattern, or the name of one, perhaps with arguments."""

import ast
import inspect
import re
from collections.abc import Callable
from typing import Any, TypeAlias, cast

from tfx_core.errors import InputError, UnknownNameError, shown
from tfx_core.nn import AttentionKernel, GlobalTokens, Mask, Patterned, PlacedMask, SameText
from tfx_core.plugins import AttentionSpec, registry

AttentionChoice: TypeAlias = str | AttentionKernel | PlacedMask
"""A kernel, or the pattern that bounds the default one: itself, or as `attention_of` reads it."""

_LAYERS = {
    "lsh": "it can be measured and drawn; what a model needs for it, queries that are keys, its architecture has"
}
"""Names of what no other attention can be made, and why."""

_NAMED = re.compile(r"\s*([^()\s]+)\s*(?:\((.*)\)\s*)?", re.DOTALL)


def kernel_of(attention: AttentionChoice) -> AttentionKernel:
    """The kernel; raises what `attention_of` does, `InputError` for a pattern that is none of a text.

    `TypeError` for what is neither a kernel nor a pattern.
    """
    found = attention_of(attention) if isinstance(attention, str) else attention
    if isinstance(found, PlacedMask) and not isinstance(found, GlobalTokens | SameText):
        return Patterned(found)
    if isinstance(found, Mask):
        raise InputError(f"attention={type(found).__name__}: patterns are Window, Chunks and FirstTokens")
    if not callable(found):
        said = f"attention={shown(attention)}"
        said += "" if found is attention else f" stands for {shown(found)}, which"
        raise TypeError(f"{said} is not an attention kernel, nor a pattern or the name of one")
    return cast(AttentionKernel, found)


def called(attention: AttentionChoice | Mask) -> str:
    """What messages and tables call it."""
    return attention if isinstance(attention, str) else getattr(attention, "__name__", type(attention).__name__)


def attention_of(text: str) -> object:
    """What ``"sdpa"``, ``"window(128, 0)"`` or ``"global(64, first=1)"`` stands for: a kernel or a pattern.

    Raises `UnknownNameError` for a name that nothing installed provides, `InputError` for arguments that it does not
    take.
    """
    name, arguments = parsed(text)
    if name in _LAYERS:
        raise UnknownNameError(f"attention={shown(text)}: {_LAYERS[name]}")
    spec = registry.find(AttentionSpec, name)
    target = registry.load(AttentionSpec, name)
    if not spec.example:
        if arguments is not None:
            raise InputError(f"attention={shown(text)}: {name!r} takes no arguments; give attention={name!r}")
        return target
    if arguments is None:
        raise InputError(f"attention={shown(text)}: {name!r} takes arguments, as in {spec.example!r}")
    return made(text, spec, cast(Callable[..., object], target), *arguments)


def made(
    text: str, spec: AttentionSpec, make: Callable[..., object], given: list[Any], named: dict[str, Any]
) -> object:
    """What its target makes of the arguments."""
    try:
        inspect.signature(make).bind(*given, **named)
    except TypeError as error:
        raise InputError(
            f"attention={shown(text)}: {error}; {spec.name} takes {_parameters(make)}, as in {spec.example!r}"
        ) from None
    try:
        return make(*given, **named)
    except InputError as error:
        raise InputError(f"attention={shown(text)}: {error}") from None


def _parameters(make: Callable[..., object]) -> str:
    """Its parameters, without their types."""
    signature = inspect.signature(make)
    plain = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=signature.empty))


def parsed(text: str) -> tuple[str, tuple[list[Any], dict[str, Any]] | None]:
    """A name, and its arguments where there are brackets: literals as Python writes them, some with names."""
    found = _NAMED.fullmatch(text)
    if found is None:
        raise UnknownNameError(f"attention={shown(text)}: must be a name, or a name with arguments: 'window(128)'")
    name, inside = found.groups()
    if inside is None:
        return name, None
    try:
        call = ast.parse(f"f({inside})", mode="eval").body
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):  # text closed the bracket, and went on
            raise ValueError
        given = [ast.literal_eval(each) for each in call.args]
        return name, (given, {_name_of(each): ast.literal_eval(each.value) for each in call.keywords})
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InputError(
            f"attention={shown(text)}: cannot read the arguments; they are numbers or names with numbers, as in "
            "'window(64, dilation=2)'"
        ) from None


def _name_of(keyword: ast.keyword) -> str:
    if keyword.arg is None:  # a mapping with two stars
        raise ValueError
    return keyword.arg
