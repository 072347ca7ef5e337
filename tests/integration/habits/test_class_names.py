"""Class names of the reference, asked of `tfx_core`, say how their like is made here."""

import pytest

import tfx_core
from tfx_core.habits.loading import NAMES
from tfx_core.plugins import registry

CLASSES = [(spec.name, name, head) for spec in registry.architectures() for name, head in spec.hf_classes.items()]


@pytest.mark.parametrize(("model_type", "name", "head"), CLASSES)
def test_a_class_of_a_model_names_its_head(model_type: str, name: str, head: str) -> None:
    with pytest.raises(AttributeError, match=rf"no '{name}': tfx_core.load_model\(path, head='{head}'\)$"):
        getattr(tfx_core, name)


@pytest.mark.parametrize(("name", "cure"), [("BertConfig", "new_model('bert', …).config"), ("GPT2Config", "'gpt2'")])
def test_a_class_of_a_config_names_where_it_is(name: str, cure: str) -> None:
    with pytest.raises(AttributeError) as raised:
        getattr(tfx_core, name)
    assert cure in str(raised.value)


@pytest.mark.parametrize("name", ["BertTokenizer", "BertTokenizerFast", "GPT2TokenizerFast", "T5Tokenizer"])
def test_a_class_of_a_tokenizer_names_its_loader(name: str) -> None:
    with pytest.raises(AttributeError, match=rf"no '{name}': tfx_core.load_tokenizer\(path\)"):
        getattr(tfx_core, name)


def test_any_other_name_is_no_hint() -> None:
    with pytest.raises(AttributeError, match="module 'tfx_core' has no attribute 'Cat'"):
        tfx_core.Cat  # noqa: B018  # type: ignore[attr-defined]


def test_each_head_of_an_auto_class_is_there() -> None:
    heads = {"backbone", *(head for spec in registry.architectures() for head in spec.heads)}
    assert {
        habit.ours.split("'")[1] for habit in NAMES if habit.theirs.startswith("AutoModel") and "'" in habit.ours
    } <= heads
    with pytest.raises(AttributeError, match="models here are of text, and none has such a head"):
        tfx_core.AutoModelForDepthEstimation  # noqa: B018  # type: ignore[attr-defined]


def test_a_name_is_asked_for_in_three_ways() -> None:
    assert not hasattr(tfx_core, "AutoModel")
    with pytest.raises(ImportError, match="tfx_core has no 'load_modle': did you mean 'load_model'"):
        from tfx_core import load_modle  # type: ignore[attr-defined]  # noqa: F401
    with pytest.raises(AttributeError, match="did you mean 'AutoModelForSequenceClassification'"):
        getattr(tfx_core, "AutoModelForSequenceClasification")  # noqa: B009
    assert tfx_core.collators.Padding is not None
