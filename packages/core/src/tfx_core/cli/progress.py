"""A progress bar on stderr: on a terminal only, so that pipes and logs stay clean."""

import shutil
import sys
import time
from types import TracebackType
from typing import Self, TextIO

_REDRAW_SECONDS = 0.1


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
        if self._shown and time.monotonic() - self._drawn >= _REDRAW_SECONDS:
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
        rate = self.done / max(self._drawn - self._started, 1e-9)
        if self.total:
            share = min(1.0, self.done / self.total)
            left = (self.total - self.done) / rate if rate else 0.0
            facts = f" {share:4.0%}  {self.done}/{self.total}  {rate:.3g}/s  {_clock(left)} left"
            room = shutil.get_terminal_size().columns - len(self.label) - len(facts) - 5
            filled = round(max(0, room) * share)
            bar = f"[{'#' * filled}{' ' * (room - filled)}]" if room >= 8 else ""
        else:
            bar, facts = "", f" {self.done} done  {rate:.3g}/s"
        line = f"{self.label} {bar}{facts}"[: shutil.get_terminal_size().columns - 1]
        self._stream.write(f"\r{line}\x1b[K")
        self._stream.flush()
        self._visible = True


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
