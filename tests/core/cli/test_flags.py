"""Messages of Python as they are told on the command line, and what may be in colour."""

import io
from collections.abc import Iterator

import click
import pytest

import tfx_core
from tests.core.cli.running import run
from tests.core.fake_site import FakeSite, command
from tfx_core.cli import output
from tfx_core.cli.flags import in_flags
from tfx_core.cli.run import run as run_group
from tfx_core.errors import InputError
from tfx_core.model import Model
from tfx_core.model.linears import kernel_named
from tfx_testing.toy import Plugin, save


def generating() -> click.Command:
    command = run_group.get_command(click.Context(run_group), "text-generation")
    assert command is not None
    return command


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            "text-generation: temperature=0: must be above 0; for the most probable token each time, do_sample=False",
            "text-generation: --temperature 0: must be above 0; for the most probable token each time, --no-do-sample",
        ),
        ("set max_new_tokens, which counts (do_sample=True)", "set --max-new-tokens, which counts (--do-sample)"),
        ("truncation=True (--truncation) keep its end", "--truncation keep its end"),
        ("dtype='float': must be 'auto' or 'max_new_tokens'", "--dtype float: must be 'auto' or 'max_new_tokens'"),
        ("dtype='a b'; device=None.", "--dtype 'a b'; --device none."),
        ("json=True, with raw=False", "--json, with no --raw"),
        ("the seed, a file and its input_ids=3", "the seed, a file and its input_ids=3"),
        ("path/max_new_tokens=1.txt and config.max_new_tokens", "path/max_new_tokens=1.txt and config.max_new_tokens"),
    ],
)
def test_names_in_python_become_options(message: str, told: str) -> None:
    assert in_flags(message, generating()) == told
    assert in_flags(told, generating()) == told


def test_a_word_or_a_choice_that_takes_one_keeps_its_case() -> None:
    @click.command()
    @click.option("--long-input", type=click.Choice(["error", "truncate"]))
    def summing(long_input: str) -> None: ...

    message = "more than 9; long_input='truncate' (--long-input truncate) cuts it"
    assert in_flags(message, summing) == "more than 9; --long-input truncate cuts it"


@pytest.fixture
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with tfx_core.register(Plugin(), name="tfx-toy"):
        yield save(tmp_path_factory.mktemp("model") / "lm", "masked-lm")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--device", "gpu"), "Error: --device gpu: on this machine it is one of cpu"),
        (("--dtype", "float"), "Error: --dtype float: must be 'auto' or one of 'float32'"),
        (("--dtype", "int8", "--no-frozen"), "Error: --no-frozen: --dtype int8 is for inference alone; take 'float32'"),
        (("--dtype", "float64", "--frozen"), "Error: --dtype float64: frozen models have one of 'float32'"),
    ],
)
def test_what_python_raises_is_told_as_it_was_typed(model: str, options: tuple[str, str], told: str) -> None:
    result = run("run", "fill-mask", "-m", model, *options, "a [MASK]")
    assert result.exit_code == 1
    assert result.stderr.startswith(told)
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("options", [("--frozen",), ("--frozen", "--dtype", "bfloat16"), ("--dtype", "int8")])
def test_a_task_runs_with_packed_weights(model: str, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    packed: list[Model] = []
    freeze = Model.freeze
    monkeypatch.setattr(Model, "freeze", lambda self, kernel: (packed.append(self), freeze(self, kernel)))
    result = run("run", "fill-mask", "-m", model, *options, "a [MASK]")
    assert result.exit_code == 0, result.output
    assert [each.frozen for each in packed] == [True]
    kind = options[-1] if "--dtype" in options else "float32"
    assert packed[0].to("cpu").dtype == kernel_named(kind).dtype  # though no parameter may be left to say it
    with pytest.raises(InputError, match="packed for this machine's CPU"):
        packed[0].half()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (("chat",), "no 'chat': tfx-core run text-generation continues a prompt"),
        (("env",), "no 'env': tfx-core plugins lists what is installed"),
        (("download", "bert"), "no 'download': a hub id is downloaded when it is first loaded"),
        (("run", "fill-mask", "--input", "x"), "No such option '--input': the inputs are in --file"),
        (("run", "fil-mask"), "no task 'fil-mask' is installed; did you mean 'fill-mask'?"),
        (("run", "fill-mask", "--modle", "x"), "--model"),
        (("pluggins",), "did you mean 'plugins'?"),
    ],
)
def test_a_habit_or_a_slip_is_answered_with_what_was_meant(site: FakeSite, typed: tuple[str, ...], told: str) -> None:
    result = run(*typed)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


COLOURS = ("NO_COLOR", "FORCE_COLOR", "TERM")


@pytest.mark.parametrize(
    ("setting", "terminal", "pipe"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ({"FORCE_COLOR": "0"}, True, False),
        ({"FORCE_COLOR": ""}, True, False),
    ],
)
def test_colours_are_for_terminals_that_like_them(
    setting: dict[str, str], terminal: bool, pipe: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in COLOURS:
        monkeypatch.delenv(name, raising=False)
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    assert output.coloured(Terminal()) is terminal
    assert output.coloured(io.StringIO()) is pipe


def test_errors_and_headings_are_in_colour_and_nothing_of_others_is(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("tfx-alien", command("fail", r"raise ValueError('\x1b[2Jforged')"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert run("fail").stderr.startswith("\x1b[31m\x1b[1mError:\x1b[0m ValueError: \\x1b[2Jforged")
    assert run("plugins").stdout.startswith("\x1b[1mPLUGIN")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("fail").output + run("plugins").output


@pytest.mark.parametrize("arguments", [("plugins",), ("architectures", "--all")])
def test_tables_keep_to_sixty_columns(
    site: FakeSite, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("tfx-with-a-name-that-is-rather-long", "1 / 0", version="2025.10.1", entry_point="also-a-long-one")
    wide = run(*arguments).stdout
    monkeypatch.setenv("COLUMNS", "60")
    lines = run(*arguments).stdout.splitlines()
    assert max(map(len, lines)) <= 60
    assert sorted("".join(lines).replace(" ", "")) == sorted(wide.replace(" ", "").replace("\n", ""))
