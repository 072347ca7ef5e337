"""``tfx-core doctor``: what the machine has, and why it has not the rest."""

import json

import pytest

from tests.core.cli.running import run
from tfx_core.nn.linears import choices
from tfx_core.nn.linears.onednn import OneDnn


def kernels() -> dict[str, list[dict[str, object]]]:
    told = json.loads(run("doctor", "--json").stdout)
    assert told["versions"]["torch"]
    assert told["machine"]["threads"] > 0
    found: dict[str, list[dict[str, object]]] = {}
    for each in told["kernels"]:
        found.setdefault(each["dtype"], []).append(each)
    return found


def test_one_kernel_of_each_type_is_used_the_first_that_lacks_nothing() -> None:
    found = kernels()
    assert {"float32", "bfloat16", "int8"} <= found.keys()
    for name, listed in found.items():
        assert [type(each).__name__ for each in getattr(choices, name)] == [each["kernel"] for each in listed]
        able = [each for each in listed if each["lacks"] is None]
        assert [each for each in listed if each["used"]] == able[:1]


def test_what_a_kernel_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OneDnn, "missing", lambda self: "there is no oneDNN")
    first, second, *_ = kernels()["float32"]
    assert (first["used"], first["lacks"], second["used"]) == (False, "there is no oneDNN", True)
    result = run("doctor")
    assert result.exit_code == 0
    assert "there is no oneDNN" in result.stdout
    assert "FROZEN DTYPE" in result.stdout
