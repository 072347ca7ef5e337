"""``tfx-core plugins --check``: all that can be wrong with an installed plugin, found before its users find it."""

import json

import pytest

from tests.core.cli.running import run
from tests.core.fake_site import FakeSite
from tfx_core.plugins import discovery
from tfx_core.plugins.specs import KINDS, Spec


def plugin(*specs: str, more: str = "") -> str:
    """The source of a plugin that provides specs, each written as its expression."""
    hooks = {kind: [each for each in specs if each.startswith(kind.__name__)] for kind in KINDS}
    answers = "".join(
        f"@hookimpl\ndef {kind.hook}():\n    return [{', '.join(written)}]\n"
        for kind, written in hooks.items()
        if written
    )
    return f"from tfx_core import hookimpl\nfrom tfx_core.plugins import *\n\n{answers}{more}"


def wrong(*arguments: str) -> list[str]:
    """The lines of a check that finds something."""
    result = run("plugins", "--check", *arguments)
    assert (result.exit_code, result.stderr) == (1, ""), result.output
    return result.stdout.splitlines()


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_that_cannot_be_imported_is_found_whatever_its_kind(site: FakeSite, kind: type[Spec]) -> None:
    site.install("tfx-alien", plugin(f"{kind.__name__}('mine', target='nowhere_at_all:mine')"))
    (line,) = wrong()
    assert f"{kind.kind} 'mine'" in line
    assert "'nowhere_at_all:mine'" in line
    assert "No module named 'nowhere_at_all'" in line


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_of_the_wrong_type_is_found_whatever_its_kind(site: FakeSite, kind: type[Spec]) -> None:
    site.install("tfx-alien", plugin(f"{kind.__name__}('mine', target='math:pi')"))
    (line,) = wrong()
    assert f"{kind.kind} 'mine' of plugin 'tfx-alien' of tfx-alien 1.0 stands for 3.14" in line
    assert line.endswith("; correct its target 'math:pi', or what is there")


DECODER = "ArchitectureSpec('toy-decoder', target='decoder_again:ARCHITECTURE'{})"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (", heads=('causal-lm',)", "is not as promised: heads of the spec ['causal-lm'], of decoder_again:ARCH"),
        ("", "is not as promised: heads of the spec [], of"),
        (
            ", heads=('causal-lm', 'token-classification'), capabilities=('pooled-state',)",
            "is not as promised: capabilities of the spec ['pooled-state'], of",
        ),
    ],
)
def test_an_architecture_must_have_what_its_spec_promises(site: FakeSite, said: str, told: str) -> None:
    site.write("decoder_again.py", "from tfx_testing.toy_decoder import ARCHITECTURE")
    site.install("tfx-alien", plugin(DECODER.format(said)))
    (line,) = wrong()
    assert told in line
    assert line.endswith("; make both say the same")


def test_an_architecture_must_have_the_model_type_of_its_spec(site: FakeSite) -> None:
    site.write("decoder_again.py", "from tfx_testing.toy_decoder import ARCHITECTURE")
    site.install("tfx-alien", plugin("ArchitectureSpec('decoder', target='decoder_again:ARCHITECTURE')"))
    assert "model_type of the spec ['decoder'], of decoder_again:ARCHITECTURE ['toy-decoder']" in wrong()[0]


KERNELS = """
from tfx_core.nn import Window
from tfx_core.nn.kernels import eager

def few(query, key, value):
    return value

def window(before):
    return Window(before, before)

def nothing(before):
    return before

def failing(before):
    raise OSError("no such thing")
"""


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("'mine', target='kernels:few'", "cannot be called as a tfx_core.nn.AttentionKernel is: too many positional"),
        ("'mine', target='kernels:window', example='mine 16'", "its example, 'mine 16', raises UnknownNameError"),
        ("'mine', target='kernels:window', example='yours(16)'", "has the example 'yours(16)', which does not call it"),
        ("'mine', target='kernels:window', example='mine(1, 2)'", "mine(1, 2)', raises InputError"),
        ("'mine', target='kernels:nothing', example='mine(1)'", "'mine(1)', raises TypeError"),
        ("'mine', target='kernels:failing', example='mine(1)'", "raises OSError: no such thing"),
        ("'mine', target='kernels:eager'", ""),
        ("'mine', target='kernels:window', example='mine(16)'", ""),
    ],
)
def test_an_attention_is_made_as_its_example_says(site: FakeSite, spec: str, told: str) -> None:
    site.write("kernels.py", KERNELS)
    site.install("tfx-alien", plugin(f"AttentionSpec({spec})"))
    result = run("plugins", "--check")
    assert result.exit_code == bool(told), result.stdout
    assert told in result.stdout


