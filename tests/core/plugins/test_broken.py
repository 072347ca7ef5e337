"""A broken plugin, whatever is broken about it, is one line; everything else works, and no terminal is driven."""

import json
import warnings

import pytest

import tfx_core
from tests.core.cli.running import run
from tests.core.fake_site import FakeSite, architectures, command, names
from tests.core.plugins.broken import GROUPS, Broken
from tfx_core.cli import commands
from tfx_core.plugins.discovery import PluginWarning, Status
from tfx_testing import toy

TOY = "from tfx_testing.toy import Plugin\n\ntfx_architectures = Plugin().tfx_architectures\n"
PART = 40
"""Kinds that are installed side by side."""

PARTS = {
    f"{group} {start}": dict(list(kinds.items())[start : start + PART])
    for group, kinds in GROUPS.items()
    for start in range(0, len(kinds), PART)
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("stored") / "toy"
    with tfx_core.register(toy.Plugin(), name="tfx-toy"):
        return toy.save(folder, "masked-lm")


def printable(text: str) -> list[str]:
    """The lines of what a terminal gets, after a look at each character."""
    assert text.replace("\n", "").isprintable(), ascii(text)
    return text.split("\n")[:-1]


def messages(text: str) -> list[str]:
    """The lines of what is nothing but messages, none of them another's second line, and none endless."""
    lines = printable(text)
    assert not any(line.startswith("Error: forged") or len(line) > 3_000 for line in lines)
    return lines


@pytest.mark.parametrize("part", PARTS)
def test_a_broken_plugin_is_one_line_and_harms_no_other(site: FakeSite, stored: str, part: str) -> None:
    site.install("aaa-before", architectures("before") + command("greet", "click.echo('hello')"))
    site.install("zzz-after", architectures("after"))
    site.install("tfx-toy", TOY)
    kinds = {f"broken_{number}_plugin": each for number, each in enumerate(PARTS[part].items())}
    for number, (module, (_, broken)) in enumerate(kinds.items()):
        name = broken.distribution or f"broken-{number}"
        point = f"{broken.entry_point or name} = {module}{broken.target}"
        site.install(
            f"broken-{number}",
            broken.source,
            named=name,
            version=broken.version,
            requires=broken.requires,
            entry_points=f"[tfx_core]\n{point}\n",
        )

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert {"before", "after", "toy"} <= names()
    warned = [str(warning.message) for warning in caught if warning.category is PluginWarning]
    assert messages("".join(f"{each}\n" for each in warned)) == warned
    assert tfx_core.load_model(stored).head_name == "masked-lm"

    result = run("greet")
    assert (result.exit_code, result.stdout) == (0, "hello\n")
    messages(result.stderr)
    plugins = commands.ask().plugins
    for plugin in plugins:
        what, broken = kinds.get(plugin.target.partition(":")[0], ("a neighbour", Broken(fails=False)))
        assert plugin.status is Status.FAILED or not broken.fails, what
        assert plugin.status is Status.LOADED or plugin.reason, what
        printable(plugin.traceback())

    count = 4 + len(kinds)
    failed = {plugin.outcome for plugin in plugins if plugin.problem}
    result = run("plugins")
    assert (result.exit_code, result.stderr, len(messages(result.stdout))) == (0, "", 1 + count)
    assert len([json.loads(line) for line in printable(run("plugins", "--json").stdout)]) == count
    result = run("plugins", "--check")
    assert result.exit_code == (1 if failed else 0)
    assert failed <= {*messages(result.stdout)}
    printable(run("--debug", "plugins", "--check").stdout)
    result = run("--help")
    assert (result.exit_code, result.stderr) == (0, "")
    assert any("greet" in line for line in messages(result.stdout))


@pytest.mark.parametrize(
    "source",
    [
        "raise KeyboardInterrupt",
        "def __getattr__(name):\n    raise KeyboardInterrupt",
        "from tfx_core import hookimpl\n@hookimpl\ndef tfx_tasks():\n    raise KeyboardInterrupt",
    ],
)
def test_an_interrupt_is_the_users_and_no_plugins_failure(site: FakeSite, source: str) -> None:
    site.install("tfx-slow", source)
    with pytest.raises(KeyboardInterrupt):
        names()
