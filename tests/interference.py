"""A reader at every moment of a save, a save at every moment of a reader, and a save that is killed at any of them."""

import io
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

WRITING = ((os, "mkdir"), (os, "open"), (os, "fsync"), (os, "rename"), (os, "replace"), (os, "unlink"), (os, "rmdir"))
READING = ((os, "stat"), (io, "open"))

_KILLED = 9


@contextmanager
def before_each(calls: tuple[tuple[Any, str], ...], act: Callable[[int], None]) -> Iterator[None]:
    """``act`` comes before each of these calls and is told its number; its own calls do not count."""
    number = 0
    acting = False

    def wrapped(call: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*arguments: object, **options: object) -> object:
            nonlocal number, acting
            if not acting:
                acting = True
                try:
                    act(number)
                finally:
                    acting = False
                number += 1
            return call(*arguments, **options)

        return wrapper

    before = [(module, name, getattr(module, name)) for module, name in calls]
    for module, name, call in before:
        setattr(module, name, wrapped(call))
    try:
        yield
    finally:
        for module, name, call in before:
            setattr(module, name, call)


def killed_at(call: int, work: Callable[[], object]) -> bool:
    """Work in a process that is killed before this call that writes; whether it got that far."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which are none of this process's own
        child = os.fork()
    if child == 0:
        try:
            with before_each(WRITING, lambda number: os._exit(_KILLED) if number == call else None):
                work()
        except BaseException:  # nothing of the tests must go on in here
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, _KILLED)
    return status == _KILLED
