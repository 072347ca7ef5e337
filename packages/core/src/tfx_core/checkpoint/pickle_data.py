"""The data in a pickle, without running it.

A pickle is a program for a small stack machine. This one executes only the instructions that build plain data (numbers,
strings, tuples, lists, dicts); what a pickle imports or calls is kept as a `Global` or handed to the caller's function,
which knows a fixed set of names and calls nothing else. Python's ``pickle`` is not involved, only its disassembler.
"""

import pickletools
from collections.abc import Callable
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

from tfx_core.errors import cleaned

_MOST_INSTRUCTIONS = 1_000_000
"""Of one pickle: a second of time, 70 MB, and 25,000 tensors."""

_MOST_ARGUMENTS = 16
"""Of a call."""


class Global(NamedTuple):
    """The name of something that a pickle would import."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class UnsafePickleError(ValueError):
    """A pickle that asks for more than plain data."""


def read_pickle_data(
    stream: BinaryIO,
    call: Callable[[Global, tuple[Any, ...]], object],
    persistent: Callable[[object], object],
    *,
    most: int = _MOST_INSTRUCTIONS,
) -> object:
    """The value of the pickle at the stream's position, which is left behind it.

    ``call`` gives the value of a call from its name and arguments, ``persistent`` the value of a persistent id. No list
    reaches two calls, so that what calls copy is never more than the pickle spells out. Raises `UnsafePickleError` for
    any other instruction, and `ValueError` for a damaged pickle or one of more than ``most`` instructions.
    """
    try:
        return _Machine(call, persistent).run(stream, most)
    except UnsafePickleError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, MemoryError, RecursionError) as error:
        # an instruction met a stack that no pickler leaves, or an argument that is cut short
        raise ValueError(f"the pickle is damaged: {type(error).__name__} {cleaned(str(error), 200)}") from error


class _Machine:
    """The stack and the memo of one pickle."""

    def __init__(
        self, call: Callable[[Global, tuple[Any, ...]], object], persistent: Callable[[object], object]
    ) -> None:
        self._call = call
        self._persistent = persistent
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._given: dict[int, list[Any]] = {}  # lists that calls had, by identity

    def run(self, stream: BinaryIO, most: int) -> object:
        """Follow the instructions up to the last one; what it leaves."""
        for opcode, argument, _ in islice(pickletools.genops(stream), most):
            name = opcode.name
            if name == "STOP":
                return self._stack.pop()
            if name in _MADE_OF:
                count, make = _MADE_OF[name]
                self._stack.append(make(self._taken(count)))
            elif name in _PUT_INTO:
                count, put = _PUT_INTO[name]
                values = self._taken(count)
                put(self._stack[-1], values)
            elif name in _GIVEN:
                self._stack.append(argument)
            else:
                self._follow(name, argument)
        raise ValueError(f"it does not end within {most} instructions")

    def _follow(self, name: str, argument: Any) -> None:
        match name:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                self._stack.append(_MARK)
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self._memo[_small(argument)] = self._stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = self._stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                self._stack.append(self._memo[argument])
            case "GLOBAL":
                self._stack.append(_global(argument.split(" ", 1)))
            case "BINPERSID":
                self._stack.append(self._persistent(self._stack.pop()))
            case "REDUCE" | "NEWOBJ":
                function, arguments = self._taken(2)
                if not isinstance(function, Global) or not isinstance(arguments, tuple):
                    raise TypeError("it calls something that has no name")
                self._give(arguments)
                self._stack.append(self._call(function, arguments))
            case "BUILD":
                self._stack.pop()  # attributes of the object below; plain data has none
            case _:
                raise UnsafePickleError(f"asks for the instruction {name}")

    def _give(self, arguments: tuple[Any, ...]) -> None:
        """Note which lists a call has, and refuse one that another call had."""
        if len(arguments) > _MOST_ARGUMENTS:
            raise ValueError("it has a call with too many arguments")
        for each in arguments:
            if type(each) is list:
                if id(each) in self._given:
                    raise ValueError("it gives one list to two calls")
                self._given[id(each)] = each

    def _taken(self, count: int | None) -> list[Any]:
        """That many of the topmost values, or all behind the last mark; they leave the stack."""
        if count is not None:
            at = max(len(self._stack) - count, 0)
            values = self._stack[at:]
        else:
            at = len(self._stack) - 1
            while self._stack[at] is not _MARK:
                at -= 1
            values = self._stack[at + 1 :]
        del self._stack[at:]
        return values


def dictionary(flat: list[Any]) -> dict[str | int, Any]:
    """The dict of ``[key, value, key, value, …]``."""
    target: dict[str | int, Any] = {}
    _set_items(target, flat)
    return target


def _global(names: list[Any]) -> Global:
    module, attribute = names
    if not isinstance(module, str) or not isinstance(attribute, str):
        raise TypeError("it imports something that has no name")
    return Global(module, attribute)


def _extend(target: object, values: list[Any]) -> None:
    if type(target) is not list:
        raise TypeError("it appends to something that is no list")
    target.extend(values)


def _set_items(target: object, pairs: list[Any]) -> None:
    if type(target) is not dict or len(pairs) % 2:
        raise TypeError("it sets items of something that is no dict")
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        if not isinstance(key, (str, int)):  # also: to hash a tuple nested a million deep would crash the process
            raise TypeError("it has a dict with keys that are neither strings nor numbers")
        target[key if isinstance(key, str) else _small(key)] = value


def _small(key: int) -> int:
    """A number as a key: of larger ones any number have one hash, and a dict of those takes for ever."""
    if key.bit_length() > 60:
        raise ValueError("it has a number of more than 60 bits as a key")
    return key


_MARK = object()
_MARKED = None
"""Instead of a number of values: all behind the last mark."""
# instructions that stand for the value in them
_GIVEN = frozenset({
    "INT", "LONG", "LONG1", "BININT", "BININT1", "BININT2", "BINFLOAT",
    "UNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING",
})  # fmt: skip
# instructions that take so many of the topmost values off the stack and leave one made of them
_MADE_OF: dict[str, tuple[int | None, Callable[[list[Any]], object]]] = {
    "NONE": (0, lambda values: None),
    "NEWTRUE": (0, lambda values: True),
    "NEWFALSE": (0, lambda values: False),
    "EMPTY_TUPLE": (0, tuple),
    "TUPLE1": (1, tuple),
    "TUPLE2": (2, tuple),
    "TUPLE3": (3, tuple),
    "TUPLE": (_MARKED, tuple),
    "EMPTY_LIST": (0, list),
    "EMPTY_SET": (0, list),  # a set stays a list: to hash what a stranger nested could crash
    "LIST": (_MARKED, list),
    "EMPTY_DICT": (0, dictionary),
    "DICT": (_MARKED, dictionary),
    "STACK_GLOBAL": (2, _global),
}
# instructions that take values off the stack and put them into the value below
_PUT_INTO: dict[str, tuple[int | None, Callable[[object, list[Any]], None]]] = {
    "APPEND": (1, _extend),
    "APPENDS": (_MARKED, _extend),
    "ADDITEMS": (_MARKED, _extend),
    "SETITEM": (2, _set_items),
    "SETITEMS": (_MARKED, _set_items),
}
