"""``tfx-core doctor``: what the machine has and why it has not the rest, what is wrong and what mends it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tfx_core
from tests.core.cli.running import run
from tests.core.fake_site import FakeSite, architectures
from tests.processes import with_path
from tfx_core.cli import diagnosis
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


SETTINGS = ("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of this machine's own."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


def told(site: FakeSite) -> dict[str, Any]:
    """What a sound core tells of a place with these plugins; its own requirements are left out of it."""
    result = run("doctor", "--json")
    answer: dict[str, Any] = json.loads(result.stdout)
    assert result.stderr == ""
    assert result.exit_code == bool(answer["wrong"])
    return answer


def cures(faults: list[dict[str, str]]) -> dict[str, str]:
    return {each["what"]: each["cure"] for each in faults}


def test_nothing_is_wrong_with_the_core_alone(site: FakeSite) -> None:
    result = run("doctor")
    assert result.exit_code == 0
    assert result.stdout.endswith("\nnothing is wrong\n")
    assert "WRONG" not in result.stdout
    answer = told(site)
    assert answer["wrong"] == []
    assert answer["versions"]["tfx-core"] == tfx_core.__version__
    assert [each["status"] for each in answer["plugins"]] == ["loaded"]
    assert [(each["attention"], each["lacks"]) for each in answer["attentions"]][:2] == [
        ("sdpa", None),
        ("eager", None),
    ]


def test_plugins_are_listed_and_what_is_wrong_with_them_is_told_with_the_command_that_mends_it(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("tfx-broken", "1 / 0", entry_point="unlucky")
    site.install("tfx-future", requires=["tfx-core>=999"])
    site.install("tfx-lacking", "import einops_of_nobody")
    site.install("tfx-one", architectures("alien"))
    site.install("tfx-two", architectures("alien"))
    site.install("tfx-off", "1 / 0")
    monkeypatch.setenv("TFX_DISABLE_PLUGINS", "tfx-off")
    monkeypatch.setenv("TFX_STRICT_PLUGINS", "1")  # which stops everything else
    answer = told(site)
    assert {each["name"]: each["status"] for each in answer["plugins"]} == {
        "builtin": "loaded",
        "tfx-future": "incompatible",
        "tfx-lacking": "failed",
        "tfx-off": "disabled",
        "tfx-one": "conflicting",
        "tfx-two": "conflicting",
        "unlucky": "failed",
    }
    assert cures(answer["wrong"]) == {
        "plugin 'unlucky' of tfx-broken 1.0 failed: importing tfx_broken_plugin failed: ZeroDivisionError: division by "
        "zero": "python -m pip install --upgrade tfx-broken, or leave it alone: export TFX_DISABLE_PLUGINS=unlucky",
        f"plugin 'tfx-future' of tfx-future 1.0 is incompatible: it needs tfx-core>=999, and {tfx_core.__version__} is "
        "installed": 'upgrade tfx-core: python -m pip install "tfx-core>=999"',
        "plugin 'tfx-lacking' of tfx-lacking 1.0 failed: importing tfx_lacking_plugin failed: ModuleNotFoundError: No "
        "module named 'einops_of_nobody'": "install what brings it, or all that tfx-lacking requires: python -m pip "
        "install tfx-lacking",
        "plugin 'tfx-one' of tfx-one 1.0 is conflicting: architecture 'alien' is also provided by plugin 'tfx-two' of "
        "tfx-two 1.0": "say 'tfx-one:…' where this one is meant, or take it out: python -m pip uninstall tfx-one",
        "plugin 'tfx-two' of tfx-two 1.0 is conflicting: architecture 'alien' is also provided by plugin 'tfx-one' of "
        "tfx-one 1.0": "say 'tfx-two:…' where this one is meant, or take it out: python -m pip uninstall tfx-two",
    }
    off = "plugin 'tfx-off' of tfx-off 1.0 is switched off by TFX_DISABLE_PLUGINS"
    assert cures(answer["advice"])[off] == "unset TFX_DISABLE_PLUGINS"
    lines = run("doctor").stdout.splitlines()
    assert lines[lines.index("WRONG") + 2] == f"    {cures(answer['wrong'])[lines[lines.index('WRONG') + 1]]}"


def test_requirements_that_are_not_met_are_told(site: FakeSite) -> None:
    needs = [
        "tfx-core>=0.1,<100",
        "torch>=99",
        "not-installed-at-all>=2 ; python_version >= '3'",
        "extra-only; extra == 'x'",
    ]
    site.install("tfx-alien", architectures("alien"), requires=[*needs, "nowhere-needed; python_version < '3'"])
    site.install("tfx-odd", architectures("odd"), requires=["tfx-core", "torch at least 2"])
    site.install("torch", version="2.9.1", entry_points="")
    wrong = cures(told(site)["wrong"])
    assert wrong.pop("tfx-alien needs torch>=99, and 2.9.1 is installed") == 'python -m pip install "torch>=99"'
    assert wrong.pop("tfx-alien needs not-installed-at-all>=2 ; python_version >= '3', which is not installed") == (
        'python -m pip install "not-installed-at-all>=2"'
    )
    (odd,) = wrong
    assert odd.startswith("the requirements of tfx-odd cannot be read: InvalidRequirement: ")
    assert wrong[odd] == "python -m pip install --force-reinstall tfx-odd"


def test_versions_of_ours_that_differ_are_advice(site: FakeSite) -> None:
    site.install("tfx-encoders", architectures("bert"), version="0.1.1")
    site.install("tfx-decoders", architectures("gpt2"), version="0.0.9")
    said = "distributions of tfx are released together, and these differ: tfx-core 0.1.0, tfx-decoders 0.0.9, tfx-en"
    (cure,) = (cure for what, cure in cures(told(site)["advice"]).items() if what.startswith(said))
    assert cure == "python -m pip install --upgrade tfx-core tfx-decoders"


def test_a_core_whose_metadata_are_anothers_is_told(site: FakeSite) -> None:
    site.install("tfx-core", version="0.0.7", entry_points="")
    assert cures(told(site)["wrong"]) == {
        "tfx-core 0.1.0 is imported, and the metadata installed with it say 0.0.7": (
            "python -m pip install --force-reinstall tfx-core"
        )
    }


def test_settings_that_matter_are_shown_and_those_that_cannot_mean_it_told(
    site: FakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    given = {
        "TFX_PLUGINS": "tfx-absent",
        "TFX_DISABLE_PLUGIN": "x",
        "TFX_HOME": "somebody else's",
        "HF_HOME": str(file),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "many",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    answer = told(site)
    assert answer["settings"] == {
        name: given[name] for name in ("TFX_PLUGINS", "HF_HOME", "HF_HUB_OFFLINE", "OMP_NUM_THREADS")
    }
    assert cures(answer["wrong"]) == {
        "TFX_PLUGINS names 'tfx-absent', which no plugin is called": "unset TFX_PLUGINS",
        "TFX_DISABLE_PLUGIN is no setting of tfx; TFX_DISABLE_PLUGINS is": "unset TFX_DISABLE_PLUGIN",
        f"HF_HOME={str(file)!r}: nothing can be written there": "unset HF_HOME",
        "OMP_NUM_THREADS='many': must be a number of at least 1": "unset OMP_NUM_THREADS",
    }
    assert "unset HF_HUB_OFFLINE" in cures(answer["advice"]).values()


def test_threads_other_than_there_are_processors_are_advice(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "processors", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")
    told_of = cures(told(site)["advice"])
    assert told_of["OMP_NUM_THREADS=2: this process may use 8 processors"] == "unset OMP_NUM_THREADS"
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert "unset OMP_NUM_THREADS" not in cures(told(site)["advice"]).values()


def test_slow_bfloat16_is_advised_to_be_frozen(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OneDnn, "missing", lambda self: "it has no instructions for it")
    advice = cures(told(site)["advice"])
    said = "bfloat16 is slow on this processor unless weights are frozen: it has no instructions for it"
    assert advice[said] == "give --frozen with --dtype bfloat16, or --dtype int8"


KERNELS = """
def failing(query, key, value, bias, *, scale, dropout, observer):
    raise SystemExit("no such GPU")

