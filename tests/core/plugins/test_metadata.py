"""What is decided before a plugin is imported: its version, and whether it is switched on."""

import sys
import warnings

import pytest

from tests.core.fake_site import FakeSite, architectures, names, plugin_of
from tfx_core.errors import PluginError
from tfx_core.plugins import ArchitectureSpec, AttentionSpec, discovery, distributions, registry
from tfx_core.plugins.discovery import PluginWarning, Status
from tfx_core.plugins.distributions import EntryPoint


@pytest.mark.parametrize(
    ("requirement", "cure"),
    [
        ("tfx-core>=999", 'upgrade tfx-core: python -m pip install "tfx-core>=999"'),
        ("tfx_core (>=999,<1000)", 'upgrade tfx-core: python -m pip install "tfx_core>=999,<1000"'),
        ("tfx-core<0.0.1", "upgrade tfx-stranger: python -m pip install --upgrade tfx-stranger"),
        ("Tfx.Core[testing]<=0.0.1", "upgrade tfx-stranger"),
        ("tfx-core==0.0.1", "that fit each other: python -m pip install --upgrade tfx-core tfx-stranger"),
        ("tfx-core~=999.1", "that fit each other"),
    ],
)
def test_a_plugin_for_another_core_is_not_even_imported(site: FakeSite, requirement: str, cure: str) -> None:
    module = site.install("tfx-stranger", "raise ImportError('never reached')", requires=["torch>=2", requirement])
    plugin = plugin_of("tfx-stranger")
    assert plugin.status is Status.INCOMPATIBLE
    assert f"it needs {requirement}, and " in plugin.reason
    assert cure in plugin.cure
    assert module not in sys.modules


@pytest.mark.parametrize(
    ("version", "requirement", "fits"),
    [
        ("0.1.0", "tfx-core", True),
        ("0.1.0", "tfx-core>=0.1,<1", True),
        ("0.1.0", "tfx-core==0.1", True),  # 0.1 is 0.1.0
        ("0.1.0", "tfx-core!=0.1.0.0", False),
        ("0.10.0", "tfx-core>=0.9", True),  # numbers, not letters
        ("1.0", "tfx-core>=0.1,<1", False),
        ("1.0", "tfx-core>1", False),
        ("1.0", "tfx-core<=1", True),
        ("0.1.0", "tfx-core==0.1.*", True),
        ("0.1.0", "tfx-core~=0.2", False),
        ("0.2.0.dev3", "tfx-core>=0.1,<1", True),
        ("1.0rc1", "tfx-core>=1", False),
        ("0.1.0", 'tfx-core>=9; extra == "new"', True),  # an extra that was not asked for
        ("0.1.0", 'tfx-core>=9; python_version < "3"', True),
        ("0.1.0", 'tfx-core>=9; python_version >= "3"', False),
        ("0.1.0", "tfx-core>=", True),  # unreadable: importing it tells more
    ],
)
def test_requirements_are_read_as_pip_reads_them(version: str, requirement: str, fits: bool) -> None:
    entry = EntryPoint("stranger", "x", "tfx-stranger", "1.0", (requirement,))
    assert (distributions.misfit(entry, version) is None) == fits


def test_requirements_on_others_do_not_count(site: FakeSite) -> None:
    site.install("tfx-alien", architectures("alien"), requires=["tfx-corelation>=999", "core>=999", "torch>=999"])
    assert plugin_of("tfx-alien").status is Status.LOADED


@pytest.mark.parametrize(("level", "cure"), [(999, "upgrade tfx-core"), (0, "upgrade tfx-stranger")])
def test_a_plugin_of_another_api_level_is_incompatible(site: FakeSite, level: int, cure: str) -> None:
    site.install("tfx-stranger", f"TFX_API = {level}\n" + architectures("alien"))
    plugin = plugin_of("tfx-stranger")
    assert plugin.status is Status.INCOMPATIBLE
    assert f"it speaks plugin API {level}" in plugin.reason
    assert cure in plugin.cure


@pytest.mark.parametrize("line", ["from tfx_core import SomethingNew", "import tfx_core.not_there_yet"])
def test_asking_the_core_for_what_it_lacks_is_a_matter_of_versions(site: FakeSite, line: str) -> None:
    site.install("tfx-stranger", line, requires=[])
    plugin = plugin_of("tfx-stranger")
    assert plugin.status is Status.INCOMPATIBLE
    assert "it was made for another tfx-core" in plugin.reason


def test_an_incompatible_plugin_is_one_warning_and_an_error_when_asked_for(site: FakeSite) -> None:
    site.install("tfx-seq2seq", architectures("t5"), requires=["tfx-core>=999"], entry_point="seq2seq")
    with pytest.warns(PluginWarning) as caught:
        assert names() == set()
    assert len(caught) == 1
    with pytest.raises(
        PluginError, match=r"'t5' is provided by .*tfx-seq2seq 1.0 is incompatible: it needs tfx-core>=9"
    ):
        registry.find(ArchitectureSpec, "t5")


