"""Ctrl-C while training: the update is finished and a checkpoint written first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def heeded_interrupts() -> Iterator[threading.Event]:
    """What a first interrupt sets; a second one interrupts as ever, and so does each outside the main thread."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.getsignal(signal.SIGINT)

    def heed(number: int, frame: FrameType | None) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    if callable(before):  # ignored ones stay so
        signal.signal(signal.SIGINT, heed)
    try:
        yield event
    finally:
        if callable(before):
            signal.signal(signal.SIGINT, before)
