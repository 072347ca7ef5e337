"""A name that several distributions give: whose a model is, wherever it comes from, and that it stays so."""

import json
import pickle
from pathlib import Path

import pytest
import torch

import tfx_core
from tests.core.cli.running import run
from tests.core.fake_site import FakeSite, architectures
from tfx_core.embedding import load_encoder
from tfx_core.errors import InputError, PluginError, UnknownNameError
from tfx_core.plugins import ArchitectureSpec, discovery, registry
from tfx_testing import toy

HEAD = "sequence-classification"
OTHERS = """
from dataclasses import replace
from tfx_testing import toy

ARCHITECTURE = replace(toy.ARCHITECTURE, parts=())
"""
TOY = "from tfx_testing.toy import Plugin\n\ntfx_architectures = Plugin().tfx_architectures\n"
PLUGIN = """
from dataclasses import replace
from tfx_testing.toy import Plugin
from tfx_core import hookimpl

@hookimpl
def tfx_architectures():
    (spec,) = Plugin().tfx_architectures()
    classes = {name.replace("Toy", "Other"): head for name, head in spec.hf_classes.items()}
    return [replace(spec, target="others_toy:ARCHITECTURE", hf_classes=classes)]
"""


@pytest.fixture
def stored(site: FakeSite, tmp_path: Path) -> str:
    """A model and its tokenizer, of a model type that two distributions give from now on."""
    with tfx_core.register(toy.Plugin(), name="tfx-toy"):
        folder = toy.save(tmp_path / "stored", HEAD, num_labels=3)
    site.write("others_toy.py", OTHERS)
    site.install("tfx-other", PLUGIN)
    site.install("tfx-toy", TOY)
    discovery.rescan()
    return folder


def others() -> object:
    import others_toy

    return others_toy.ARCHITECTURE


def test_a_stored_model_is_whose_it_is_said_to_be(stored: str) -> None:
    with pytest.raises(PluginError, match=r"say which with 'tfx-other:toy' or 'tfx-toy:toy', or .* with provider="):
        tfx_core.load_model(stored)
    model = tfx_core.load_model(stored, provider="tfx-toy")
    assert model.architecture is toy.ARCHITECTURE
    assert model.head_name == HEAD
    with pytest.raises(UnknownNameError, match="distribution 'tfx-nobody' is installed; 'toy' is provided by tfx-othe"):
        tfx_core.load_model(stored, provider="tfx-nobody")


def test_a_model_keeps_to_its_provider_when_it_is_saved_loaded_and_pickled(stored: str, tmp_path: Path) -> None:
    config = json.loads(Path(stored, "config.json").read_text())
    assert config["architectures"] == ["ToyForSequenceClassification"]
    Path(stored, "config.json").write_text(json.dumps(config | {"architectures": ["OtherForSequenceClassification"]}))
    model = tfx_core.load_model(stored, provider="Tfx_Other")
    assert model.architecture is others()
    assert model.head_name == HEAD
    model.save_pretrained(tmp_path / "again")
    again = json.loads((tmp_path / "again" / "config.json").read_text())
    assert again["architectures"] == ["OtherForSequenceClassification"]
    unpickled = pickle.loads(pickle.dumps(model))
    assert unpickled.architecture is others()
    assert torch.equal(unpickled.get_parameter("head.classifier.weight"), model.get_parameter("head.classifier.weight"))


def test_everything_that_loads_a_model_takes_a_provider(stored: str) -> None:
    assert tfx_core.new_model("toy", provider="tfx-other").architecture is others()
    assert tfx_core.new_model("tfx-other:toy").architecture is others()
    assert tfx_core.load_tokenizer(stored, provider="tfx-toy")("bob")["input_ids"]
    assert load_encoder(stored, provider="tfx-toy").encode(["bob"]).shape == (1, 8)
    task = tfx_core.pipeline("text-classification", model=stored, provider="tfx-toy")
    assert task.model.architecture is toy.ARCHITECTURE
    with pytest.raises(InputError, match="provider: for a model that is loaded by name"):
        tfx_core.pipeline("text-classification", model=task.model, tokenizer=stored, provider="tfx-toy")
    expected = task("bob sings")[0]["label"]
    result = run("run", "text-classification", "--model", stored, "--provider", "tfx-toy", "bob sings")
    assert (result.exit_code, result.stdout.split("\t")[0]) == (0, expected)
    assert run("run", "text-classification", "--model", stored, "bob sings").exit_code == 1


@pytest.mark.parametrize("name", ["sdpa", "eager", "text-classification", "bert", "toy-free"])
def test_a_plugin_that_gives_a_name_of_tfxs_own_stops_nothing(site: FakeSite, tmp_path: Path, name: str) -> None:
    source = f"""
    from tfx_core import ArchitectureSpec, AttentionSpec, TaskSpec, hookimpl

    @hookimpl
    def tfx_architectures():
        return [ArchitectureSpec({name!r}, target="math:pi")]

    @hookimpl
    def tfx_attentions():
        return [AttentionSpec({name!r}, target="math:pi")]

    @hookimpl
    def tfx_tasks():
        return [TaskSpec({name!r}, target="math:pi")]
    """
    site.install("tfx-foreign", source)
    site.install("tfx-encoders", architectures("bert"))
    with tfx_core.register(toy.Plugin(), name="tfx-toy"):
        folder = toy.save(tmp_path / "stored", HEAD)
        for attention in ("sdpa", "eager", "tfx-core:sdpa"):
            assert tfx_core.load_model(folder, attention=attention).head_name == HEAD
        assert tfx_core.pipeline("text-classification", model=folder)("bob")[0]["label"]
        assert registry.find(ArchitectureSpec, "bert").heads == ("masked-lm",)
        with pytest.raises(TypeError, match="not an attention kernel"):
            tfx_core.load_model(folder, attention=f"tfx-foreign:{name}")
        listed = run("run", "--help").stdout
        assert ("tfx-foreign:text-classification" in listed) == (name == "text-classification")


@pytest.mark.parametrize("name", ["tfx-core", "Tfx_Encoders", "tfx.retrieval"])
def test_nobody_is_registered_as_one_of_tfxs_own(site: FakeSite, name: str) -> None:
    with pytest.raises(PluginError, match="as a distribution of tfx is"):
        tfx_core.register(toy.Plugin(), name=name)
