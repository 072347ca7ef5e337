"""``tfx-core plugins`` and ``tfx-core architectures``: what they list, for people and for programs."""

import json
import sys
import textwrap

import pytest

from tests.core.cli.running import run
from tests.core.fake_site import FakeSite, architectures, command
from tfx_core import __version__, hookimpl
from tfx_core.plugins import discovery


def lines(*arguments: str) -> list[dict[str, object]]:
    result = run(*arguments)
    assert result.stderr == ""
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_table_shows_every_plugin_its_status_and_what_it_provides(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("tfx-alien", architectures("alien", "martian") + command("greet", "pass"), version="1.2")
    site.install("tfx-broken", "1 / 0", entry_point="unlucky")
    site.install("tfx-future", requires=["tfx-core>=999"])
    site.install("tfx-off", architectures("off"))
    monkeypatch.setenv("TFX_DISABLE_PLUGINS", "tfx-off")
    result = run("plugins")
    assert result.exit_code == 0
    assert result.stderr == ""  # the table says it all
    header, *rows = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert header == "PLUGIN DISTRIBUTION VERSION STATUS PROVIDES"
    assert rows[0].startswith(f"builtin tfx-core {__version__} loaded attentions: sdpa, eager")
    assert rows[1:] == [
        "tfx-alien tfx-alien 1.2 loaded architectures: alien, martian; commands: greet",
        "unlucky tfx-broken 1.0 failed (importing tfx_broken_plugin failed: ZeroDivisionError: division by zero)",
        f"tfx-future tfx-future 1.0 incompatible (it needs tfx-core>=999, and {__version__} is installed; "
        'upgrade tfx-core: python -m pip install "tfx-core>=999")',
        "tfx-off tfx-off 1.0 disabled (switched off by TFX_DISABLE_PLUGINS)",
    ]


def test_a_setting_that_names_nothing_installed_is_told_beside_the_list(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("tfx-alien", architectures("alien"))
    monkeypatch.setenv("TFX_DISABLE_PLUGINS", "tfx-alian")
    for arguments in (("plugins",), ("architectures",)):
        discovery.rescan()
        result = run(*arguments)
        assert result.exit_code == 0
        assert result.stderr == (
            "Warning: TFX_DISABLE_PLUGINS names 'tfx-alian': no installed plugin is called that; tfx-alian: did you "
            "mean tfx-alien?; installed: tfx-alien\n"
        )


def test_columns_are_aligned(site: FakeSite) -> None:
    site.install("tfx-a-distribution-with-a-long-name", architectures("alien"), version="10.20.30")
    header, *rows = run("plugins").stdout.splitlines()
    column = header.index("STATUS")
    assert all(row[column - 2 : column + 6] == "  loaded" for row in rows)


def test_json_lines_hold_one_object_per_plugin(site: FakeSite) -> None:
    module = site.install("tfx-alien", architectures("alien") + command("greet", "pass"), entry_point="outer")
    site.install("tfx-broken", "1 / 0")
    core, alien, broken = lines("plugins", "--json")
    assert core["distribution"] == "tfx-core"
    assert alien == {
        "name": "outer",
        "distribution": "tfx-alien",
        "version": "1.0",
        "target": module,
        "requires": ["tfx-core>=0.1,<100"],
        "status": "loaded",
        "reason": None,
        "cure": None,
        "provides": {"architectures": ["alien"], "commands": ["greet"]},
    }
    assert broken["status"] == "failed"
    assert "traceback" not in broken
    assert "ZeroDivisionError" in str(lines("--debug", "plugins", "--json")[2]["traceback"])


def test_check_is_content_when_nothing_is_wrong(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("tfx-alien", f"{KERNELS}('fast', target='tfx_core.nn.kernels:eager')]\n")
    site.install("tfx-off", "1 / 0")
    monkeypatch.setenv("TFX_DISABLE_PLUGINS", "tfx-off")
    result = run("plugins", "--check")
    assert (result.exit_code, result.output) == (0, "nothing is wrong (3 plugins)\n")


@pytest.mark.parametrize(
    ("source", "requires", "told"),
    [
        ("1 / 0", ["tfx-core"], "failed: importing tfx_wrong_plugin failed: ZeroDivisionError: division by zero"),
        ("", ["tfx-core>=999"], "is incompatible: it needs tfx-core>=999"),
        (
            architectures("alien"),
            ["tfx-core"],
            "is conflicting: architecture 'alien' is also provided by plugin",
        ),
        (command("greet", "pass"), ["tfx-core"], "is conflicting: command 'greet' is also added by plugin 'tfx-alien'"),
        (command("run", "pass"), ["tfx-core"], "is conflicting: command 'run' is also added by the core itself"),
        (
            "import tfx_core\n@tfx_core.hookimpl\ndef tfx_commands(cli):\n    1 / 0\n",
            [],
            "its tfx_commands raised",
        ),
    ],
)
def test_check_tells_what_is_wrong_and_fails(site: FakeSite, source: str, requires: list[str], told: str) -> None:
    site.install("tfx-alien", architectures("alien") + command("greet", "pass"))
    site.install("tfx-wrong", source, requires=requires)
    result = run("plugins", "--check")
    assert result.exit_code == 1
    assert result.stderr == ""
    wrong = [line for line in result.stdout.splitlines() if line.startswith("plugin 'tfx-wrong' of tfx-wrong 1.0 ")]
    assert len(wrong) == 1
    assert told in wrong[0]
    assert run("plugins", "--check", "--json").exit_code == 1
    assert run("plugins").exit_code == 0


def test_check_shows_tracebacks_with_debug(site: FakeSite) -> None:
    site.install("tfx-broken", "def deep():\n    1 / 0\n\ndeep()\n")
    assert "Traceback" not in run("plugins", "--check").output
    result = run("--debug", "plugins", "--check")
    assert result.exit_code == 1
    assert "in deep" in result.stdout


def test_a_plugin_registered_at_run_time_is_listed(site: FakeSite) -> None:
    class Mine:
        @hookimpl
        def tfx_tasks(self) -> list[object]:
            return []

    with discovery.register(Mine(), name="mine"):
        (row,) = [line.split() for line in run("plugins").stdout.splitlines() if line.startswith("mine")]
        assert row == ["mine", "mine", "-", "loaded"]


def test_architectures_are_listed_with_distribution_and_heads(site: FakeSite) -> None:
    site.install("tfx-alien", architectures("martian", "alien"))
    header, *rows = [line.split() for line in run("architectures").stdout.splitlines()]
    assert header == ["ARCHITECTURE", "DISTRIBUTION", "HEADS"]
    assert rows == [["alien", "tfx-alien", "masked-lm"], ["martian", "tfx-alien", "masked-lm"]]


def test_architectures_as_json_lines(site: FakeSite) -> None:
    site.install("tfx-alien", architectures("alien", classes={"AlienModel": "backbone"}))
    assert lines("architectures", "--json") == [
        {
            "name": "alien",
            "distribution": "tfx-alien",
            "version": "1.0",
            "installed": True,
            "heads": ["masked-lm"],
            "capabilities": [],
            "hf_classes": {"AlienModel": "backbone"},
            "tokenizer_classes": [],
            "summary": "",
            "paper": "",
        }
    ]


def test_all_shows_what_could_be_installed(site: FakeSite) -> None:
    site.install("tfx-seq2seq", architectures("t5"))
    shown = run("architectures", "--all").stdout.splitlines()
    assert len(shown) == 1 + 29
    assert [line.split()[:3] for line in shown if line.startswith("t5 ")] == [["t5", "tfx-seq2seq", "masked-lm"]]
    assert any(line.startswith("bart ") and line.rstrip().endswith("(not installed)") for line in shown)
    described = {entry["name"]: entry for entry in lines("architectures", "--all", "--json")}
    assert described["bart"] == {
        "name": "bart",
        "distribution": "tfx-seq2seq",
        "installed": False,
    }
    assert described["t5"]["installed"] is True


def test_an_architecture_that_two_distributions_give_is_listed_twice(site: FakeSite) -> None:
    site.install("tfx-one", architectures("alien"))
    site.install("tfx-two", architectures("alien"))
    rows = [line.split()[:2] for line in run("architectures").stdout.splitlines()[1:]]
    assert rows == [["alien", "tfx-one"], ["alien", "tfx-two"]]


KERNELS = """
from tfx_core import AttentionSpec, hookimpl

@hookimpl
def tfx_attentions():
    return [AttentionSpec"""


def test_listing_imports_no_target_and_check_imports_them_all(site: FakeSite) -> None:
    for number in range(100):
        site.write(f"target_{number}.py", "from tfx_core.nn.kernels import eager as kernel\n")
        site.install(f"many-{number}", f"{KERNELS}('kernel-{number}', target='target_{number}:kernel')]\n")
    for arguments in (("plugins",), ("plugins", "--json"), ("architectures",), ("--help",)):
        assert run(*arguments).exit_code == 0
        assert not [name for name in sys.modules if name.startswith("target_")]
    result = run("plugins", "--check")
    assert (result.exit_code, result.stdout) == (0, "nothing is wrong (101 plugins)\n")
    assert len([name for name in sys.modules if name.startswith("target_")]) == 100


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (
            None,
            "ModuleNotFoundError: No module named 'kernels'; write that module, or correct the name; where it was "
            "lost, python -m pip install --force-reinstall tfx-fast",
        ),
        (
            "import einops_of_nobody",
            "ModuleNotFoundError: No module named 'einops_of_nobody'; install what brings it, or all that tfx-fast "
            "requires: python -m pip install tfx-fast",
        ),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise ValueError('\\x1b[2J\\nError: forged')", r"ValueError: \x1b[2J Error: forged"),
        (
            "other = 1",
            "AttributeError: module 'kernels' has no attribute 'fast'; define it there, or correct the target",
        ),
    ],
)
def test_check_says_so_when_a_target_is_missing(site: FakeSite, source: str | None, told: str) -> None:
    if source is not None:
        site.write("kernels.py", source)
    site.install("tfx-fast", f"{KERNELS}('fast', target='kernels:fast')]\n")
    assert run("plugins").stdout.splitlines()[-1].split()[3:] == ["loaded", "attentions:", "fast"]
    result = run("plugins", "--check")
    assert result.exit_code == 1
    where = "attention 'fast' of plugin 'tfx-fast' of tfx-fast 1.0"
    assert result.stdout == f"{where} could not be imported from 'kernels:fast': {told}\n"
    described = json.loads(run("plugins", "--check", "--json").stdout.splitlines()[-1])
    assert (described["status"], described["reason"]) == ("loaded", None)
    (problem,) = described["problems"]
    assert problem["spec"] == "attention 'fast'"
    assert told == "; ".join(filter(None, (problem["what"].partition("fast': ")[2], problem["cure"])))


def test_what_a_plugin_prints_is_not_the_answer(site: FakeSite) -> None:
    source = r"""
    from tfx_core import hookimpl

    print("\x1b[2Jhello")

    @hookimpl
    def tfx_commands(cli):
        print("asked")
    """
    site.install("tfx-loud", textwrap.dedent(source))
    ran = run("plugins", "--json")
    assert all(json.loads(line) for line in ran.stdout.splitlines())
    assert ran.stderr.splitlines() == [r"\x1b[2Jhello", "asked"]


def test_no_text_of_a_plugin_drives_the_terminal(site: FakeSite) -> None:
    source = r"""
    import click, warnings
    from tfx_core import ArchitectureSpec, TaskSpec, hookimpl

    TEXT = "\x1b[2J\x9b\u202e\nError: forged"

    @hookimpl
    def tfx_architectures():
        return [ArchitectureSpec("alien", target="math:pi", summary=TEXT, paper=TEXT)]

    @hookimpl
    def tfx_tasks():
        return [TaskSpec("probe", target="math:pi", summary=TEXT)]

    @hookimpl
    def tfx_commands(cli):
        @cli.command("greet", help=TEXT)
        def greet():
            warnings.warn(TEXT)
            warnings.warn(TEXT, DeprecationWarning)
            warnings.warn(TEXT, FutureWarning)

        @cli.command("fail")
        def fail():
            raise ValueError(TEXT)

        @cli.command("refuse")
        def refuse():
            raise click.ClickException(TEXT)
    """
    site.install("tfx-alien", textwrap.dedent(source))
    for arguments in (
        *(("plugins",), ("plugins", "--json"), ("plugins", "--check"), ("architectures",), ("architectures", "--json")),
        *(("--help",), ("run", "--help"), ("greet",), ("fail",), ("refuse",), ("--debug", "fail"), ("run", "probe")),
    ):
        result = run(*arguments)
        assert result.stdout.replace("\n", "").isprintable(), arguments
        assert result.stderr.replace("\n", "").isprintable(), arguments
        if arguments not in (("greet",), ("refuse",), ("--debug", "fail")):
            assert "\nError: forged" not in result.output, arguments
    assert [json.loads(line)["name"] for line in run("architectures", "--json").stdout.splitlines()] == ["alien"]
    assert run("fail").stderr.count("\n") == 1
