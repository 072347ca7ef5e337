"""Options of a task, declared once as fields of a frozen dataclass.

The same declaration checks the keywords of a call (`read_options`) and gives ``tfx-core run`` its command-line options
(`describe_options`), so a third party's task has both by writing one class::

    @dataclass(frozen=True, kw_only=True)
    class FillMaskOptions(TaskOptions):
        top_k: Annotated[int, Between(1), Help("candidates for each mask")] = 5
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, replace
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, TypeVar, get_args, get_origin

from tfx_core.errors import InputError
from tfx_core.fields import Between, Checked, Form, Help, Size, form, forms
from tfx_core.habits import translated, unknown

OptionsT = TypeVar("OptionsT", bound="TaskOptions")

Scalar: TypeAlias = type[bool] | type[int] | type[float] | type[str]


@dataclass(frozen=True)
class Separated:
    """A note on an option of several texts: one string is all of them, with this between them."""

    by: str

    def parts(self, text: str) -> tuple[str, ...]:
        """The texts, without blanks around them; what is blank is none."""
        return tuple(part.strip() for part in text.split(self.by) if part.strip())


@dataclass(frozen=True)
class Flag:
    """A note on an option that the command line calls otherwise than its name: ``--alignments``."""

    name: str


@dataclass(frozen=True, kw_only=True)
class TaskOptions(Checked):
    """Options that every task has."""

    error: ClassVar[type[InputError]] = InputError

    batch_tokens: Annotated[
        Size | None, Help("tokens of one forward pass, padding included (default: what suits the device)")
    ] = None

    batch_size: Annotated[Size | None, Help("most rows of one forward pass, beside that (default: no bound)")] = None

    further: ClassVar[frozenset[str]] = frozenset()
    """What `replaced` takes beside the fields: options for Python only."""

    def replaced(self, **values: Any) -> Self:
        """A copy with these values, those of a call, over its own."""
        return replace(self, **values)


@dataclass(frozen=True, kw_only=True)
class LengthOptions(TaskOptions):
    """What to do with texts that are longer than the model takes."""

    truncation: Annotated[bool, Help("cut texts that are longer than the model takes, instead of refusing them")] = (
        False
    )
    max_length: Annotated[Size | None, Help("cut texts to this many tokens")] = None


@dataclass(frozen=True)
class OptionDescription:
    """What a field of an options class says: enough to build a command-line option."""

    name: str
    flag: str
    """What the command line calls it."""
    scalar: Scalar
    choices: tuple[str, ...]
    """The allowed strings of a ``Literal``; empty when any value of ``scalar`` is allowed."""
    switch: bool
    """Whether True and False are values beside those strings."""
    many: bool
    """Whether the value is a tuple of such scalars; one of them alone stands for a tuple of one."""
    separated: Separated | None
    """How one string is all of them, where it can be."""
    optional: bool
    """Whether None is a value."""
    default: object
    help: str
    bounds: Between | None


def describe_options(options_type: type[TaskOptions]) -> tuple[OptionDescription, ...]:
    """The options that ``options_type`` declares, its own before those that it inherits."""
    inherited = {each.name for base in options_type.__bases__ if issubclass(base, TaskOptions) for each in fields(base)}
    forms_of = forms(options_type)
    ordered = sorted((each for each in fields(options_type) if each.init), key=lambda each: each.name in inherited)
    return tuple(_described(each, forms_of[each.name], f"{options_type.__name__}.{each.name}") for each in ordered)


def read_options(base: OptionsT, values: Mapping[str, object], owner: str) -> OptionsT:
    """``base`` with ``values`` in place of its own: `TypeError` for a name it lacks, `InputError` for a bad value.

    Options that transformers' pipelines take are understood as `tfx_core.habits` says.
    """
    if not values:
        return base
    described = {each.name: each for each in describe_options(type(base))}
    known = described.keys() | base.further
    translation = translated("pipeline(…)", {name: value for name, value in values.items() if name not in known})
    both = sorted(translation.keys() & values.keys() & known)
    if both:
        raise TypeError(f"{owner}: {both[0]} is there twice, by its own name and by another; give one of them")
    values = {**{name: value for name, value in values.items() if name in known}, **translation}
    missing = [name for name in values if name not in known]
    if missing:
        raise TypeError(unknown("pipeline(…)", missing, known, owner))
    many = {name: each.separated for name, each in described.items() if each.many}
    given: dict[str, Any] = {
        name: _listed(value, many[name]) if name in many and value is not None else value
        for name, value in values.items()
    }
    try:
        return base.replaced(**given)
    except InputError as error:
        raise InputError(f"{owner}: {error}") from None


def _listed(value: object, separated: Separated | None) -> tuple[object, ...]:
    if separated is not None and isinstance(value, str):
        return separated.parts(value)
    return (value,) if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)


def _described(each: "Field[Any]", whole: Form, where: str) -> OptionDescription:
    """Read ``T`` or ``tuple[T, ...]``, with or without None; T is a scalar, a ``Literal`` of strings or both."""
    if each.default is MISSING:
        raise TypeError(f"{where}: an option needs a default")
    item, many = _item(whole)
    switch = len(item.kinds) == 2 and bool in item.kinds
    kinds = [kind for kind in item.kinds if not (switch and kind is bool)]
    choices = get_args(kinds[0]) if get_origin(kinds[0]) is Literal else ()
    scalar = next((scalar for scalar in (bool, int, float, str) if kinds[0] is scalar), str if choices else None)
    of_strings = all(isinstance(choice, str) for choice in choices)
    if scalar is None or not of_strings or len(kinds) > 1 or (switch and not choices):
        kind = " | ".join(map(str, whole.kinds))
        raise TypeError(f"{where}: an option is a bool, int, float, str or Literal of strings, not {kind}")
    bounds = next((bound for bound in (*whole.bounds, *item.bounds) if isinstance(bound, Between)), None)
    separated = next((note for note in whole.notes if isinstance(note, Separated)), None)
    flags = (note.name for note in whole.notes if isinstance(note, Flag))
    flag = next(flags, f"--{each.name.replace('_', '-')}")
    return OptionDescription(
        each.name, flag, scalar, choices, switch, many, separated, whole.optional, each.default, whole.help, bounds
    )


def _item(whole: Form) -> tuple[Form, bool]:
    """The form of what a list holds, and that it is one; a type or a list of it is a list, too."""
    listed = whole.kinds[-1]
    if get_origin(listed) is Sequence or get_args(listed)[1:] == (...,):
        item = get_args(listed)[0]
        if whole.kinds[:-1] in ((), (item,)):
            return form(item), True
    return whole, False
