"""The command line: how it finds commands, and how it ends when something goes wrong."""

import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tests.core.cli.running import run
from tests.core.fake_site import FakeSite, command
from tests.processes import hear_interrupts, with_path
from tfx_core import __version__
from tfx_core.cli import cli


def process(site: FakeSite, *arguments: str, **options: object) -> "subprocess.Popen[str]":
    """The command line as a process of its own that sees the site besides what is really installed."""
    return subprocess.Popen(
        [sys.executable, "-m", "tfx_core", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=with_path(site.root),
        preexec_fn=hear_interrupts,
        **options,
    )


def test_version_and_help(site: FakeSite) -> None:
    assert run("--version").output == f"tfx-core {__version__}\n"
    shown = run("-h")
    assert shown.exit_code == 0
    for name in ("architectures", "plugins", "run", "--debug"):
        assert name in shown.output


def test_listing_and_help_import_nothing_heavy() -> None:
    program = """
import sys
from tfx_core.cli import cli
for arguments in (["plugins"], ["plugins", "--json"], ["architectures", "--all"]):
    cli(arguments, standalone_mode=False)
    loaded = {"torch", "numpy", "tokenizers", "packaging"} & set(sys.modules)
    assert not loaded, (arguments, loaded)
for arguments in (["--help"], ["run", "--help"], ["run", "fill-mask", "--help"], ["run", "text-generation", "--help"]):
    cli(arguments, standalone_mode=False)
    assert "torch" not in sys.modules, arguments
"""
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_a_plugins_command_is_found_listed_and_run(site: FakeSite) -> None:
    site.install("tfx-alien", command("greet", "click.echo('hello')"))
    assert run("greet").output == "hello\n"
    assert "A command of a test." in run("--help").output


def test_a_plugin_may_call_its_command_from_elsewhere(site: FakeSite) -> None:
    source = """
    import click
    from tfx_core import hookimpl

    @click.group()
    def outer():
        pass

    @outer.command()
    def inner():
        click.echo("deep")

    @hookimpl
    def tfx_commands(cli):
        cli.add_command(outer, "planet")
    """
    site.install("tfx-alien", source)
    assert run("planet", "inner").output == "deep\n"


BROKEN_COMMANDS = {
    "raises": ("raise RuntimeError('no')", "RuntimeError: no"),
    "raises late": ("cli.add_command(click.Command('half'))\n    raise RuntimeError('no')", "RuntimeError: no"),
    "ends the program": ("raise SystemExit(0)", "SystemExit"),
    "adds rubbish": ("cli.commands['half'] = print", "'half' is an object of type builtin_function_or_method"),
}


@pytest.mark.parametrize("what", BROKEN_COMMANDS)
def test_a_plugin_whose_commands_fail_harms_no_other(site: FakeSite, what: str) -> None:
    body, reason = BROKEN_COMMANDS[what]
    source = f"import click\nfrom tfx_core import hookimpl\n@hookimpl\ndef tfx_commands(cli):\n    {body}\n"
    site.install("tfx-broken", source)
    site.install("tfx-alien", command("greet", "click.echo('hello')"))
    result = run("greet")
    assert (result.exit_code, result.stdout) == (0, "hello\n")
    warning = "Warning: plugin 'tfx-broken' of tfx-broken 1.0 failed: its tfx_commands raised"
    assert result.stderr.startswith(warning)
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1
    assert run("half").exit_code == 2


def test_a_command_that_two_plugins_add_must_be_qualified(site: FakeSite) -> None:
    site.install("tfx-one", command("greet", "click.echo('one')"))
    site.install("tfx-two", command("greet", "click.echo('two')"))
    result = run("greet")
    assert result.exit_code == 1
    assert "say which with tfx-one:greet or tfx-two:greet" in result.stderr
    assert run("tfx-two:greet").output == "two\n"
    listed = run("--help").output
    assert "tfx-one:greet" in listed
    assert "tfx-two:greet" in listed


def test_a_plugin_does_not_replace_a_command_of_the_core(site: FakeSite) -> None:
    site.install("tfx-rogue", command("plugins", "click.echo('nothing to see')"))
    assert "tfx-rogue" in run("plugins").output
    assert run("tfx-rogue:plugins").output == "nothing to see\n"


def test_what_a_plugin_does_to_its_group_does_not_reach_the_command_line(site: FakeSite) -> None:
    source = """
    from tfx_core import hookimpl

    @hookimpl
    def tfx_commands(cli):
        cli.commands.clear()
        cli.callback = print
        cli.params = []
    """
    site.install("tfx-rogue", source)
    assert run("--debug", "plugins").exit_code == 0


def test_wrong_usage_is_one_line_and_exit_code_2(site: FakeSite) -> None:
    for arguments, told in [
        (("--nonsense",), "Error: No such option '--nonsense' (see tfx-core --help)\n"),
        (("plugins", "--nonsense"), "Error: No such option '--nonsense' (see tfx-core plugins --help)\n"),
        (
            ("architectures", "more"),
            "Error: Got unexpected extra argument (more) (see tfx-core architectures --help)\n",
        ),
    ]:
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.replace(": --nonsense", " '--nonsense'") == told  # quotes depend on click's version


def test_an_unknown_command_is_answered_with_what_was_meant(site: FakeSite) -> None:
    result = run("plugin")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: no command 'plugin' is installed; did you mean 'plugins'? installed: ")


def test_a_command_of_a_missing_official_distribution_is_answered_with_its_installation(site: FakeSite) -> None:
    result = run("index", "build")
    assert result.exit_code == 2
    assert "'index' is provided by tfx-retrieval: install tfx-retrieval" in result.stderr


def test_a_command_of_a_failed_official_plugin_is_answered_with_its_failure(site: FakeSite) -> None:
    site.install("tfx-retrieval", "1 / 0", entry_point="retrieval")
    result = run("index", "build")
    assert result.exit_code == 1
    assert "Error: 'index' is provided by a plugin that cannot be used: plugin 'retrieval'" in result.stderr
    assert "division by zero" in result.stderr


def test_an_error_of_ours_is_one_line_and_a_traceback_only_with_debug(site: FakeSite) -> None:
    body = "from tfx_core.errors import ConfigError; raise ConfigError('a/config.json: hidden_size=-1')"
    site.install("tfx-alien", command("fail", body))
    result = run("fail")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: a/config.json: hidden_size=-1\n"
    result = run("--debug", "fail")
    assert result.exit_code == 1
    assert result.stderr.startswith("Traceback (most recent call last):\n")
    assert "tfx_alien_plugin.py" in result.stderr
    assert result.stderr.endswith("\nError: a/config.json: hidden_size=-1\n")


def test_an_error_that_nobody_foresaw_is_one_line_too(site: FakeSite) -> None:
    site.install("tfx-alien", command("fail", "{}['planet']"))
    result = run("fail")
    assert result.exit_code == 1
    assert result.stderr == "Error: KeyError: 'planet' (tfx-core --debug … shows where)\n"
    assert "Traceback" in run("--debug", "fail").stderr


def test_a_command_decides_its_own_exit_code(site: FakeSite) -> None:
    site.install("tfx-alien", command("leave", "click.get_current_context().exit(7)"))
    assert run("leave").exit_code == 7
    site.install("tfx-other", command("answer", "return 7"))
    assert CliRunner().invoke(cli, ["answer"], standalone_mode=False).return_value is None


def test_strict_mode_is_one_line_as_well(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("tfx-broken", "1 / 0")
    monkeypatch.setenv("TFX_STRICT_PLUGINS", "1")
    for arguments in (("architectures",), ("--help",)):
        result = run(*arguments)
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: plugin 'tfx-broken' of tfx-broken 1.0 failed: ")
        assert result.stderr.count("\n") == 1
    assert run("plugins", "--check").exit_code == 1  # and this one still tells about all


def test_a_failed_plugin_is_one_line_on_stderr_and_results_are_clean(site: FakeSite) -> None:
    site.install("tfx-broken", "1 / 0")
    site.install("tfx-alien", command("greet", "click.echo('hello')"))
    ended = process(site, "greet")
    stdout, stderr = ended.communicate(timeout=60)
    assert (ended.returncode, stdout) == (0, "hello\n")
    (line,) = [line for line in stderr.splitlines() if "tfx-broken" in line]
    assert line.startswith("Warning: plugin 'tfx-broken' of tfx-broken 1.0 failed: ")


def test_an_interrupt_ends_without_a_traceback(site: FakeSite) -> None:
    site.install("tfx-alien", command("wait", "import time; click.echo('ready'); time.sleep(60)"))
    waiting = process(site, "wait")
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == "ready\n"
    waiting.send_signal(signal.SIGINT)
    _, stderr = waiting.communicate(timeout=60)
    assert waiting.returncode == 130
    assert "Traceback" not in stderr


@pytest.mark.parametrize(
    "body", ["for n in range(100000): click.echo(n)", "for n in range(100000): print(n)", "print('short')"]
)
def test_a_reader_that_goes_away_is_taken_calmly(site: FakeSite, body: str) -> None:
    site.install("tfx-alien", command("talk", f"import sys; sys.stdin.read()\n        {body}"))
    talking = process(site, "talk", stdin=subprocess.PIPE)
    assert talking.stdin is not None
    assert talking.stdout is not None
    assert talking.stderr is not None
    talking.stdout.close()
    talking.stdin.close()
    assert talking.wait(timeout=60) == 141
    complaints = [line for line in talking.stderr.read().splitlines() if "Broken" in line or "Traceback" in line]
    talking.stderr.close()
    assert complaints == []


def test_a_broken_pipe_elsewhere_is_an_error_like_any_other(site: FakeSite) -> None:
    site.install("tfx-alien", command("fail", "raise BrokenPipeError(32, 'the server hung up')"))
    result = run("fail")
    assert result.exit_code == 1
    assert "the server hung up" in result.stderr


def test_the_installed_script_is_the_same_program() -> None:
    from importlib.metadata import distribution

    (script,) = (point for point in distribution("tfx-core").entry_points if point.group == "console_scripts")
    assert (script.name, script.value) == ("tfx-core", "tfx_core.cli:main")
