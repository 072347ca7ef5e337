"""``tfx-core run TASK``: any installed task on texts, files and pipes, with the options that the task declares."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from tfx_core.cli.group import Command, ListedGroup
from tfx_core.cli.loading import given, loading_options
from tfx_core.cli.output import OutputPath, as_it_comes, in_a_cell
from tfx_core.cli.progress import ProgressBar
from tfx_core.cli.task_answers import Unanswered, answers
from tfx_core.cli.task_inputs import RunInputs, Unusable, beside, open_inputs
from tfx_core.cli.task_languages import FLAG as LANGUAGES
from tfx_core.cli.task_languages import OPTION as LIST_LANGUAGES
from tfx_core.cli.task_languages import print_languages
from tfx_core.errors import InputError, PluginError, UnknownNameError
from tfx_core.fields import Above
from tfx_core.plugins import TaskSpec, registry
from tfx_core.tasks import Task
from tfx_core.tasks.directions import TellsLanguages
from tfx_core.tasks.following import Following
from tfx_core.tasks.options import OptionDescription, TaskOptions, describe_options
from tfx_core.tasks.pipeline import load_task, named

if TYPE_CHECKING:
    from tfx_core.cli.task_results import Lines


class Tasks(ListedGroup):
    """The installed tasks as commands; a task's code is imported when it is asked for."""

    heading = "Tasks"

    def listed(self) -> Iterator[tuple[str, str]]:
        """The installed tasks, qualified by distribution where the bare name would not reach one."""
        return iter(sorted((registry.spelled(entry), entry.spec.summary) for entry in registry.specs(TaskSpec)))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The command of a task; `click.UsageError` for a name that nothing installed provides."""
        try:
            name, stated = named(cmd_name)
            spec = registry.find(TaskSpec, name)
        except UnknownNameError as error:
            raise click.UsageError(str(error), ctx) from None
        return _command(name, spec, load_task(name), stated)


@click.group(cls=Tasks, subcommand_metavar="TASK --model MODEL [OPTIONS] [TEXT]...")
def run() -> None:
    """Run a task on texts, a file or a pipe.

    ``tfx-core run TASK --help`` shows the options of a task.
    """


class OrNone(click.ParamType):  # type: ignore[type-arg]  # generic only in newer click
    """Values of another type, or the word ``none``."""

    def __init__(self, inner: click.ParamType) -> None:  # type: ignore[type-arg]
        self.inner = inner
        self.name = f"{inner.name}|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click has it."""
        return NONE if value == "none" or value is NONE else self.inner.convert(value, param, ctx)


class SwitchOrWord(click.Choice):  # type: ignore[type-arg]  # generic only in newer click
    """``true``, ``false`` or one of some words."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(["true", "false", *words])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """True and False for their names."""
        word = super().convert(value, param, ctx)
        return {"true": True, "false": False}.get(word, word)


class _None:
    """Stands for None among click's values, where None means that an option was not given."""


NONE = _None()

_PARAMETERS: list[click.Parameter] = [
    click.Argument(["text"], nargs=-1, metavar="[TEXT]..."),
    click.Option(["--model", "-m"], required=True, metavar="MODEL", help="Folder or hub id of a checkpoint."),
    click.Option(["--tokenizer"], metavar="FOLDER|ID", help="Where the tokenizer comes from, if not from MODEL."),
    *loading_options(),
    click.Option(
        ["--attention"], metavar="NAME", help="Attention kernel, or pattern such as window(128). [default: sdpa]"
    ),
    click.Option(
        ["--file", "-f"],
        type=click.Path(exists=True, dir_okay=False, allow_dash=True),
        help="Read the inputs from FILE, or from standard input for -.",
    ),
    click.Option(
        ["--read-as"],
        type=click.Choice(["lines", "jsonl", "whole"]),
        help="One text per line, one JSON value per line, or all as one text. [default: jsonl for .jsonl, and for a "
        "pipe that begins with an object, else lines]",
    ),
    click.Option(
        ["--output", "-o"],
        type=OutputPath(beside=True, dir_okay=False, writable=True),
        help="Write the results to FILE, which appears when all are done.",
    ),
    click.Option(["--json", "as_json"], is_flag=True, help="Print one line of JSON per input."),
    click.Option(["--raw"], is_flag=True, help="Print texts as they are, with their line ends, tabs and backslashes."),
    click.Option(["--header"], is_flag=True, help="Print the names of the values above lines with tabs."),
    click.Option(["--strict"], is_flag=True, help="Stop at the first line of a file or a pipe that cannot be used."),
]
_TASK_OPTION = "task_option_"


def _command(name: str, spec: TaskSpec, task: type[Task[Any, Any, Any]], stated: Mapping[str, str]) -> click.Command:
    options_type: type[TaskOptions] = task.options_type
    own = describe_options(options_type)
    teller = task if issubclass(task, TellsLanguages) else None
    parameters = [*_PARAMETERS, *([] if teller is None else [LIST_LANGUAGES])]
    taken = {flag for parameter in parameters for flag in parameter.opts}
    for entry in own:
        if entry.flag in taken:
            raise PluginError(f"task {name!r}: the option {entry.name!r} is one of tfx-core run's own; rename it")
    parameters += map(_parameter, own)
    flags = {_TASK_OPTION + entry.name: entry for entry in own}

    def invoke(**values: Any) -> None:
        if values.pop(LANGUAGES, False) and teller is not None:
            print_languages(teller, **values)
            return
        own = {flags[key]: value for key, value in values.items() if key in flags and value not in (None, ())}
        options = {**stated, **{entry.name: _value(entry, value) for entry, value in own.items()}}
        _run(task, options, **{key: value for key, value in values.items() if key not in flags})

    return Command(name, params=parameters, callback=invoke, help=_sentence(spec.summary), epilog=_EPILOG)


