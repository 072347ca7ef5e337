"""Loading plugins: what each provides is found, and a broken one takes nothing with it but itself."""

import sys
import threading
import time
import warnings

import pytest

from tests.core.fake_site import FakeSite, architectures, names, plugin_of
from tfx_core.errors import PluginError, UnknownNameError
from tfx_core.plugins import ArchitectureSpec, HeadSpec, discovery, distributions, registry
from tfx_core.plugins.discovery import Plugin, PluginWarning, Status
from tfx_core.plugins.specs import KINDS


def test_an_installed_plugin_is_found_with_all_that_metadata_says(site: FakeSite) -> None:
    module = site.install("tfx-alien", architectures("alien"), entry_point="outer", version="3.2")
    plugin = plugin_of("tfx-alien")
    assert (plugin.name, plugin.version, plugin.target, plugin.status) == ("outer", "3.2", module, Status.LOADED)
    assert [spec.name for spec in plugin.specs[ArchitectureSpec]] == ["alien"]
    assert names() == {"alien"}


def test_two_plugins_of_the_same_entry_point_name_both_load(site: FakeSite) -> None:
    site.install("tfx-one", architectures("one"), entry_point="encoders")
    site.install("tfx-two", architectures("two"), entry_point="encoders")
    assert names() == {"one", "two"}


def test_an_entry_point_can_name_an_object(site: FakeSite) -> None:
    source = """
    from tfx_core import HeadSpec, hookimpl

    class Plugin:
        TFX_API = 1

        @hookimpl
        def tfx_heads(self):
            return [HeadSpec("crf", target="nowhere:CRF")]

    inner = Plugin()
    """
    site.install("tfx-object", source, entry_points="[tfx_core]\nobject = tfx_object_plugin:inner\n")
    assert names(HeadSpec) == {"crf"}


def test_every_kind_is_asked_for(site: FakeSite) -> None:
    source = "from tfx_core.plugins import specs\nfrom tfx_core import hookimpl\n" + "".join(
        f"@hookimpl\ndef {kind.hook}():\n    return [specs.{kind.__name__}('mine', target='nowhere:mine')]\n"
        for kind in KINDS
    )
    site.install("tfx-all", source)
    for kind in KINDS:
        assert "mine" in names(kind), kind


BROKEN = {
    "raises on import": ("raise ValueError('the planet is gone')", "ValueError: the planet is gone"),
    "does not compile": ("def (", "SyntaxError"),
    "lacks a dependency": ("import not_installed_at_all", "No module named 'not_installed_at_all'"),
    "ends the program on import": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "answers no hook": ("x = 1", "answers no hook"),
    "forgot the marker": ("def tfx_tasks():\n    return []\n", "tfx_tasks lacks @tfx_core.hookimpl"),
    "misspells a hook": (
        "from tfx_core import hookimpl\n@hookimpl\ndef tfx_architecture():\n    return []\n",
        "tfx_architecture, which is no hook of tfx-core",
    ),
    "wants an argument that no hook has": (
        "from tfx_core import hookimpl\n@hookimpl\ndef tfx_tasks(universe):\n    return []\n",
        "universe",
    ),
    "wraps others": (
        "from tfx_core import hookimpl\n@hookimpl(wrapper=True)\ndef tfx_tasks():\n    return (yield)\n",
        "tfx_tasks is a hook wrapper",
    ),
    "declares a level that is no number": ("TFX_API = '1'", "TFX_API must be an integer, not '1'"),
}

