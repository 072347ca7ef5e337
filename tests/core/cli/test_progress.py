"""The progress bar: drawn on a terminal, silent elsewhere, and gone when the work is done."""

import io

import pytest

from tfx_core.cli import progress
from tfx_core.cli.progress import ProgressBar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def shown(self) -> str:
        """What the line of the cursor holds, as a terminal would show it."""
        return self.getvalue().rpartition("\r")[2].removesuffix("\x1b[K")


@pytest.fixture(autouse=True)
def without_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_REDRAW_SECONDS", 0.0)
    monkeypatch.setenv("COLUMNS", "80")


def test_a_pipe_gets_nothing_of_short_work() -> None:
    pipe = io.StringIO()
    with ProgressBar("Embedding", 10, stream=pipe) as bar:
        bar.advance(5)
        bar.hide()
    assert pipe.getvalue() == ""


def test_a_pipe_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0, 12.0, 12.0, 20.0, 25.0, 25.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    pipe = io.StringIO()
    with ProgressBar("Embedding", 40, stream=pipe) as bar:
        for _ in range(4):
            bar.advance(10)
    assert pipe.getvalue().splitlines() == [
        "Embedding   50%  20/40  1.67/s  0:12 left",
        "Embedding  100%  40/40  1.6/s  0:00 left",
    ]


def test_a_terminal_shows_how_far_the_work_is() -> None:
    terminal = Terminal()
    with ProgressBar("Embedding", 200, stream=terminal) as bar:
        bar.advance(50)
        assert terminal.shown().startswith("Embedding [####")
        assert " 25%  50/200 " in terminal.shown()
        bar.advance(150)
        assert "100%  200/200 " in terminal.shown()
        assert len(terminal.shown()) < 80  # the last column would wrap the line
    assert terminal.shown() == ""


def test_without_a_total_it_counts() -> None:
    terminal = Terminal()
    with ProgressBar("Reading", stream=terminal) as bar:
        bar.advance(7)
        assert terminal.shown().startswith("Reading  7 done")


def test_more_than_the_total_is_no_mishap() -> None:
    terminal = Terminal()
    with ProgressBar("Reading", 2, stream=terminal) as bar:
        bar.advance(3)
        assert "100%  3/2" in terminal.shown()


def test_hiding_makes_room_for_a_line_and_the_next_step_brings_it_back() -> None:
    terminal = Terminal()
    with ProgressBar("Reading", 4, stream=terminal) as bar:
        bar.advance(1)
        bar.hide()
        assert terminal.shown() == ""
        bar.advance(1)
        assert "2/4" in terminal.shown()


def test_an_error_leaves_a_clean_line() -> None:
    terminal = Terminal()

    def fail() -> None:
        with ProgressBar("Reading", 4, stream=terminal) as bar:
            bar.advance(1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert terminal.shown() == ""


@pytest.mark.parametrize("columns", ["1", "20", "200"])
def test_it_fits_any_width(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    terminal = Terminal()
    with ProgressBar("Embedding", 10, stream=terminal) as bar:
        bar.advance(1)
        assert len(terminal.shown()) <= max(0, int(columns) - 1)