_EPILOG = r"""
Results are printed as a table on a terminal; elsewhere as lines with tabs, which begin with the number of the input
where an input can have several results. Within a text \n is a line end, \t a tab and \\ a backslash, so that one result
is one line; where a single TEXT, or one read as a whole, is answered with a text, it is printed as --raw has it.
Generated text appears on a terminal as it comes.

A line of a file or a pipe that cannot be used is told at the end, and the exit code is 1; the others are answered. In
its place stands an empty line, or {"error": …} with --json. A line of JSON {"text": …} is that text, for every task.
"""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _parameter(entry: OptionDescription) -> click.Option:
    """The command-line option of a task's option."""
    flag = entry.flag
    text = _sentence(entry.help)
    if entry.default not in (None, False, ()):
        shown = entry.default if isinstance(entry.default, tuple) else (entry.default,)
        text += f" [default: {', '.join(str(each) if str(each).strip() else repr(each) for each in shown)}]"
    if entry.scalar is bool:
        return click.Option([f"{flag}/--no-{flag[2:]}", _TASK_OPTION + entry.name], default=None, help=text)
    kind = _type_of(entry)
    if entry.optional and entry.default is not None:
        kind = OrNone(kind)
    return click.Option([flag, _TASK_OPTION + entry.name], type=kind, multiple=entry.many, default=None, help=text)


def _value(entry: OptionDescription, value: Any) -> Any:
    """What the task is given for the value of an option, or for all that it was given."""
    if entry.separated is not None:
        return entry.separated.by.join(value)
    return None if value is NONE else value


def _type_of(entry: OptionDescription) -> click.ParamType:  # type: ignore[type-arg]
    if entry.choices:
        return SwitchOrWord(entry.choices) if entry.switch else click.Choice(entry.choices)
    low, high = (-inf, inf) if entry.bounds is None else (entry.bounds.low, entry.bounds.high)
    above = isinstance(entry.bounds, Above)
    if entry.scalar is int and entry.bounds is None:
        return click.INT
    if entry.scalar is int:
        return click.IntRange(int(low) if isfinite(low) else None, int(high) if isfinite(high) else None, above)
    if entry.scalar is float and entry.bounds is not None:
        return click.FloatRange(low if isfinite(low) else None, high if isfinite(high) else None, above)
    return click.FLOAT if entry.scalar is float else click.STRING


def _run(
    task: type[Task[Any, Any, Any]],
    options: dict[str, Any],
    *,
    text: tuple[str, ...],
    model: str,
    file: str | None,
    read_as: Any,
    output: str | None,
    as_json: bool,
    raw: bool,
    header: bool,
    strict: bool,
    **loading: Any,
) -> None:
    if as_json and (raw or header):
        raise click.UsageError(f"--json and {'--raw' if raw else '--header'} contradict each other; give one of them")
    from tfx_core.cli.task_results import Lines  # numpy, which a help page and a mistake do without

    inputs = beside(open_inputs(text, file, read_as, sys.stdin.buffer, strict=strict), task.files, file)
    loaded = task.load(model, **given(loading), **options)
    on_a_terminal = output is None and sys.stdout.isatty()
    if on_a_terminal and not (as_json or header) and isinstance(loaded, Following) and loaded.can_follow():
        _follow(loaded, inputs)
    else:
        form = "json" if as_json else "tabs" if raw or header or not on_a_terminal else "table"
        _write(loaded, inputs, output, Lines(form, header=header, raw=raw, single=inputs.single))


def _write(task: Task[Any, Any, Any], inputs: RunInputs, output: str | None, lines: "Lines") -> None:
    """Write the results of all inputs as they come."""
    unanswered, number = Unanswered(), 0
    with ProgressBar(in_a_cell(task.name), inputs.total) as bar, _sink(output) as sink:
        for number, (value, result) in enumerate(answers(task, inputs, bar.advance), 1):
            bar.hide()
            if isinstance(result, Unusable):
                result = Unusable(unanswered.note(result))
            for line in lines.of(value, result, number):
                sink.write(f"{as_it_comes(line) if lines.raw and sink.isatty() else line}\n")
        sink.writelines(f"{line}\n" for line in lines.rest())
    unanswered.tell(number)


def _follow(task: Following, inputs: RunInputs) -> None:
    """Write each text to the terminal while it is generated."""
    unanswered, number = Unanswered(), 0
    for number, value in enumerate(inputs.values, 1):
        try:
            if isinstance(value, Unusable):
                raise InputError(value.reason)
            task.follow(value, _write_now)
        except InputError as error:
            reason = str(error) if isinstance(value, Unusable) else f"{inputs.place(number - 1)}: {error}"
            if inputs.strict:
                raise InputError(reason) from None
            unanswered.note(Unusable(reason))
        finally:
            sys.stdout.write("\n\n")
    unanswered.tell(number)


def _write_now(piece: str) -> None:
    """Show a piece of text at once."""
    sys.stdout.write(as_it_comes(piece))
    sys.stdout.flush()


@contextmanager
def _sink(output: str | None) -> Iterator[TextIO]:
    """Where results go, as UTF-8: stdout, or a file that takes its name once it is whole."""
    if output is None:
        yield sys.stdout
        return
    from tfx_core.checkpoint import replacing

    with replacing(Path(output)) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        yield stream
