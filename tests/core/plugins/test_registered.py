"""Plugins that are registered at run time, as notebooks and tests do."""

import types

import pytest

from tests.core.fake_site import FakeSite, architectures, names
from tfx_core import hookimpl
from tfx_core.errors import PluginError, UnknownNameError
from tfx_core.plugins import ArchitectureSpec, HeadSpec, discovery, registry
from tfx_crf.head import CRF


class Extra:
    @hookimpl
    def tfx_heads(self) -> list[HeadSpec]:
        return [HeadSpec("crf", target="tfx_crf.head:CRF")]


def test_a_registered_object_is_found_until_it_is_unregistered(site: FakeSite) -> None:
    registration = discovery.register(Extra(), name="mine")
    assert registration.name == "mine"
    assert registry.load(HeadSpec, "crf") is CRF
    assert registry.load(HeadSpec, "mine:crf") is CRF
    registration.unregister()
    registration.unregister()
    with pytest.raises(UnknownNameError, match="no head 'crf' is installed"):
        registry.find(HeadSpec, "crf")


def test_a_registration_ends_with_its_block(site: FakeSite) -> None:
    with discovery.register(Extra()) as registration:
        assert registration.name.endswith("test_registered.Extra")
        assert names(HeadSpec) == {"crf"}
    assert names(HeadSpec) == set()


def test_a_module_is_registered_under_its_name(site: FakeSite) -> None:
    module = types.ModuleType("notebook_plugin")
    exec(architectures("alien"), module.__dict__)
    with discovery.register(module):
        assert registry.find(ArchitectureSpec, "notebook_plugin:alien").name == "alien"


def test_unregistering_by_name(site: FakeSite) -> None:
    discovery.register(Extra(), name="Mine")
    with pytest.raises(PluginError, match=r"no plugin named 'your' .*registered: 'Mine'"):
        discovery.unregister("your")
    discovery.unregister("mine")
    assert names(HeadSpec) == set()


def test_a_taken_name_is_refused_and_the_first_stays(site: FakeSite) -> None:
    with discovery.register(Extra(), name="mine") as first:
        with pytest.raises(PluginError, match=r"already registered.*tfx_core\.unregister\('mine'\)"):
            discovery.register(Extra(), name="mine")
        assert registry.specs(HeadSpec)[0].plugin is first.plugin


def test_a_plugin_that_does_not_work_is_refused_at_once(site: FakeSite) -> None:
    with pytest.raises(PluginError, match="plugin 'mine' cannot be registered: it answers no hook"):
        discovery.register(object(), name="mine")

    class Rubbish:
        @hookimpl
        def tfx_heads(self) -> object:
            raise OSError("disk gone")

    with pytest.raises(PluginError, match="its tfx_heads raised OSError: disk gone") as caught:
        discovery.register(Rubbish())
    assert isinstance(caught.value.__cause__, OSError)
    assert names(HeadSpec) == set()


@pytest.mark.parametrize("name", ["", "a:b", "a b", "a,b"])
def test_a_name_that_look_ups_could_not_say_is_refused(site: FakeSite, name: str) -> None:
    with pytest.raises(PluginError, match="cannot be named"):
        discovery.register(Extra(), name=name)


def test_switches_do_not_reach_what_was_registered(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFX_PLUGINS", "tfx-core")
    monkeypatch.setenv("TFX_DISABLE_PLUGINS", "mine")
    with discovery.register(Extra(), name="mine"):
        assert names(HeadSpec) == {"crf"}


def test_a_rescan_keeps_what_was_registered(site: FakeSite) -> None:
    with discovery.register(Extra()):
        discovery.rescan()
        assert names(HeadSpec) == {"crf"}


def test_registering_clashes_like_installing(site: FakeSite) -> None:
    site.install("tfx-alien", architectures("alien"))
    module = types.ModuleType("mine")
    exec(architectures("alien"), module.__dict__)
    with discovery.register(module):
        with pytest.raises(PluginError, match="say which with 'tfx-alien:alien' or 'mine:alien'"):
            registry.find(ArchitectureSpec, "alien")
        assert registry.find(ArchitectureSpec, "mine:alien").name == "alien"
    assert registry.find(ArchitectureSpec, "alien").name == "alien"
