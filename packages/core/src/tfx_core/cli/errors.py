"""How the command line ends when something goes wrong: one line on stderr and an exit code."""

import os
import select
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, TextIO

import click
from click.exceptions import Exit

from tfx_core.cli.flags import in_flags
from tfx_core.cli.output import say
from tfx_core.errors import TfxError, described, in_one_line, traced
from tfx_core.habits import hint

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""

READER_GONE = 141
"""Exit code when the reader of our output has gone away: 128 + SIGPIPE."""

_HELP_ERROR: tuple[type[click.UsageError], ...] = tuple(
    filter(None, [getattr(click.exceptions, "NoArgsIsHelpError", None)])  # click 8.2 shows help by raising it
)


class Failure(click.ClickException):
    """An error that click prints as one line, after its traceback when there is one to show."""

    def __init__(self, message: str, exit_code: int, trace: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # newer click declares it for the class; it reads the instance's
        self.trace = trace

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it on stderr."""
        if self.trace:
            say(self.trace.rstrip("\n"), error=True)
        say(self.format_message(), error=True, heading="Error")


@contextmanager
def one_line_errors(*, debug: bool) -> Iterator[None]:
    """Turn whatever the block raises into what click ends the process with; ``debug`` adds tracebacks."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            yield
    except _HELP_ERROR:
        raise
    except click.UsageError as error:
        raise Failure(_usage(error), 2) from error
    except click.ClickException as error:
        if type(error).show is not click.ClickException.show:
            raise  # a failure of ours, or one that shows itself in a way of its own
        raise Failure(error.format_message(), error.exit_code) from error
    except (click.Abort, Exit, SystemExit):
        raise
    except KeyboardInterrupt as error:
        if debug:
            say(traced(error), error=True)
        raise Exit(INTERRUPTED) from None
    except BaseException as error:  # a panic of a library in Rust is no Exception
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            raise Exit(READER_GONE) from None
        told = str(error) if isinstance(error, TfxError) else described(error)
        where = "" if debug or isinstance(error, TfxError) else " (tfx-core --debug … shows where)"
        raise Failure(f"{told}{where}", 1, traced(error) if debug else "") from error


def _usage(error: click.UsageError) -> str:
    """What is wrong with what was typed, and the cure."""
    option = error.option_name if isinstance(error, click.NoSuchOption) else ""
    said = in_one_line(error.format_message(), 5_000).rstrip(".")
    cure = hint("tfx-core", option) or hint("tfx-core", option[:2] + option[2:].replace("-", "_"))
    said = said if cure is None else f"No such option {option!r}: {cure}"
    return f"{said} (see {error.ctx.command_path} --help)" if error.ctx is not None else said


def _nobody_reads() -> bool:
    """Whether the pipe behind stdout is closed; if so, point stdout to nowhere, for Python flushes it at exit."""
    try:
        stdout = sys.stdout.fileno()
    except (OSError, ValueError):
        return False  # no file is behind it, as in tests
    if hasattr(select, "poll"):  # Windows has none, and there the error alone must do
        poll = select.poll()
        poll.register(stdout, 0)
        if not any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0)):
            return False
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stdout)
    os.close(nowhere)
    return True


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # never given: it is for those who show a warning themselves
    line: str | None = None,
) -> None:
    if issubclass(category, UserWarning):  # what tfx warns of is meant for the user, and needs no line of code
        context = click.get_current_context(silent=True)
        told = in_one_line(str(message), 2_000)
        say(told if context is None else in_flags(told, context.command), error=True, heading="Warning")
    else:
        say(warnings.formatwarning(message, category, filename, lineno, line).rstrip("\n"), error=True)
