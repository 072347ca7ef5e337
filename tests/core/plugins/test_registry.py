"""Looking things up by name: what is found, what is ambiguous, and what a user is told when there is nothing."""

import subprocess
import sys

import pytest

from tests.core.fake_site import TARGET, FakeSite, architectures, plugin_of
from tfx_core.errors import InputError, PluginError, UnknownNameError
from tfx_core.plugins import ArchitectureSpec, AttentionSpec, IndexSpec, Spec, TaskSpec, discovery, official, registry
from tfx_core.plugins.discovery import Status


def test_listing_what_is_installed_imports_neither_torch_nor_anything_behind_a_name() -> None:
    program = """
import sys
import tfx_core
assert not {"torch", "numpy", "pluggy", "click", "importlib.metadata"} & set(sys.modules), "import tfx_core"
from tfx_core.plugins import registry
from tfx_core.plugins.specs import KINDS
for kind in KINDS:
    for entry in registry.specs(kind):
        home = entry.spec.target.partition(":")[0]
        assert home not in sys.modules, home
loaded = {"torch", "numpy", "tokenizers", "packaging", "click"} & set(sys.modules)
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_no_module_of_the_plugins_imports_torch_or_numpy() -> None:
    program = """
import pkgutil, sys
import tfx_core.plugins
names = [module.name for module in pkgutil.walk_packages(tfx_core.plugins.__path__, "tfx_core.plugins.")]
assert "tfx_core.plugins.registry" in names
for name in names:
    __import__(name)
    loaded = {"torch", "numpy", "tokenizers", "click"} & set(sys.modules)
    assert not loaded, (name, loaded)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_name_of_the_core_can_be_imported() -> None:
    own = [
        (kind, spec.name)
        for plugin in discovery.discovered()
        if plugin.distribution == "tfx-core"
        for kind, specs in plugin.specs.items()
        for spec in specs
    ]
    assert (AttentionSpec, "sdpa") in own
    for kind, name in own:
        assert registry.load(kind, f"tfx-core:{name}") is not None


def test_what_two_distributions_give_is_listed_twice_and_must_be_qualified(site: FakeSite) -> None:
    site.install("tfx-one", architectures("alien", "only-one"), version="1.5")
    site.install("Tfx_Two", architectures("alien"), entry_point="two")
    assert sorted(entry.qualified for entry in registry.specs(ArchitectureSpec)) == [
        "Tfx_Two:alien",
        "tfx-one:alien",
        "tfx-one:only-one",
    ]
    with pytest.raises(PluginError) as caught:
        registry.find(ArchitectureSpec, "alien")
    assert str(caught.value) == (
        "architecture 'alien' is provided by plugin 'tfx-one' of tfx-one 1.5 and plugin 'two' of Tfx_Two 1.0: "
        "say which with 'tfx-one:alien' or 'Tfx_Two:alien', or for a stored model with provider="
    )
    two = registry.find(ArchitectureSpec, "tfx-two:alien")
    assert [entry.spec for entry in registry.specs(ArchitectureSpec) if entry.distribution == "Tfx_Two"] == [two]
    assert registry.find(ArchitectureSpec, "only-one").name == "only-one"
    assert {plugin.distribution: plugin.status for plugin in discovery.discovered()} == {
        "tfx-core": Status.LOADED,
        "tfx-one": Status.CONFLICTING,
        "Tfx_Two": Status.CONFLICTING,
    }


def test_the_same_name_for_things_of_different_kinds_is_no_clash(site: FakeSite) -> None:
    site.install("tfx-one", architectures("alien"))
    source = """
    from tfx_core import TaskSpec, hookimpl

    @hookimpl
    def tfx_tasks():
        return [TaskSpec("alien", target="nowhere:Task")]
    """
    site.install("tfx-two", source)
    assert registry.find(ArchitectureSpec, "alien").target == TARGET
    assert registry.find(TaskSpec, "alien").target == "nowhere:Task"


def test_a_plugin_that_gives_a_name_of_the_core_does_not_replace_it(site: FakeSite) -> None:
    source = """
    from tfx_core import AttentionSpec, hookimpl

    @hookimpl
    def tfx_attentions():
        return [AttentionSpec("sdpa", target="nowhere:mine")]
    """
    site.install("tfx-mine", source)
    for name in ("sdpa", "tfx-core:sdpa"):
        assert registry.find(AttentionSpec, name).target.startswith("tfx_core.")
    assert registry.find(AttentionSpec, "tfx-mine:sdpa").target == "nowhere:mine"
    assert registry.find(AttentionSpec, "sdpa", provider="Tfx_Mine").target == "nowhere:mine"
    statuses = {plugin.distribution: plugin.status for plugin in discovery.discovered()}
    assert statuses == {"tfx-core": Status.LOADED, "tfx-mine": Status.CONFLICTING}
    assert plugin_of("tfx-mine").reason == "attention 'sdpa' is a name of tfx-core; this one is 'tfx-mine:sdpa'"


