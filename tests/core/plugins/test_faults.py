"""Commands that mend something: what a shell makes of them is what was meant, whoever wrote the names in them."""

import shlex

import pytest

from tfx_core.plugins.faults import Fault, install, reinstall, switch_off, uninstall, upgrade


def test_a_command_can_be_copied_into_a_shell() -> None:
    assert install("torch>=2.6") == 'python -m pip install "torch>=2.6"'
    assert install("tfx_core (>=0.2, <1)") == 'python -m pip install "tfx_core>=0.2,<1"'
    assert install("tfx-core[chat]~=0.2 ; python_version >= '3'") == 'python -m pip install "tfx-core[chat]~=0.2"'
    assert upgrade("tfx-core", "tfx-llama") == "python -m pip install --upgrade tfx-core tfx-llama"
    assert reinstall("torch") == "python -m pip install --force-reinstall torch"
    assert uninstall("tfx-llama") == "python -m pip uninstall tfx-llama"
    assert switch_off("llama") == "export TFX_DISABLE_PLUGINS=llama"


@pytest.mark.parametrize(
    "name",
    ['x"; rm -rf ~; echo "', "x'; rm -rf ~; '", "$(rm x)", "`rm x`", "x\nrm x", "a b", "x\x1b[2J", "ü", "a&b|c>d"],
)
def test_a_strangers_name_is_one_word_of_the_command_and_drives_nothing(name: str) -> None:
    command = uninstall(name)
    assert command.isprintable()
    *before, word = shlex.split(command)
    assert before == ["python", "-m", "pip", "uninstall"]
    inside = command.removeprefix("python -m pip uninstall ")
    assert word == inside or (inside[0] == inside[-1] == '"' and not set(word) & set('$`\\"!;&|')) or inside[0] == "'"


def test_a_fault_without_a_cure_ends_with_what_is_wrong() -> None:
    assert str(Fault("is wrong")) == "is wrong"
    assert str(Fault("is wrong", "mend it")) == "is wrong; mend it"
