"""What checks are: methods that a test class inherits, each said in its docstring, and left out for a reason only."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, ClassVar, TypeVar
from unittest import TestCase

import pytest

_F = TypeVar("_F", bound=Callable[..., Any])
Values = Callable[[Any], Sequence[Any]]
"""From the class that inherits a check to the values of one of its arguments."""


def each(ids: Callable[[Any], str] | None = None, **arguments: Values) -> Callable[[_F], _F]:
    """Run a check, or every check of a class, once for each value of its arguments.

    The values depend on the class that inherits it: ``@each(head=heads)`` calls ``heads`` with that class. A check with
    an argument that has no value there is none of that class.
    """

    def mark(checked: _F) -> _F:
        for one in _checks_in(checked).values() if inspect.isclass(checked) else (checked,):
            vars(one)["_each"] = arguments_of(one) | {name: (values, ids) for name, values in arguments.items()}
        return checked

    return mark


def arguments_of(check: Any) -> dict[str, tuple[Values, Callable[[Any], str] | None]]:
    """The arguments of a check that depend on the class: their values, and what each value is called."""
    found: dict[str, tuple[Values, Callable[[Any], str] | None]] = vars(check).get("_each", {})
    return found


class Checks:
    """The base of all classes of checks; a subclass of one of them, in a test file, says what is checked.

    Each method ``test_…`` is a check. A test class may leave one out, or define it anew, if it names it in
    ``exceptions`` with the reason; without one the class is a `TypeError`.
    """

    exceptions: ClassVar[Mapping[str, str]] = {}
    """Check that is left out, or that the class defines anew -> why."""

    _given: ClassVar[frozenset[str]] = frozenset()
    """The checks of this class that it did not define."""

    @classmethod
    def is_declared(cls) -> bool:
        """Whether this class says what is checked, so that its checks can run."""
        return False

    @classmethod
    @contextmanager
    def surroundings(cls) -> Iterator[None]:
        """What is registered while its checks run."""
        yield

    @classmethod
    def is_of_this(cls, check: Any) -> bool:
        """Whether a check that is inherited is one of this class."""
        return True

    @pytest.fixture(autouse=True)
    def _in_its_surroundings(self) -> Iterator[None]:
        with self.surroundings():
            yield

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if issubclass(cls, TestCase):
            raise TypeError(f"{cls.__name__} is a unittest.TestCase, where checks have no values: leave that base out")
        with cls.surroundings():
            if cls.is_declared():
                _prepare(cls)
            elif cls.__name__.startswith("Test"):  # which pytest would run
                base = next(each for each in cls.__mro__[1:] if _of_the_kit(each))
                raise TypeError(f"{cls.__name__} does not say what it checks: see help(tfx_testing.{base.__name__})")


def _checks_in(cls: type) -> dict[str, Callable[..., Any]]:
    return {name: each for name, each in vars(cls).items() if name.startswith("test_") and callable(each)}


def _definitions(cls: type) -> dict[str, list[type]]:
    """Check -> the classes that define it or leave it out, the one with the last word first.

    What `_prepare` gave a class is none: it was for the values of that class, not of one that inherits from it.
    """
    found: dict[str, list[type]] = {}
    for base in cls.__mro__:
        for name in vars(base):
            if name.startswith("test_") and name not in vars(base).get("_given", ()):
                found.setdefault(name, []).append(base)
    return found


def _refuse_unfounded(cls: type[Checks], definitions: Mapping[str, Sequence[type]]) -> None:
    """Every check that a class changes has a reason, and every reason a check."""
    stated: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        stated |= _stated(base)
    for name, (last, *_) in definitions.items():
        if _is_changed(definitions[name]) and name not in stated:
            change = "leaves out" if vars(last)[name] is None else "defines anew"
            raise TypeError(
                f"{last.__name__} {change} the check {name} without a reason: "
                f'say it in exceptions = {{"{name}": "…"}}, or take the change back'
            )
    for name in cls.exceptions:
        if not any(base is not cls for base in definitions.get(name, ())):
            raise TypeError(f"{cls.__name__}.exceptions names {name!r}, and there is no such check: remove it")


def _stated(cls: type) -> Mapping[str, str]:
    """The exceptions that a class says itself, each with a reason."""
    exceptions = vars(cls).get("exceptions", {})
    if not isinstance(exceptions, Mapping):
        raise TypeError(f'{cls.__name__}.exceptions must say why: exceptions = {{"test_…": "the reason"}}')
    for name, reason in exceptions.items():
        if not (isinstance(reason, str) and reason.strip()):
            raise TypeError(f"{cls.__name__}.exceptions gives no reason for {name!r}: say why it is left out")
    return exceptions


def _is_changed(definitions: Sequence[type]) -> bool:
    """Whether the last of several is of a class that is none of this package, which says itself what its checks are."""
    last, *others = definitions
    return bool(others) and not _of_the_kit(last)


def _of_the_kit(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


def _prepare(cls: type[Checks]) -> None:
    """Give a class that says what is checked its own form of each check that it inherits."""
    definitions = _definitions(cls)
    _refuse_unfounded(cls, definitions)
    given = {}
    for name, (last, *_) in definitions.items():
        check = vars(last)[name]
        if last is not cls:
            excepted = name in cls.exceptions and not _is_changed(definitions[name])
            given[name] = None if check is None or excepted or not cls.is_of_this(check) else _prepared(check, cls)
    for name, check in given.items():
        setattr(cls, name, check)
    cls._given = frozenset(given)


def _prepared(check: Any, cls: type[Checks]) -> Any:
    """The check as a class runs it: with its values, and with its docstring beside what failed; or ``None``."""

    @wraps(check)
    def run(*args: Any, **named: Any) -> None:
        try:
            check(*args, **named)
        except (Exception, pytest.fail.Exception) as error:
            error.add_note(f"Check {check.__name__}: {inspect.getdoc(check)}")
            raise

    prepared: Any = run
    for name, (values, ids) in arguments_of(check).items():
        found = values(cls)
        if not found:
            return None
        prepared = pytest.mark.parametrize(name, found, ids=ids or _spelled)(prepared)
    return prepared


def _spelled(value: Any) -> str | None:
    """How a value is called in the name of a test."""
    return value if isinstance(value, str) else getattr(value, "name", None)