@pytest.mark.parametrize("installed", [True, False])
def test_an_official_name_is_the_official_distributions_wherever_it_is_not_qualified(
    site: FakeSite, installed: bool
) -> None:
    site.install("tfx-mine", architectures("bert", "mine"))
    if installed:
        site.install("tfx-encoders", architectures("bert"))
        (official_one,) = [e for e in registry.specs(ArchitectureSpec) if e.qualified == "tfx-encoders:bert"]
        assert registry.find(ArchitectureSpec, "bert") is official_one.spec
        assert registry.architectures()[0] is official_one.spec
        assert registry.spelled(official_one) == "bert"
    else:
        cure = "'bert' is provided by tfx-encoders: install tfx-encoders, or say 'tfx-mine:bert' for what is inst"
        with pytest.raises(UnknownNameError, match=cure):
            registry.find(ArchitectureSpec, "bert")
    (mine,) = [entry for entry in registry.specs(ArchitectureSpec) if entry.qualified == "tfx-mine:bert"]
    assert registry.spelled(mine) == "tfx-mine:bert"
    assert registry.find(ArchitectureSpec, "bert", provider="tfx-mine") is mine.spec
    assert registry.find(ArchitectureSpec, "mine").name == "mine"
    assert plugin_of("tfx-mine").status is Status.CONFLICTING


def test_a_provider_and_a_distribution_that_differ_are_refused(site: FakeSite) -> None:
    site.install("tfx-one", architectures("alien"))
    assert registry.find(ArchitectureSpec, "tfx-one:alien", provider="Tfx_One").name == "alien"
    with pytest.raises(InputError, match="'tfx-one:alien' with provider='two': these are two distributions"):
        registry.find(ArchitectureSpec, "tfx-one:alien", provider="two")
    with pytest.raises(UnknownNameError, match="no plugin of a distribution 'two' is installed; 'alien' is provided"):
        registry.find(ArchitectureSpec, "alien", provider="two")


def test_two_plugins_of_one_distribution_cannot_be_told_apart_by_its_name(site: FakeSite) -> None:
    site.write("tfx_double_second.py", architectures("alien"))
    points = "[tfx_core]\nfirst = tfx_double_plugin\nsecond = tfx_double_second\n"
    site.install("tfx-double", architectures("alien"), entry_points=points)
    for name in ("alien", "tfx-double:alien"):
        with pytest.raises(PluginError, match="switch one off with TFX_DISABLE_PLUGINS=second"):
            registry.find(ArchitectureSpec, name)


@pytest.mark.parametrize(
    ("name", "distribution"),
    [("t5", "tfx-seq2seq"), ("xlnet", "tfx-decoders"), ("bert", "tfx-encoders")],
)
def test_an_official_family_that_is_missing_is_answered_with_its_installation(
    site: FakeSite, name: str, distribution: str
) -> None:
    told = f"'{name}' is provided by {distribution}: install {distribution}"
    with pytest.raises(UnknownNameError) as caught:
        registry.find(ArchitectureSpec, name)
    assert str(caught.value) == told
    with pytest.raises(UnknownNameError) as caught:
        registry.find(ArchitectureSpec, f"{distribution}:{name}")
    assert str(caught.value) == told


@pytest.mark.parametrize("installed", [True, False])
def test_a_planned_architecture_is_called_planned(site: FakeSite, installed: bool) -> None:
    if installed:
        site.install("tfx-encoders", architectures("bert"))
    for name in ("rag", "tfx-retrieval:dpr"):
        with pytest.raises(UnknownNameError, match=r"'(rag|dpr)' is planned for tfx-\w+ and not in release \d"):
            registry.find(ArchitectureSpec, name)
    with pytest.raises(UnknownNameError, match="did you mean 'dpr'\\? 'dpr' is planned"):
        registry.find(ArchitectureSpec, "DPRR")


def test_the_architectures_are_known_by_name() -> None:
    assert len(official.names("architecture")) == len(set(official.names("architecture"))) == 29


