"""Ctrl-C, or a scheduler's SIGTERM, while training: the update is finished and a checkpoint written first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def heeded_interrupts() -> Iterator[threading.Event]:
    """What a first interrupt sets; a second one interrupts as ever, and so does each outside the main thread."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    # ignored ones stay so, and those that are not Python's
    heeded = [number for number, handler in before.items() if callable(handler) or handler == signal.SIG_DFL]

    def restore() -> None:
        for number in heeded:
            signal.signal(number, before[number])

    def heed(number: int, frame: FrameType | None) -> None:
        event.set()
        restore()

    for number in heeded:
        signal.signal(number, heed)
    try:
        yield event
    finally:
        restore()
