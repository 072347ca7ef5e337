"""``tfx-core run TASK``: any installed task on texts, files and pipes, with the options that the task declares."""

import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf, isfinite
from pathlib import Path
from typing import Any, TextIO

import click

from tfx_core.cli.group import ListedGroup
from tfx_core.cli.output import TerminalContext, as_it_comes, in_a_cell
from tfx_core.cli.progress import ProgressBar
from tfx_core.cli.task_inputs import RunInputs, open_inputs
from tfx_core.errors import InputError, PluginError, UnknownNameError
from tfx_core.fields import Above
from tfx_core.plugins import TaskSpec, registry
from tfx_core.tasks import ItemError, Task
from tfx_core.tasks.following import Following
from tfx_core.tasks.options import OptionDescription, TaskOptions, describe_options
from tfx_core.tasks.pipeline import load_task, named


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
    click.Option(["--revision"], metavar="REVISION", help="Branch, tag or commit of a hub id."),
    click.Option(["--provider"], metavar="NAME", help="Whose architecture, where several distributions give it."),
    click.Option(["--device"], metavar="DEVICE", help="Where to compute: cpu, cuda, … [default: cpu]"),
    click.Option(["--dtype"], metavar="DTYPE", help="Number type: float32, bfloat16, …, auto. [default: float32]"),
    click.Option(["--attention"], metavar="NAME", help="Attention kernel. [default: sdpa]"),
    click.Option(
        ["--file", "-f"],
        type=click.Path(exists=True, dir_okay=False, allow_dash=True),
        help="Read the inputs from FILE, or from standard input for -.",
    ),
    click.Option(
        ["--read-as"],
        type=click.Choice(["lines", "jsonl", "whole"]),
        help="One text per line, one JSON value per line, or all as one text. [default: jsonl for .jsonl, else lines]",
    ),
    click.Option(
        ["--output", "-o"],
        type=click.Path(dir_okay=False, writable=True),
        help="Write the results to FILE, which appears when all are done.",
    ),
    click.Option(["--json", "as_json"], is_flag=True, help="Print one line of JSON per input."),
]
_TASK_OPTION = "task_option_"


def _command(name: str, spec: TaskSpec, task: type[Task[Any, Any, Any]], stated: Mapping[str, str]) -> click.Command:
    options_type: type[TaskOptions] = task.options_type
    own = describe_options(options_type)
    taken = {flag for parameter in _PARAMETERS for flag in parameter.opts}
    for entry in own:
        if _flag(entry) in taken:
            raise PluginError(f"task {name!r}: the option {entry.name!r} is one of tfx-core run's own; rename it")
    parameters = [*_PARAMETERS, *map(_parameter, own)]
    flags = {_TASK_OPTION + entry.name: entry.name for entry in own}

    def invoke(**values: Any) -> None:
        options = {flags[key]: value for key, value in values.items() if key in flags and value not in (None, ())}
        options = {**stated, **{key: None if value is NONE else value for key, value in options.items()}}
        _run(task, options, **{key: value for key, value in values.items() if key not in flags})

    epilog = (
        "Results are printed as a table on a terminal; elsewhere as lines with tabs, which begin with the number of "
        "the input where an input can have several results. Generated text appears on a terminal as it comes."
    )
    return _TaskCommand(name, params=parameters, callback=invoke, help=_sentence(spec.summary), epilog=epilog)


class _TaskCommand(click.Command):
    context_class = TerminalContext


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _flag(entry: OptionDescription) -> str:
    return f"--{entry.name.replace('_', '-')}"


def _parameter(entry: OptionDescription) -> click.Option:
    """The command-line option of a task's option."""
    flag = _flag(entry)
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


def _type_of(entry: OptionDescription) -> click.ParamType:  # type: ignore[type-arg]
    if entry.choices:
        return SwitchOrWord(entry.choices) if entry.switch else click.Choice(entry.choices)
    low, high = (-inf, inf) if entry.bounds is None else (entry.bounds.low, entry.bounds.high)
    above = isinstance(entry.bounds, Above)
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
    **loading: Any,
) -> None:
    inputs = open_inputs(text, file, read_as, sys.stdin.buffer)
    loaded = task.load(model, **{key: value for key, value in loading.items() if value is not None}, **options)
    if output is None and not as_json and sys.stdout.isatty() and isinstance(loaded, Following) and loaded.can_follow():
        _follow(loaded, inputs)
    else:
        _write(loaded, inputs, output, as_json=as_json)


def _write(task: Task[Any, Any, Any], inputs: RunInputs, output: str | None, *, as_json: bool) -> None:
    """Write the results of all inputs as they come."""
    waiting: deque[object] = deque()

    def noted() -> Iterator[object]:
        for value in inputs.values:
            waiting.append(value)
            yield value

    with ProgressBar(in_a_cell(task.name), inputs.total) as bar, _sink(output) as sink:
        try:
            for number, result in enumerate(task.stream(noted(), progress=bar.advance), 1):
                value = waiting.popleft()
                bar.hide()
                for line in _lines(result, value, number, as_json=as_json, terminal=sink.isatty()):
                    sink.write(f"{line}\n")
        except ItemError as error:
            raise InputError(f"{inputs.place(error.index)}: {error.reason}") from None


def _follow(task: Following, inputs: RunInputs) -> None:
    """Write each text to the terminal while it is generated."""
    for number, value in enumerate(inputs.values):
        try:
            task.follow(value, _write_now)
        except InputError as error:
            raise InputError(f"{inputs.place(number)}: {error}") from None
        finally:
            sys.stdout.write("\n\n")


def _write_now(piece: str) -> None:
    """Show a piece of text at once."""
    sys.stdout.write(as_it_comes(piece))
    sys.stdout.flush()


def _lines(result: Any, value: object, number: int, *, as_json: bool, terminal: bool) -> Iterator[str]:
    from tfx_core.cli.task_results import json_line, tabbed, table  # numpy, which a help page does without

    if as_json:
        return iter([json_line(result)])
    if not terminal:
        return tabbed(result, number)
    heading = value if isinstance(value, str) else json_line(value)
    width = 100
    return table(heading if len(heading) <= width else heading[: width - 1] + "…", result)


@contextmanager
def _sink(output: str | None) -> Iterator[TextIO]:
    """Where results go, as UTF-8: stdout, or a file that takes its name once it is whole."""
    if output is None:
        yield sys.stdout
        return
    from tfx_core.checkpoint import replacing

    with replacing(Path(output)) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        yield stream
