"""Progress on stderr: a bar on a terminal, elsewhere a line now and then, so that logs stay short."""

import shutil
import sys
import time
from types import TracebackType
from typing import Self, TextIO

_REDRAW_SECONDS = 0.1
_TELL_SECONDS = 12.0
"""Between two lines where there is no terminal; what is done sooner is silent there."""


class ProgressBar:
    """Shows how many of ``total`` things are done, or how many so far when the total is not known.

    As a context manager it takes its line away at the end, however that comes about.
    """

    def __init__(self, label: str, total: int | None = None, *, stream: TextIO | None = None) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self._stream = sys.stderr if stream is None else stream
        self._shown = self._stream.isatty()
        self._visible = False
        self._started = self._drawn = time.monotonic()

    def advance(self, count: int = 1) -> None:
        """Count ``count`` more things as done."""
        self.done += count
        if time.monotonic() - self._drawn >= (_REDRAW_SECONDS if self._shown else _TELL_SECONDS):
            self._draw()

    def hide(self) -> None:
        """Take the line away, before something else is written to the terminal; the next advance brings it back."""
        if self._visible:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._visible = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hide()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        facts, share = self._facts()
        if not self._shown:
            self._stream.write(f"{self.label} {facts}\n")
            self._stream.flush()
            return
        columns = shutil.get_terminal_size().columns
        room = columns - len(self.label) - len(facts) - 5
        filled = round(max(0, room) * (share or 0))
        bar = f"[{'#' * filled}{' ' * (room - filled)}]" if share is not None and room >= 8 else ""
        line = f"{self.label} {bar}{facts}"[: columns - 1]
        self._stream.write(f"\r{line}\x1b[K")
        self._stream.flush()
        self._visible = True

    def _facts(self) -> tuple[str, float | None]:
        """How far the work is, in words and as a share."""
        rate = self.done / max(self._drawn - self._started, 1e-9)
        if not self.total:
            return f" {self.done} done  {rate:.3g}/s", None
        share = min(1.0, self.done / self.total)
        left = (self.total - self.done) / rate if rate else 0.0
        return f" {share:4.0%}  {self.done}/{self.total}  {rate:.3g}/s  {_clock(left)} left", share


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