def test_the_command_line_waits_for_no_plugin_that_imports_torch_unnoticed(site: FakeSite) -> None:
    site.write("heavy/__init__.py", "from importlib.util import find_spec\nHAS = find_spec('numpy')\nimport heavy.deep")
    site.write("heavy/deep.py", "\n\nimport numpy.linalg")
    fine = "AttentionSpec('{}', target='tfx_core.nn.kernels:eager')".format
    site.install("tfx-one", "import torch.nn\n" + plugin(fine("one")))
    site.install("tfx-two", "import heavy\n" + plugin(fine("two")))
    late = "@hookimpl\ndef tfx_commands(cli):\n    from torch import nn\n"
    site.install("tfx-late", plugin(fine("late"), more=late))
    tries = "try:\n    import torch\nexcept ImportError:\n    pass\n"
    site.install("tfx-tries", tries + plugin(fine("tries")))
    asks = "from importlib.util import find_spec\nHAS = find_spec('torch') is not None\nprint('hello')\n"
    site.install("tfx-asks", asks + plugin(fine("asks")))
    late, one, tries, two = run("plugins", "--check").stdout.splitlines()  # what a plugin prints is no answer
    for line, where in (
        (late, "torch (tfx_late_plugin, line 9)"),
        (one, "torch (tfx_one_plugin, line 1)"),
        (tries, "torch (tfx_tries_plugin, line 2)"),
        (two, "numpy (heavy.deep, line 3)"),
    ):
        assert f" 1.0 imports {where} while it is loaded, and every start of the command line waits for that" in line
        assert line.endswith("; import it in the module that a target names, or inside of the function that uses it")


def test_a_plugin_must_say_which_core_it_needs(site: FakeSite) -> None:
    site.install("tfx-alien", plugin("AttentionSpec('mine', target='tfx_core.nn.kernels:eager')"), requires=["torch"])
    (line,) = wrong()
    assert "plugin 'tfx-alien' of tfx-alien 1.0 has metadata that do not say which tfx-core it needs" in line
    assert line.endswith('write dependencies = ["tfx-core>=0.1,<1"] into its pyproject.toml')


def test_a_class_name_of_two_architectures_is_told_of_both_but_for_tfxs_own(site: FakeSite) -> None:
    spec = "ArchitectureSpec('{}', target='math:pi', hf_classes={{'{}ForMaskedLM': 'masked-lm'}})".format
    site.install("tfx-one", plugin(spec("one", "Shared")))
    site.install("tfx-two", plugin(spec("two", "Shared")))
    site.install("tfx-encoders", plugin(spec("bert", "Bert")))
    site.install("tfx-three", plugin(spec("three", "Bert")))
    claims = [line for line in wrong() if "claims" in line]
    assert claims == [
        f"architecture '{own}' of plugin 'tfx-{own}' of tfx-{own} 1.0 claims the class {name}ForMaskedLM of "
        f"architecture '{other}' of plugin '{giver}' of {giver} 1.0; give it the class names of its own model"
        for own, name, other, giver in (
            ("one", "Shared", "two", "tfx-two"),
            ("three", "Bert", "bert", "tfx-encoders"),
            ("two", "Shared", "one", "tfx-one"),
        )
    ]


def test_a_head_must_find_its_place(site: FakeSite) -> None:
    spec = "HeadSpec('crf', target='a_head:HEAD', capability={!r}, serves=({!r},))".format
    site.write(
        "a_head.py", "from tfx_testing.toy_decoder import ARCHITECTURE\n\nHEAD = ARCHITECTURE.heads['causal-lm']\n"
    )
    site.install("tfx-one", plugin(spec("token-state", "token-clasification")))
    where = "head 'crf' of plugin 'tfx-one' of tfx-one 1.0"
    assert wrong() == [
        f"{where} needs the capability 'token-state', which no installed architecture has; say one of 'token-states', "
        "'pooled-state'",
        f"{where} serves 'token-clasification', which no installed task asks for; did you mean 'token-classification'?",
    ]


