"""The data in a pickle, without running it.

A pickle is a program for a small stack machine. This one executes only the instructions that build plain data (numbers,
strings, tuples, lists, dicts); what a pickle imports or calls is kept as a `Global` or handed to the caller's function,
which knows a fixed set of names and calls nothing else. Python's ``pickle`` is not involved, only its disassembler.
"""

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple


class Global(NamedTuple):
    """The name of something that a pickle would import."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class UnsafePickleError(ValueError):
    """A pickle that asks for more than plain data."""


_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_NUMBERS = frozenset(("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "BINFLOAT"))
_STRINGS = frozenset(("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "BINSTRING", "SHORT_BINSTRING"))
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def read_pickle_data(
    stream: BinaryIO, call: Callable[[Global, tuple[Any, ...]], object], persistent: Callable[[object], object]
) -> object:
    """The value of the pickle at the stream's position, which is left behind it.

    ``call`` gives the value of a call from its name and arguments, ``persistent`` the value of a persistent id. Raises
    `UnsafePickleError` for any other instruction, and `ValueError` for a damaged pickle.
    """
    try:
        return _run(stream, call, persistent)
    except UnsafePickleError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, MemoryError, RecursionError) as error:
        # an instruction met a stack that no pickler leaves, or an argument that is cut short
        raise ValueError(f"the pickle is damaged: {type(error).__name__} {error}") from error


def _run(
    stream: BinaryIO, call: Callable[[Global, tuple[Any, ...]], object], persistent: Callable[[object], object]
) -> object:
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def pop_to_mark() -> list[Any]:
        at = len(stack) - 1
        while stack[at] is not _MARK:
            at -= 1
        values = stack[at + 1 :]
        del stack[at:]
        return values

    argument: Any
    for opcode, argument, _ in pickletools.genops(stream):
        name = opcode.name
        if name in _NUMBERS or name in _STRINGS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            values = stack[-_TUPLES[name] :]
            del stack[-_TUPLES[name] :]
            stack.append(tuple(values))
        else:
            match name:
                case "PROTO" | "FRAME":
                    pass
                case "STOP":
                    return stack.pop()
                case "MARK":
                    stack.append(_MARK)
                case "TUPLE":
                    stack.append(tuple(pop_to_mark()))
                case "EMPTY_LIST" | "EMPTY_SET":  # a set stays a list: to hash what a stranger nested could crash
                    stack.append([])
                case "LIST":
                    stack.append(pop_to_mark())
                case "EMPTY_DICT":
                    stack.append({})
                case "DICT":
                    stack.append(dictionary(pop_to_mark()))
                case "APPEND":
                    value = stack.pop()
                    _as_list(stack[-1]).append(value)
                case "APPENDS" | "ADDITEMS":
                    values = pop_to_mark()
                    _as_list(stack[-1]).extend(values)
                case "SETITEM":
                    pair = stack[-2:]
                    del stack[-2:]
                    _set_items(stack[-1], pair)
                case "SETITEMS":
                    pairs = pop_to_mark()
                    _set_items(stack[-1], pairs)
                case "PUT" | "BINPUT" | "LONG_BINPUT":
                    memo[argument] = stack[-1]
                case "MEMOIZE":
                    memo[len(memo)] = stack[-1]
                case "GET" | "BINGET" | "LONG_BINGET":
                    stack.append(memo[argument])
                case "GLOBAL":
                    module, _, attribute = argument.partition(" ")
                    stack.append(Global(module, attribute))
                case "STACK_GLOBAL":
                    module, attribute = stack[-2:]
                    del stack[-2:]
                    if not isinstance(module, str) or not isinstance(attribute, str):
                        raise TypeError("it imports something that has no name")
                    stack.append(Global(module, attribute))
                case "BINPERSID":
                    stack.append(persistent(stack.pop()))
                case "REDUCE" | "NEWOBJ":
                    function, arguments = stack[-2:]
                    del stack[-2:]
                    if not isinstance(function, Global) or not isinstance(arguments, tuple):
                        raise TypeError("it calls something that has no name")
                    stack.append(call(function, arguments))
                case "BUILD":
                    stack.pop()  # attributes of the object below; plain data has none
                case _:
                    raise UnsafePickleError(f"asks for the instruction {name}")
    raise ValueError("it has no end")


def dictionary(flat: list[Any]) -> dict[str | int, Any]:
    """The dict of ``[key, value, key, value, …]``."""
    target: dict[str | int, Any] = {}
    _set_items(target, flat)
    return target


def _as_list(value: object) -> list[Any]:
    if type(value) is not list:
        raise TypeError("it appends to something that is no list")
    return value


def _set_items(target: object, pairs: list[Any]) -> None:
    if type(target) is not dict or len(pairs) % 2:
        raise TypeError("it sets items of something that is no dict")
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        if not isinstance(key, (str, int)):  # also: to hash a tuple nested a million deep would crash the process
            raise TypeError("it has a dict with keys that are neither strings nor numbers")
        target[key] = value