def test_an_official_index_that_is_missing_is_answered_with_its_installation(site: FakeSite) -> None:
    with pytest.raises(UnknownNameError, match="'flat' is provided by tfx-retrieval: install tfx-retrieval"):
        registry.find(IndexSpec, "flat")


def test_an_official_family_that_is_too_old_for_a_name_is_to_be_upgraded(site: FakeSite) -> None:
    site.install("tfx-seq2seq", architectures("bart"), version="0.1")
    with pytest.raises(UnknownNameError, match=r"a newer tfx-seq2seq than the installed 0\.1: upgrade tfx-seq2seq"):
        registry.find(ArchitectureSpec, "t5")


def test_an_official_family_that_failed_is_named_with_its_failure(site: FakeSite) -> None:
    site.install("tfx-seq2seq", "raise OSError('disk gone')", entry_point="seq2seq")
    with (
        pytest.warns(discovery.PluginWarning),
        pytest.raises(
            PluginError, match=r"'t5' is provided by .*'seq2seq' of tfx-seq2seq 1\.0 failed: .*disk gone"
        ) as caught,
    ):
        registry.find(ArchitectureSpec, "t5")
    assert isinstance(caught.value.__cause__, OSError)


def test_a_misspelt_name_is_answered_with_the_one_that_was_meant(site: FakeSite) -> None:
    site.install("tfx-alien", architectures("alien", "martian"))
    with pytest.raises(UnknownNameError) as caught:
        registry.find(ArchitectureSpec, "allien")
    assert str(caught.value) == (
        "no architecture 'allien' is installed; did you mean 'alien'? installed: alien, martian"
    )
    with pytest.raises(
        UnknownNameError, match=r"did you mean 'xlm-prophetnet'\? 'xlm-prophetnet' is provided by tfx-seq2seq"
    ):
        registry.find(ArchitectureSpec, "xlm_prophetnet")
    with pytest.raises(UnknownNameError, match=r"no architecture 'qqq' is installed; installed: alien, martian$"):
        registry.find(ArchitectureSpec, "qqq")


def test_a_qualified_name_tells_what_its_distribution_does_have(site: FakeSite) -> None:
    site.install("tfx-alien", architectures("alien"))
    with pytest.raises(UnknownNameError, match="tfx-alien is installed and provides no architecture 'bert'; its arch"):
        registry.find(ArchitectureSpec, "tfx-alien:bert")
    with pytest.raises(UnknownNameError, match="provides no task 'alien'; it provides no tasks"):
        registry.find(TaskSpec, "tfx-alien:alien")
    with pytest.raises(UnknownNameError, match="distribution 'nobody' is installed; 'alien' is provided by tfx-alien"):
        registry.find(ArchitectureSpec, "nobody:alien")


def test_a_qualified_name_of_a_failed_plugin_is_answered_with_its_failure(site: FakeSite) -> None:
    site.install("tfx-broken", "1 / 0")
    with pytest.warns(discovery.PluginWarning), pytest.raises(PluginError, match="division by zero"):
        registry.find(ArchitectureSpec, "tfx-broken:anything")


def test_a_kind_that_does_not_exist_is_a_mistake_of_the_program(site: FakeSite) -> None:
    with pytest.raises(ValueError, match="is no kind of spec: it is one of ArchitectureSpec, "):
        registry.find(Spec, "bert")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise OSError('library gone')", "OSError: library gone"),
        ("import not_installed_at_all", "No module named 'not_installed_at_all'"),
        ("Other = 1", "has no attribute 'Kernel'"),
        (None, "No module named 'kernel_module'"),
    ],
)
def test_code_that_cannot_be_imported_is_told_with_name_distribution_and_target(
    site: FakeSite, source: str | None, reason: str
) -> None:
    if source is not None:
        site.write("kernel_module.py", source)
    plugin = """
    from tfx_core import AttentionSpec, hookimpl

    @hookimpl
    def tfx_attentions():
        return [AttentionSpec("fast", target="kernel_module:Kernel")]
    """
    site.install("tfx-fast", plugin, entry_point="fast", version="2.1")
    with pytest.raises(PluginError) as caught:
        registry.load(AttentionSpec, "fast")
    message = str(caught.value)
    assert message.startswith(
        "attention 'fast' of plugin 'fast' of tfx-fast 2.1 could not be imported from 'kernel_mod"
    )
    assert reason in message
    assert caught.value.__cause__ is not None