def test_aliases_of_tasks_that_collide_are_told_wherever_plugins_are(site: FakeSite) -> None:
    task = "TaskSpec('{}', target='tests.core.tasks.counting:Counting', aliases=('{}',))".format
    site.install("tfx-one", plugin(task("tag", "tagging")))
    site.install("tfx-two", plugin(task("label", "tagging")))
    site.install("tfx-three", plugin(task("names", "ner")))
    site.install("tfx-four", plugin(task("hide", "fill-mask")))
    site.install("tfx-five", plugin(task("english", "translation_to_{tgt_lang}_to_en")))
    site.install("tfx-six", plugin(task("mine", "tag_{x}"), task("other", "tag_{y}")))
    reasons = {each["name"]: each["reason"] for each in map(json.loads, run("plugins", "--json").stdout.splitlines())}
    assert (
        reasons["tfx-one"]
        == "alias 'tagging' of task 'tag' stands for task 'label' of plugin 'tfx-two' of tfx-two 1.0 too"
    )
    assert (
        reasons["tfx-two"]
        == "alias 'tagging' of task 'label' stands for task 'tag' of plugin 'tfx-one' of tfx-one 1.0 too"
    )
    core = "of plugin 'builtin' of tfx-core 0.1.0"
    assert reasons["tfx-three"] == f"alias 'ner' of task 'names' stands for task 'token-classification' {core} too"
    assert reasons["tfx-four"] == f"alias 'fill-mask' of task 'hide' is the name of a task {core}, which goes before it"
    assert "stands for task 'translation' of plugin 'builtin'" in reasons["tfx-five"]
    assert "alias 'tag_{x}' of task 'mine' stands for task 'other'" in reasons["tfx-six"]
    assert reasons["builtin"] is None


def test_a_check_can_be_of_some_plugins_only(site: FakeSite) -> None:
    spec = "AttentionSpec({!r}, target='nowhere:{}')".format
    site.install("tfx-one", plugin(spec("one", "one")), entry_point="first")
    site.install("tfx-two", plugin(spec("two", "two")))
    for name in ("tfx-one", "Tfx_One", "first"):
        (line,) = wrong("--only", name)
        assert line.startswith("attention 'one' of plugin 'first' of tfx-one 1.0")
    assert len(wrong("--only", "tfx-one", "--only", "tfx-two")) == 2
    assert [line.split()[0] for line in run("plugins", "--only", "first").stdout.splitlines()] == ["PLUGIN", "first"]
    result = run("plugins", "--only", "tfx-tow")
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: Invalid value for '--only': no plugin is called 'tfx-tow'; did you mean tfx-two? (see tfx-core plugins "
        "--help)\n",
    )


def test_an_entry_point_whose_module_does_not_exist_is_told_with_the_cure(site: FakeSite) -> None:
    site.install("tfx-alien", entry_points="[tfx_core]\nalien = tfx_alien.plugin\n")
    told = "failed: importing tfx_alien.plugin failed: ModuleNotFoundError: No module named 'tfx_alien'"
    cure = (
        "write that module, or correct the name; where it was lost, python -m pip install --force-reinstall tfx-alien"
    )
    assert wrong() == [f"plugin 'alien' of tfx-alien 1.0 {told}; {cure}"]
    (line,) = wrong("--json", "--only", "alien")
    problems = json.loads(line)["problems"]
    assert problems == [{"spec": None, "what": told, "cure": cure}]


def test_each_problem_is_an_object_of_json_with_its_traceback_where_that_is_asked_for(site: FakeSite) -> None:
    site.install("tfx-alien", plugin("TaskSpec('mine', target='math:pi')", "HeadSpec('mine', target='math:tau')"))
    (line,) = wrong("--json", "--only", "tfx-alien")
    assert [(each["spec"], each["cure"]) for each in json.loads(line)["problems"]] == [
        ("head 'mine'", "correct its target 'math:tau', or what is there"),
        ("task 'mine'", "correct its target 'math:pi', or what is there"),
    ]
    site.write("failing.py", "def deep():\n    1 / 0\n\ndeep()\n")
    site.install("tfx-other", plugin("TaskSpec('other', target='failing:Task')"))
    discovery.rescan()
    result = run("--debug", "plugins", "--check", "--json", "--only", "tfx-other")
    (problem,) = json.loads(result.stdout)["problems"]
    assert "in deep" in problem["traceback"]