@pytest.mark.parametrize("listed", ["tfx-one", "TFX_One", "first", " tfx-one , nonesuch"])
def test_the_deny_list_keeps_a_plugin_from_being_imported(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch, listed: str
) -> None:
    module = site.install("tfx-one", architectures("one"), entry_point="first")
    site.install("tfx-two", architectures("two"))
    monkeypatch.setenv("TFX_DISABLE_PLUGINS", listed)
    assert names() == {"two"}
    assert plugin_of("tfx-one").status is Status.DISABLED
    assert module not in sys.modules
    monkeypatch.setenv("TFX_STRICT_PLUGINS", "1")  # switched off is not a problem
    assert names() == {"two"}


@pytest.mark.parametrize("listed", ["tfx-one", "first", "first,tfx-core"])
def test_the_allow_list_keeps_all_others_from_being_imported(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch, listed: str
) -> None:
    site.install("tfx-one", architectures("one"), entry_point="first")
    module = site.install("tfx-two", architectures("two"))
    monkeypatch.setenv("TFX_PLUGINS", listed)
    assert names() == {"one"}
    assert "sdpa" in names(AttentionSpec)  # the core's own are always there
    assert plugin_of("tfx-two").status is Status.DISABLED
    assert module not in sys.modules


def test_names_in_the_lists_are_compared_as_distributions_are(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("Tfx_Odd.Name", architectures("odd"))
    monkeypatch.setenv("TFX_PLUGINS", "tfx-odd-name")
    assert names() == {"odd"}


def test_the_deny_list_wins_over_the_allow_list(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("tfx-one", architectures("one"))
    monkeypatch.setenv("TFX_PLUGINS", "tfx-one")
    monkeypatch.setenv("TFX_DISABLE_PLUGINS", "tfx-one")
    assert names() == set()


def test_names_in_the_lists_that_nothing_has_are_one_warning(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("tfx-encoders", architectures("one"))
    monkeypatch.setenv("TFX_PLUGINS", "tfx-encodrs,tfx-core,builtin")
    monkeypatch.setenv("TFX_DISABLE_PLUGINS", "Absent,tfx-encoders")
    told = (
        "TFX_PLUGINS names 'tfx-encodrs' and TFX_DISABLE_PLUGINS names 'absent': no installed plugin is called that; "
        "tfx-encodrs: did you mean tfx-encoders?; installed: tfx-encoders"
    )
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        discovery.discovered(strict=True)
        discovery.discovered()
    assert [str(each.message) for each in warned] == [told]


def test_an_empty_allow_list_is_none(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("tfx-one", architectures("one"))
    monkeypatch.setenv("TFX_PLUGINS", "")
    assert names() == {"one"}


def test_a_name_of_a_disabled_official_plugin_is_answered_with_the_switch(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("tfx-seq2seq", architectures("t5"))
    monkeypatch.setenv("TFX_DISABLE_PLUGINS", "tfx-seq2seq")
    with pytest.raises(PluginError, match="is disabled: switched off by TFX_DISABLE_PLUGINS"):
        registry.find(ArchitectureSpec, "t5")


def test_a_damaged_file_of_another_distribution_stops_nothing(site: FakeSite) -> None:
    site.install("aaa-unrelated", entry_points="[console_scripts]\nhalf a line that was never finis")
    site.write("zzz-1.0.dist-info/entry_points.txt", "[tfx")
    (site.root / "mmm-1.0.dist-info").mkdir()
    (site.root / "mmm-1.0.dist-info" / "entry_points.txt").write_bytes(b"\xff\xfe[tfx_core]")
    site.install("tfx-alien", architectures("alien"))
    assert names() == {"alien"}


def test_a_damaged_file_of_a_plugin_is_that_plugins_failure(site: FakeSite) -> None:
    site.install("tfx-damaged", entry_points="[tfx_core]\nhalf a line that was never finis")
    site.install("tfx-alien", architectures("alien"))
    plugin = plugin_of("tfx-damaged")
    assert plugin.status is Status.FAILED
    assert "its metadata cannot be read" in plugin.reason
    assert names() == {"alien"}


@pytest.mark.parametrize("target", ["", "no such module", "tfx_alien_plugin:nothing", "1:2:3"])
def test_an_entry_point_that_leads_nowhere_is_that_plugins_failure(site: FakeSite, target: str) -> None:
    site.install("tfx-alien", architectures("alien"), entry_points=f"[tfx_core]\nalien = {target}\n")
    assert plugin_of("tfx-alien").status is Status.FAILED


def test_an_entry_point_may_name_extras_as_the_format_allows(site: FakeSite) -> None:
    site.install("tfx-alien", architectures("alien"), entry_points="[tfx_core]\nalien = tfx_alien_plugin [big]\n")
    assert names() == {"alien"}


def test_of_two_installations_the_first_on_the_path_counts(site: FakeSite) -> None:
    site.install("tfx-alien", architectures("alien"), version="2.0", entry_points="")  # newer, and no plugin any more
    site.write("later/tfx_alien-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tfx-alien\nVersion: 1.0\n")
    site.write("later/tfx_alien-1.0.dist-info/entry_points.txt", "[tfx_core]\nalien = tfx_alien_plugin\n")
    import importlib.metadata

    importlib.metadata.distributions.keywords["path"].append(str(site.root / "later"))
    assert [plugin.distribution for plugin in discovery.discovered()] == ["tfx-core"]