def fine(query, key, value, bias, *, scale, dropout, observer):
    return value

class Mute:
    dtype = table_dtype = None
    def pack(self, weight, bias): ...
    def missing(self):
        raise SystemExit(3)

MUTE = Mute()
"""
PLUGIN = """
from tfx_core import AttentionSpec, LinearSpec, hookimpl

@hookimpl
def tfx_attentions():
    return [AttentionSpec(name, target=f"kernels:{name}") for name in ("failing", "fine", "absent")]

@hookimpl
def tfx_linears():
    return [LinearSpec("mute", target="kernels:MUTE"), LinearSpec("none", target="math:pi")]
"""


def test_kernels_of_plugins_are_tried_and_none_stops_the_answer(site: FakeSite) -> None:
    site.write("kernels.py", KERNELS)
    site.install("tfx-kernels", PLUGIN)
    answer = told(site)
    lacks = {each["attention"]: each["lacks"] for each in answer["attentions"] if each["distribution"] == "tfx-kernels"}
    absent = "could not be imported from 'kernels:absent': AttributeError: module 'kernels' has no attribute 'absent'"
    assert lacks == {"failing": "SystemExit: no such GPU", "fine": None, "absent": absent}
    of_plugin = "of plugin 'tfx-kernels' of tfx-kernels 1.0"
    assert list(cures(answer["wrong"])) == [
        f"linear 'mute' {of_plugin} cannot say what it lacks here: SystemExit: 3",
        f"linear 'none' {of_plugin} stands for 3.141592653589793, which is no tfx_core.nn.LinearKernel, nor some: "
        "dtype, table_dtype, missing, pack missing",
        f"attention 'absent' {of_plugin} {absent}",
    ]


def test_it_works_where_torch_cannot_be_imported_and_a_plugin_is_broken(site: FakeSite) -> None:
    site.write("torch.py", "raise OSError('libtorch_cpu.so: cannot open shared object file')")
    site.install("tfx-broken", "1 / 0")
    command = [sys.executable, "-P", "-m", "tfx_core", "doctor", "--json"]
    env = {**with_path(site.root), "TFX_PLUGINS": "tfx-broken"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    answer = json.loads(done.stdout)
    assert (answer["kernels"], answer["attentions"]) == ([], [])
    wrong = cures(answer["wrong"])
    assert wrong["torch cannot be imported: OSError: libtorch_cpu.so: cannot open shared object file"] == (
        "python -m pip install --force-reinstall torch"
    )
    assert any(what.startswith("plugin 'tfx-broken' of tfx-broken 1.0 failed") for what in wrong)
    shown = subprocess.run(command[:-1], env=env, capture_output=True, text=True, check=False)
    assert "    python -m pip install --force-reinstall torch\n" in shown.stdout


def test_a_library_beside_torch_that_cannot_be_imported_is_told(site: FakeSite) -> None:
    site.write("tokenizers.py", "raise ImportError('tokenizers.abi3.so: undefined symbol')")
    wrong = cures(told_apart(site)["wrong"])
    assert wrong["tokenizers cannot be imported: ImportError: tokenizers.abi3.so: undefined symbol"] == (
        "python -m pip install --force-reinstall tokenizers"
    )


def test_entry_points_that_nobody_can_read_are_told_with_whose_they_are(site: FakeSite) -> None:
    site.install("tfx-half", "1 / 0")
    (points,) = site.root.glob("tfx_half*/entry_points.txt")
    points.write_bytes(b"[tfx_core]\n\xff = tfx_half")
    wrong = cures(told_apart(site)["wrong"])
    (what,) = (each for each in wrong if each.startswith("the entry points of tfx-half cannot be read: Unicode"))
    assert wrong[what] == "python -m pip install --force-reinstall tfx-half"


def told_apart(site: FakeSite) -> dict[str, Any]:
    """What a process that finds these files first answers."""
    command = [sys.executable, "-P", "-m", "tfx_core", "doctor", "--json"]
    done = subprocess.run(command, env=with_path(site.root), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
