"""From a name that is not known here to ours, or to what to type instead."""

from collections.abc import Callable, Collection, Mapping
from functools import wraps
from inspect import Parameter, signature
from typing import Any, TypeVar, Unpack, get_args, get_origin

from tfx_core.errors import InputError, in_one_line, shown
from tfx_core.habits.habit import Habit, NotNeedlessError
from tfx_core.habits.nearest import nearest
from tfx_core.habits.table import PLACES

Function = TypeVar("Function", bound=Callable[..., Any])


def understands(place: str) -> Callable[[Function], Function]:
    """Let a function take the keywords of a place of the table beside its own, as `translated` makes ours of them.

    Those that neither has are a `TypeError` that says which one may be meant.
    """

    def decorate(function: Function) -> Function:
        parameters = signature(function).parameters
        further = [each.annotation for each in parameters.values() if each.kind is Parameter.VAR_KEYWORD]
        listed = [get_args(each)[0].__annotations__ for each in further if get_origin(each) is Unpack]
        named = {name for name, each in parameters.items() if each.kind is not Parameter.VAR_KEYWORD}
        known = named | {name for names in listed for name in names}
        takes_any = len(listed) < len(further)

        @wraps(function)
        def understanding(*values: Any, **keywords: Any) -> Any:
            ours = translated(place, keywords)
            strange = () if takes_any else ours.keys() - known
            if strange:
                raise TypeError(unknown(place, strange, known - {"self"}))
            return function(*values, **ours)

        return understanding  # type: ignore[return-value]

    return decorate


def translated(place: str, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of a call at a place of the table with theirs in the form of ours.

    Those that the table does not know stay as they are. Raises `TypeError` for one that has no counterpart, saying
    what to do instead, and for one beside its own translation.
    """
    ours: dict[str, Any] = {}
    for name, value in keywords.items():
        habit = row(place, f"{name}=")
        if habit is None or (habit.works and habit.becomes is None):
            meant: Mapping[str, Any] = {name: value}
        elif habit.becomes is None:
            raise TypeError(f"{place} takes no {name!r}: {habit.ours}")
        else:
            meant = _meant(place, habit, value)
        for each, its in meant.items():
            if each in ours or (each in keywords and each != name):
                raise TypeError(f"{place}: {name} and {each} are the same; give one of them")
            ours[each] = its
    return ours


def unknown(place: str, names: Collection[str], known: Collection[str], who: str | None = None) -> str:
    """What a `TypeError` says of keywords that a place does not take: what each is called, or what is there.

    ``who`` is what the message calls the place, by default its name in the table.
    """
    named = ", ".join(repr(in_one_line(name, 100)) for name in sorted(names))
    cures = [cure for name in sorted(names) if (cure := _cure(place, f"{name}=", name, known))]
    return f"{who or place} takes no {named}: " + ("; ".join(cures) or f"it takes {', '.join(sorted(known))}")


def no_attribute(place: str, name: str, known: Collection[str], who: str | None = None) -> str:
    """What an `AttributeError` says of an attribute or method that ``who``, an object of the place, lacks."""
    cure = _cure(place, name, name, known)
    return f"{who or place} has no {in_one_line(name, 100)!r}" + (f": {cure}" if cure else "")


def hint(place: str, theirs: str) -> str | None:
    """What the row of a habit says to do instead; ``None`` where there is no such row, or where it works."""
    habit = row(place, theirs)
    return None if habit is None or habit.works else habit.ours


def row(place: str, theirs: str) -> Habit | None:
    """The row of what is typed at a place."""
    return next((habit for habit in PLACES[place] if habit.theirs == theirs), None)


def _meant(place: str, habit: Habit, value: object) -> Mapping[str, Any]:
    assert habit.becomes is not None
    try:
        return habit.becomes(value)
    except NotNeedlessError:
        raise InputError(f"{place}: {habit.name}={shown(value)}: {habit.ours}") from None


def _cure(place: str, theirs: str, name: str, known: Collection[str]) -> str | None:
    said = hint(place, theirs)
    if said is not None:
        return said
    if row(place, theirs) is not None:  # it is no mistake, but nothing of this very one
        others = set()
    elif theirs.isidentifier():
        others = {each.name for each in PLACES[place] if each.works and each.theirs.isidentifier()}
    else:  # a keyword of ours is among those known, unless it is none of this very model's
        others = {each.name for each in PLACES[place] if each.becomes is not None}
    close = nearest(name, {*known, *others})
    return None if close is None else f"did you mean {close!r}?"