ANSWERS = {
    "raises": ("raise RuntimeError('no answer')", "its tfx_architectures raised RuntimeError: no answer"),
    "ends the program": ("raise SystemExit(1)", "its tfx_architectures raised SystemExit: 1"),
    "nothing": ("return None", "its tfx_architectures returned None, not a list of ArchitectureSpec"),
    "a spec without a list": ("return A('x', target='a:b')", "returned an object of type ArchitectureSpec, not a list"),
    "a generator": ("yield A('x', target='a:b')", "returned an object of type generator, not a list"),
    "names": ("return ['bert']", "returned 'bert' in its list of ArchitectureSpec"),
    "specs of another kind": ("return [T('x', target='a:b')]", "an object of type TaskSpec in its list of"),
    "a name twice": ("return [A('x', target='a:b'), A('x', target='a:c')]", "returned 'x' twice"),
    "a name that is no string": ("return [A(7, target='a:b')]", "name=7, which is not a string"),
    "an empty name": ("return [A('', target='a:b')]", "a name that is empty"),
    "a name with a colon": ("return [A('a:b', target='a:b')]", "holds ':'"),
    "an object for a target": ("return [A('x', target=print)]", "which is not a string"),
    "a target without attribute": ("return [A('x', target='a.b')]", "not of the form 'package.module:attribute'"),
    "one head as a string": ("return [A('x', target='a:b', heads=('lm'))]", "heads='lm', which is not a tuple of"),
    "classes as a list": ("return [A('x', target='a:b', hf_classes=['X'])]", "not a mapping of strings to strings"),
    "a class of no head": (
        "return [A('x', target='a:b', heads=('qa',), hf_classes={'XForLM': 'lm'})]",
        "hf_classes['XForLM']='lm', which is not one of its heads",
    ),
}
BROKEN |= {
    f"answers with {what}" if not what.startswith(("raises", "ends")) else f"{what} when asked": (
        "from tfx_core import ArchitectureSpec as A, TaskSpec as T, hookimpl\n"
        f"@hookimpl\ndef tfx_architectures():\n    {body}\n",
        reason,
    )
    for what, (body, reason) in ANSWERS.items()
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_plugin_is_one_warning_and_harms_no_other(site: FakeSite, what: str) -> None:
    source, reason = BROKEN[what]
    site.install("tfx-aaa", architectures("before"))
    site.install("tfx-broken", source, entry_point="unlucky")
    site.install("tfx-zzz", architectures("after"))
    with pytest.warns(PluginWarning) as caught:
        assert names() == {"before", "after"}
    (warning,) = caught
    assert "plugin 'unlucky' of tfx-broken 1.0 failed" in str(warning.message)
    assert reason in str(warning.message)
    assert "\n" not in str(warning.message)
    with warnings.catch_warnings():  # once is enough
        warnings.simplefilter("error")
        assert registry.find(ArchitectureSpec, "after").name == "after"
    plugin = plugin_of("tfx-broken")
    assert plugin.status is Status.FAILED
    assert reason in plugin.reason


def test_a_failed_plugin_keeps_its_traceback(site: FakeSite) -> None:
    site.install("tfx-broken", "def deep():\n    raise KeyError('inner')\n\ndeep()\n")
    assert "tfx_broken_plugin.py" in plugin_of("tfx-broken").traceback()
    assert "in deep" in plugin_of("tfx-broken").traceback()


def test_all_faults_of_a_plugin_are_told_at_once(site: FakeSite) -> None:
    source = """
    from tfx_core import hookimpl

    @hookimpl
    def tfx_tasks():
        return 1

    @hookimpl
    def tfx_heads():
        return 2
    """
    site.install("tfx-broken", source)
    reason = plugin_of("tfx-broken").reason
    assert "its tfx_tasks returned 1" in reason
    assert "its tfx_heads returned 2" in reason


def test_a_name_that_a_broken_plugin_would_have_given_is_answered_with_its_failure(site: FakeSite) -> None:
    source = architectures("alien") + "@hookimpl\ndef tfx_tasks():\n    return 'rubbish'\n"
    site.install("tfx-broken", source)
    with pytest.warns(PluginWarning):
        assert names() == set()
    with pytest.raises(PluginError, match=r"'alien' is provided by .*tfx-broken 1.0 failed: its tfx_tasks returned"):
        registry.find(ArchitectureSpec, "alien")


def test_an_unknown_name_tells_which_failed_plugins_it_may_belong_to(site: FakeSite) -> None:
    site.install("tfx-broken", "1 / 0", entry_point="unlucky")
    with pytest.warns(PluginWarning), pytest.raises(UnknownNameError, match="may belong to plugin 'unlucky' of tfx-b"):
        registry.find(ArchitectureSpec, "alien")


def test_strict_raises_at_once_with_the_cause(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("tfx-alien", architectures("alien"))
    site.install("tfx-broken", "1 / 0", entry_point="unlucky")
    monkeypatch.setenv("TFX_STRICT_PLUGINS", "1")
    for _ in range(2):  # not only the first time
        with pytest.raises(PluginError, match="plugin 'unlucky' of tfx-broken") as caught:
            registry.find(ArchitectureSpec, "alien")
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
    monkeypatch.setenv("TFX_STRICT_PLUGINS", "0")
    assert registry.find(ArchitectureSpec, "alien").name == "alien"


def test_strict_raises_for_a_clash_too(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("tfx-one", architectures("alien"))
    site.install("tfx-two", architectures("alien"))
    monkeypatch.setenv("TFX_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError, match="'alien' is also provided by plugin 'tfx-two'"):
        discovery.discovered()


def test_a_plugin_that_asks_the_registry_while_it_loads_fails_alone(site: FakeSite) -> None:
    site.install("tfx-eager", "from tfx_core.plugins import registry\nregistry.architectures()\n")
    site.install("tfx-alien", architectures("alien"))
    assert "while the plugins were being loaded" in plugin_of("tfx-eager").reason
    assert names() == {"alien"}


def test_an_answer_to_a_hook_of_a_newer_core_can_be_optional(site: FakeSite) -> None:
    later = "@hookimpl(optionalhook=True)\ndef tfx_telepathy(minds):\n    return []\n"
    site.install("tfx-alien", architectures("alien") + later)
    assert plugin_of("tfx-alien").status is Status.LOADED


def test_a_plugin_that_fails_is_not_tried_again_until_a_rescan(site: FakeSite) -> None:
    module = site.install("tfx-broken", "1 / 0")
    assert plugin_of("tfx-broken").status is Status.FAILED
    site.write(f"{module}.py", architectures("mended"))
    assert plugin_of("tfx-broken").status is Status.FAILED
    discovery.rescan()
    assert names() == {"mended"}


def test_metadata_is_scanned_once(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("tfx-alien", architectures("alien"))
    scans: list[float] = []
    monkeypatch.setattr(distributions, "scan", lambda scan=distributions.scan: scans.append(time.time()) or scan())
    for _ in range(3):
        registry.find(ArchitectureSpec, "alien")
        discovery.discovered()
    assert len(scans) == 1


def test_threads_that_ask_together_get_the_same_plugins(site: FakeSite) -> None:
    slow = "import time\nimported = globals().get('imported', 0) + 1\ntime.sleep(0.05)\n" + architectures("slow")
    module = site.install("tfx-slow", slow)
    site.install("tfx-broken", "import time\ntime.sleep(0.02)\n1 / 0")
    barrier = threading.Barrier(8)
    seen: list[tuple[Plugin, ...]] = []

    def ask() -> None:
        barrier.wait()
        seen.append(discovery.discovered())

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(seen) == 8
    assert all(found is seen[0] for found in seen)
    assert sys.modules[module].imported == 1
    assert [warning.category for warning in caught] == [PluginWarning]


def test_a_package_that_asks_the_registry_while_another_thread_loads_plugins_does_not_hang(site: FakeSite) -> None:
    # This thread holds Python's lock of the package and wants the plugins; the other loads the plugins and wants the
    # package. A lock of ours around the imports would be a deadlock that Python cannot see.
    site.write("gate.py", "import threading\nentered = threading.Event()\ngo = threading.Event()\n")
    site.write(
        "heavy/__init__.py",
        """
        import gate
        gate.entered.set()
        gate.go.wait(20)
        from tfx_core.plugins import ArchitectureSpec, registry
        found = registry.find(ArchitectureSpec, "heavy")
        """,
    )
    site.write("heavy/plugin.py", architectures("heavy"))
    site.install("tfx-heavy", entry_points="[tfx_core]\nheavy = heavy.plugin\n")
    import gate

    importing = threading.Thread(target=__import__, args=("heavy",), daemon=True)
    importing.start()
    assert gate.entered.wait(20)
    loading = threading.Thread(target=discovery.discovered, daemon=True)
    loading.start()
    time.sleep(0.2)  # long enough to arrive at the import of heavy.plugin; shorter would only make the test weaker
    gate.go.set()
    importing.join(20)
    loading.join(20)
    assert not importing.is_alive()
    assert not loading.is_alive()
    assert sys.modules["heavy"].found.name == "heavy"
