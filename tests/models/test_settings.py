"""What holds for the config of a model that is in use: what can be set, that it counts, and what cannot."""

import copy
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

import tfx_core
from tests.cases import case_of, readers_of_text
from tests.models.tiny import random_ids, target_ids, tiny_config
from tfx_core.errors import ConfigError
from tfx_core.model import Model, load_architecture
from tfx_testing.cases import CHOICE_HEADS

ARCHITECTURES = [spec.name for spec in readers_of_text()]
CASES = [(spec.name, head) for spec in readers_of_text() for head in ("backbone", *spec.heads)]
SIZES = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads"),
    *("intermediate_size", "vocab_size", "max_position_embeddings"),
)


def made(name: str, head: str = "backbone", **config: Any) -> Any:
    """A model whose config is not typed: what is set and read is up to the test."""
    return tfx_core.new_model(name, head=head, seed=1, **{**tiny_config(name), **config}).eval()


def batch(model: Model) -> dict[str, torch.Tensor]:
    name, head = model.config.model_type, model.head_name
    ids = random_ids(name, 2, 7)
    ids = ids[:, None].repeat(1, 2, 1) if head in CHOICE_HEADS else ids
    return {"input_ids": ids, **target_ids(name, head, 2)}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_sizes_have_the_same_names_everywhere(name: str) -> None:
    config = made(name).config
    for size in SIZES:
        present = getattr(config, size)
        if size in config.absent:
            assert present is None or isinstance(getattr(type(config), size, None), property)  # told from other keys
            for change in (config.replace, lambda **values: made(name, **values)):
                with pytest.raises(TypeError, match=f"takes no '{size}': {config.absent[size]}"):
                    change(**{size: 64})
            with pytest.raises(AttributeError, match=f"{size} cannot be set: {config.absent[size]}"):
                setattr(config, size, 64)
            continue
        assert isinstance(present, int)
        other = present // 2 if size == "num_attention_heads" else 2 * present
        beside = case_of(name).goes_with(size, other)
        assert getattr(config.replace(**{size: other}, **beside), size) == other
        own = config.aliases.get(size, size)
        others = {key: value for key, value in {**tiny_config(name), **beside}.items() if key != own}
        assert getattr(type(config).from_dict({**others, size: other}), size) == other
        another: Any = tfx_core.new_model(name, **others, **{size: other}).config
        assert getattr(another, size) == other


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_shapes_a_model_is_not_set_and_the_error_says_what_to_do(name: str) -> None:
    config = made(name).config
    before = pickle.dumps(config)
    shaping = {*config.field_names(), *config.aliases} - {*config.settable}
    for key in shaping - {key for key, own in config.aliases.items() if own in config.settable}:
        with pytest.raises(AttributeError, match=rf"{key} cannot be set: .*config\.replace\(…\).*load_model\(path"):
            setattr(config, key, "other")
        setattr(config, key, getattr(config, key))  # which changes nothing
    with pytest.raises(AttributeError, match="has no 'pad_token': did you mean 'pad_token_id'"):
        config.pad_token = 3
    with pytest.raises(AttributeError, match="cannot be deleted"):
        del config.pad_token_id
    assert pickle.dumps(config) == before


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_wrong_value_leaves_everything_as_it_was(name: str) -> None:
    config = made(name).config
    before = copy.deepcopy(config)
    for key, wrong, said in (
        ("decoder_start_token_id", "0", r"^decoder_start_token_id='0': must be an integer, or null$"),
        ("problem_type", "ranking", "^problem_type='ranking': must be one of 'regression'"),
        ("output_attentions", 1, "^output_attentions=1: must be true or false$"),
        ("use_cache", 1, "^use_[a-z_]+=1: must be true or false$"),
        ("id2label", {0: "a", 2: "b"}, "id2label=.* without gaps"),
        ("id2label", {0: "a", 1: "b", 2: "c", 3: "d"}, r"names 4 classes, and the model has \d: .*load_model\(path"),
        ("label2id", {"a": 0, "b": 0}, "each class must have a number of its own"),
        ("task_specific_params", {1, 2}, "must be what JSON can hold"),
        ("name_or_path", 3, "must be a string"),
    ):
        with pytest.raises(ConfigError, match=said):
            config.update({"bos_token_id": 3, key: wrong})
        with pytest.raises(ConfigError, match=said):
            setattr(config, key, wrong)
        assert config == before
    with pytest.raises(AttributeError, match=r"num_beams.*model\.generation_config"):
        config.num_beams = 3


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_was_set_is_saved_and_loaded(name: str, tmp_path: Path) -> None:
    model = made(name)
    model.config.update({"bos_token_id": 7, "label2id": {str(each): each for each in range(model.config.num_labels)}})
    model.config.use_cache = False
    model.config.task_specific_params = {"summarization": {"num_beams": 2}}
    model.config.output_hidden_states = True
    model.save_pretrained(tmp_path)
    again: Any = tfx_core.load_model(tmp_path).config
    assert (again.bos_token_id, again.id2label[1], again.use_cache, again.name_or_path) == (
        7,
        "1",
        False,
        str(tmp_path),
    )
    assert again.task_specific_params == {"summarization": {"num_beams": 2}}
    assert again.replace(pad_token_id=2).name_or_path == str(tmp_path)
    assert "hidden_states" in {key.removeprefix("decoder_") for key in tfx_core.load_model(tmp_path)(**batch(model))}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_ids_that_are_set_count_in_generation(name: str) -> None:
    if load_architecture(name).decoding is None:
        return
    model = made(name)
    for number in (3, 4):
        model.config.eos_token_id = number
        assert model.generation_options.eos_token_id == number


@pytest.mark.parametrize(("name", "head"), CASES)
def test_a_call_reports_what_the_config_asks_for(name: str, head: str) -> None:
    model = made(name, head)
    plain = model(**batch(model))
    model.config.output_hidden_states = model.config.output_attentions = True
    full = model(**batch(model))
    assert {*full} - {*plain} >= {*model(**batch(model), output_attentions=False)} - {*plain}
    assert [*model(**batch(model), output_hidden_states=False, output_attentions=False)] == [*plain]
    model.config.return_dict = False
    assert len(model(**batch(model))) == len(full)
    assert isinstance(model(**batch(model), return_dict=True), tfx_core.ModelOutput)


@pytest.mark.parametrize(("name", "head"), CASES)
def test_a_head_reads_the_config_of_its_own_model(name: str, head: str) -> None:
    model = made(name, head)
    twin = copy.deepcopy(model)
    if head == "sequence-classification":
        labels = torch.zeros(2, model.config.num_labels)
        model.config.problem_type = "regression"
        twin.config.problem_type = "multi_label_classification"
        one, two = (each(**batch(each), labels=labels).loss for each in (model, twin))
        assert one == model(**batch(model)).logits.square().mean()
        assert one != two
    if head in case_of(name).target_heads and head != "backbone":
        labels = random_ids(name, 2, 4)
        labels[:, 1] = -100
        for each, token in ((model, 7), (twin, 8)):
            each.config.decoder_start_token_id = token
            with suppress(AttributeError):  # where positions are counted from it, it shapes a model
                each.config.pad_token_id = token
        one, two = (each(batch(each)["input_ids"], labels=labels).loss for each in (model, twin))
        assert one != two


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_no_class_at_all_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="num_labels=0: must be an integer from 1 to"):
        made(name, num_labels=0)
    with pytest.raises(ConfigError, match="num_labels=0: must be an integer from 1 to"):
        made(name).config.replace(num_labels=0)
