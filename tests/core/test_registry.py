"""Looking things up by name: what is found, what is ambiguous, and what a user is told when there is nothing."""

import subprocess
import sys

import pytest

from tests.core.fake_site import FakeSite, architectures
from tfx_core.errors import PluginError, UnknownNameError
from tfx_core.plugins import discovery, official, registry
from tfx_core.plugins.discovery import Status


def test_listing_what_is_installed_imports_neither_torch_nor_anything_behind_a_name() -> None:
    program = """
import sys
import tfx_core
assert not {"torch", "numpy", "pluggy", "click", "importlib.metadata"} & set(sys.modules), "import tfx_core"
from tfx_core.plugins import registry
for kind in ("architecture", "head", "attention", "linear", "task", "objective", "index"):
    for entry in registry.specs(kind):
        home = entry.spec.target.partition(":")[0]
        assert home not in sys.modules, home
loaded = {"torch", "numpy", "tokenizers", "packaging", "click"} & set(sys.modules)
assert not loaded, loaded
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
    assert ("attention", "sdpa") in own
    for kind, name in own:
        assert registry.load(kind, f"tfx-core:{name}") is not None


def test_what_two_distributions_give_is_listed_twice_and_must_be_qualified(site: FakeSite) -> None:
    site.install("tfx-one", architectures("alien", "only-one"), version="1.5")
    site.install("Tfx_Two", architectures("alien"), entry_point="two")
    assert sorted(entry.qualified for entry in registry.specs("architecture")) == [
        "Tfx_Two:alien",
        "tfx-one:alien",
        "tfx-one:only-one",
    ]
    with pytest.raises(PluginError) as caught:
        registry.find("architecture", "alien")
    assert str(caught.value) == (
        "architecture 'alien' is provided by plugin 'tfx-one' of tfx-one 1.5 and plugin 'two' of Tfx_Two 1.0: "
        "say which with 'tfx-one:alien' or 'Tfx_Two:alien'"
    )
    two = registry.find("architecture", "tfx-two:alien")
    assert [entry.spec for entry in registry.specs("architecture") if entry.distribution == "Tfx_Two"] == [two]
    assert registry.find("architecture", "only-one").name == "only-one"
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
    assert registry.find("architecture", "alien").target == "nowhere:THING"
    assert registry.find("task", "alien").target == "nowhere:Task"


def test_a_plugin_that_gives_a_name_of_the_core_does_not_replace_it(site: FakeSite) -> None:
    source = """
    from tfx_core import AttentionSpec, hookimpl

    @hookimpl
    def tfx_attentions():
        return [AttentionSpec("sdpa", target="nowhere:mine")]
    """
    site.install("tfx-mine", source)
    with pytest.raises(PluginError, match="say which with 'tfx-core:sdpa' or 'tfx-mine:sdpa'"):
        registry.find("attention", "sdpa")
    assert registry.find("attention", "tfx-core:sdpa").target.startswith("tfx_core.")


def test_two_plugins_of_one_distribution_cannot_be_told_apart_by_its_name(site: FakeSite) -> None:
    site.write("tfx_double_second.py", architectures("alien"))
    points = "[tfx_core]\nfirst = tfx_double_plugin\nsecond = tfx_double_second\n"
    site.install("tfx-double", architectures("alien"), entry_points=points)
    for name in ("alien", "tfx-double:alien"):
        with pytest.raises(PluginError, match="switch one off with TFX_DISABLE_PLUGINS=second"):
            registry.find("architecture", name)


@pytest.mark.parametrize(
    ("name", "distribution"),
    [("t5", "tfx-seq2seq"), ("xlnet", "tfx-decoders"), ("funnel", "tfx-encoders"), ("rag", "tfx-retrieval")],
)
def test_an_official_family_that_is_missing_is_answered_with_its_installation(
    site: FakeSite, name: str, distribution: str
) -> None:
    told = f"'{name}' is provided by {distribution}: pip install {distribution}"
    with pytest.raises(UnknownNameError) as caught:
        registry.find("architecture", name)
    assert str(caught.value) == told
    with pytest.raises(UnknownNameError) as caught:
        registry.find("architecture", f"{distribution}:{name}")
    assert str(caught.value) == told


def test_the_28_architectures_are_known_by_name() -> None:
    assert len(official.names("architecture")) == len(set(official.names("architecture"))) == 28


def test_an_official_index_that_is_missing_is_answered_with_its_installation(site: FakeSite) -> None:
    with pytest.raises(UnknownNameError, match="'flat' is provided by tfx-retrieval: pip install tfx-retrieval"):
        registry.find("index", "flat")


def test_an_official_family_that_is_too_old_for_a_name_is_to_be_upgraded(site: FakeSite) -> None:
    site.install("tfx-seq2seq", architectures("bart"), version="0.1")
    with pytest.raises(UnknownNameError, match=r"a newer tfx-seq2seq than the installed 0\.1: pip install --upgrade"):
        registry.find("architecture", "t5")


def test_an_official_family_that_failed_is_named_with_its_failure(site: FakeSite) -> None:
    site.install("tfx-seq2seq", "raise OSError('disk gone')", entry_point="seq2seq")
    with (
        pytest.warns(discovery.PluginWarning),
        pytest.raises(
            PluginError, match=r"'t5' is provided by .*'seq2seq' of tfx-seq2seq 1\.0 failed: .*disk gone"
        ) as caught,
    ):
        registry.find("architecture", "t5")
    assert isinstance(caught.value.__cause__, OSError)


def test_a_misspelt_name_is_answered_with_the_one_that_was_meant(site: FakeSite) -> None:
    site.install("tfx-alien", architectures("alien", "martian"))
    with pytest.raises(UnknownNameError) as caught:
        registry.find("architecture", "allien")
    assert str(caught.value) == (
        "no architecture 'allien' is installed; did you mean 'alien'? installed: alien, martian"
    )
    with pytest.raises(UnknownNameError, match=r"did you mean 'xlm-roberta' of tfx-encoders\?"):
        registry.find("architecture", "xlm_roberta")
    with pytest.raises(UnknownNameError, match=r"no architecture 'qqq' is installed; installed: alien, martian$"):
        registry.find("architecture", "qqq")


def test_a_qualified_name_tells_what_its_distribution_does_have(site: FakeSite) -> None:
    site.install("tfx-alien", architectures("alien"))
    with pytest.raises(UnknownNameError, match="tfx-alien is installed and provides no architecture 'bert'; its arch"):
        registry.find("architecture", "tfx-alien:bert")
    with pytest.raises(UnknownNameError, match="provides no task 'alien'; it provides no tasks"):
        registry.find("task", "tfx-alien:alien")
    with pytest.raises(UnknownNameError, match="distribution 'nobody' is installed; 'alien' is provided by tfx-alien"):
        registry.find("architecture", "nobody:alien")


def test_a_qualified_name_of_a_failed_plugin_is_answered_with_its_failure(site: FakeSite) -> None:
    site.install("tfx-broken", "1 / 0")
    with pytest.warns(discovery.PluginWarning), pytest.raises(PluginError, match="division by zero"):
        registry.find("architecture", "tfx-broken:anything")


def test_a_kind_that_does_not_exist_is_a_mistake_of_the_program(site: FakeSite) -> None:
    with pytest.raises(ValueError, match="no kind of thing called 'model'"):
        registry.find("model", "bert")


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
        registry.load("attention", "fast")
    message = str(caught.value)
    assert message.startswith(
        "attention 'fast' of plugin 'fast' of tfx-fast 2.1 could not be imported from 'kernel_mod"
    )
    assert reason in message
    assert caught.value.__cause__ is not None


def test_a_class_name_leads_to_architecture_and_head(site: FakeSite) -> None:
    classes = {"AlienForMaskedLM": "masked-lm", "AlienModel": "backbone"}
    site.install("tfx-alien", architectures("alien", classes=classes))
    spec, head = registry.architecture_for_class("AlienForMaskedLM")
    assert (spec.name, head) == ("alien", "masked-lm")
    assert registry.architecture_for_class("AlienModel")[1] == "backbone"
    with pytest.raises(UnknownNameError, match="no installed architecture has a class 'AlienForMaskdLM'; did you mean"):
        registry.architecture_for_class("AlienForMaskdLM")


def test_a_class_that_two_distributions_claim_is_ambiguous(site: FakeSite) -> None:
    site.install("tfx-one", architectures("one", classes={"AlienModel": "backbone"}))
    site.install("tfx-two", architectures("two", classes={"AlienModel": "backbone"}))
    with pytest.raises(PluginError, match=r"class 'AlienModel' is provided by .*'tfx-one:one' or 'tfx-two:two'"):
        registry.architecture_for_class("AlienModel")


def test_a_class_that_a_broken_plugin_would_have_given_is_answered_with_its_failure(site: FakeSite) -> None:
    source = architectures("alien", classes={"AlienModel": "backbone"}) + "@hookimpl\ndef tfx_tasks():\n    return 1\n"
    site.install("tfx-broken", source)
    with pytest.warns(discovery.PluginWarning), pytest.raises(PluginError, match="its tfx_tasks returned 1"):
        registry.architecture_for_class("AlienModel")


@pytest.mark.parametrize(
    ("class_name", "distribution"),
    [
        ("T5ForConditionalGeneration", "tfx-seq2seq"),
        ("T5EncoderModel", "tfx-seq2seq"),
        ("XLMProphetNetForCausalLM", "tfx-seq2seq"),
        ("MarianMTModel", "tfx-seq2seq"),
        ("XLMRobertaForQuestionAnswering", "tfx-encoders"),
        ("XLMWithLMHeadModel", "tfx-encoders"),
        ("FunnelBaseModel", "tfx-encoders"),
        ("GPT2DoubleHeadsModel", "tfx-decoders"),
        ("TransfoXLLMHeadModel", "tfx-decoders"),
        ("DPRQuestionEncoder", "tfx-retrieval"),
        ("DPRReader", "tfx-retrieval"),
        ("RagTokenForGeneration", "tfx-retrieval"),
        ("MMBTForClassification", "tfx-multimodal"),
    ],
)
def test_a_class_of_a_missing_official_family_is_answered_with_its_installation(
    site: FakeSite, class_name: str, distribution: str
) -> None:
    with pytest.raises(UnknownNameError, match=f"class '{class_name}' .* is provided by {distribution}: pip install"):
        registry.architecture_for_class(class_name)


@pytest.mark.parametrize("class_name", ["BertGenerationEncoder", "T5GemmaForCausalLM", "PegasusXModel", "LlamaModel"])
def test_a_class_of_another_family_is_not_taken_for_an_official_one(site: FakeSite, class_name: str) -> None:
    with pytest.raises(UnknownNameError, match=f"no installed architecture has a class '{class_name}'"):
        registry.architecture_for_class(class_name)
