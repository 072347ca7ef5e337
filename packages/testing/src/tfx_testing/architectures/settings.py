"""The config of a model in use: sizes under common names, what can be set, that it counts, and what cannot."""

import copy
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

import tfx_core
from tfx_core.errors import ConfigError
from tfx_core.model import load_architecture
from tfx_testing.architectures.base import CaseChecks, heads
from tfx_testing.checks import each
from tfx_testing.refusing import refused
from tfx_testing.tiny import new_model, plain_inputs, random_ids

SIZES = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads"),
    *("intermediate_size", "vocab_size", "max_position_embeddings"),
)
REPORTS = ("output_hidden_states", "output_attentions")


class SettingChecks(CaseChecks):
    """Common names, settings, what a call reads of the config."""

    def test_width_depth_and_heads_have_common_names(self) -> None:
        """A model is made by the common names of its sizes as by its own, and names that stand for nothing are refused.

        Where it is not: ``aliases`` of the config lacks a common name for a key that is called otherwise, or ``absent``
        the reason why there is none.
        """
        names, tiny = SIZES[:3], self.case.tiny
        config = new_model(self.case).config
        renamed = {config.aliases.get(name, name): name for name in names}
        others = {renamed.get(name, name): value for name, value in tiny.items()}
        assert tfx_core.new_model(self.case.model_type, **others).config == config, f"made by {list(others)}"
        assert type(config).from_dict(others) == config, f"read of {list(others)}"
        if "num_hidden_layers" in config.absent:  # it is told from other keys
            with pytest.raises(TypeError, match=f"no 'num_hidden_layers': {config.absent['num_hidden_layers']}"):
                config.replace(num_hidden_layers=1)
        else:
            assert config.replace(num_hidden_layers=1).num_hidden_layers == 1
        with pytest.raises(AttributeError, match="no 'num_heads_of_all'"):
            _ = config.num_heads_of_all
        with pytest.raises(TypeError, match="no 'num_heads_of_all'"):
            new_model(self.case, num_heads_of_all=3)

    def test_sizes_have_the_same_names_everywhere(self) -> None:
        """Each common name reads, replaces, loads and makes the size that it stands for, or says why there is none.

        Where it does not: add it to ``aliases``, or with the reason to ``absent``. Keys that change with a size the
        case names in ``goes_with``.
        """
        config = new_model(self.case).config
        for size in SIZES:
            present = getattr(config, size)
            if size in config.absent:
                told = isinstance(getattr(type(config), size, None), property)  # from other keys
                assert present is None or told, f"{size} is absent, and reads as {present}"
                for change in (config.replace, lambda **values: new_model(self.case, **values)):
                    with pytest.raises(TypeError, match=f"takes no '{size}': {config.absent[size]}"):
                        change(**{size: 64})
                with pytest.raises(AttributeError, match=f"{size} cannot be set: {config.absent[size]}"):
                    setattr(config, size, 64)
                continue
            assert isinstance(present, int), f"{size} reads as {present!r}"
            other = max(present // 2, 1) if size == "num_attention_heads" else 2 * present
            beside = self.case.goes_with(size, other)
            changed = {
                "replace": config.replace(**{size: other}, **beside),
                "from_dict": type(config).from_dict(self._with(config, size, other, beside)),
                "new_model": tfx_core.new_model(self.case.model_type, **self._with(config, size, other, beside)).config,
            }
            for how, made in changed.items():
                assert getattr(made, size) == other, f"{how} with {size}={other} gives {getattr(made, size)}"

    def _with(self, config: tfx_core.ModelConfig, size: str, value: int, beside: dict[str, Any]) -> dict[str, Any]:
        """Keys of the tiny config, one size under its common name."""
        own = config.aliases.get(size, size)
        return {**{key: each for key, each in {**self.case.tiny, **beside}.items() if key != own}, size: value}

    def test_what_shapes_a_model_is_not_set_and_the_error_says_what_to_do(self) -> None:
        """A key that shapes a model when it is built cannot be set afterwards, a misspelled one neither.

        Where it can: ``settable`` names a key that only the building of modules reads.
        """
        config = new_model(self.case).config
        before = pickle.dumps(config)
        shaping = {*config.field_names(), *config.aliases} - {*config.settable}
        for key in shaping - {key for key, own in config.aliases.items() if own in config.settable}:
            said = rf"{key} cannot be set: .*config\.replace\(…\).*load_model\(path"
            with refused(said, f"config.{key} = 'other'", AttributeError):
                setattr(config, key, "other")
            setattr(config, key, getattr(config, key))  # which changes nothing
        with pytest.raises(AttributeError, match="has no 'pad_token': did you mean 'pad_token_id'"):
            config.pad_token = 3
        with pytest.raises(AttributeError, match="cannot be deleted"):
            del config.pad_token_id
        assert pickle.dumps(config) == before, "what was refused has changed the config"

    def test_a_wrong_value_leaves_everything_as_it_was(self) -> None:
        """A value that a key cannot have is an error that names it, and of several values set at once none is.

        Where it is not: ``update`` or ``__setattr__`` is the config's own.
        """
        config = new_model(self.case).config
        before, classes = copy.deepcopy(config), {number: str(number) for number in range(config.num_labels + 1)}
        for key, wrong, said in (
            ("decoder_start_token_id", "0", r"^decoder_start_token_id='0': must be an integer, or null$"),
            ("problem_type", "ranking", "^problem_type='ranking': must be one of 'regression'"),
            ("output_attentions", 1, "^output_attentions=1: must be true or false$"),
            ("use_cache", 1, "^use_[a-z_]+=1: must be true or false$"),
            ("id2label", {0: "a", 2: "b"}, "id2label=.* without gaps"),
            ("id2label", classes, rf"names {len(classes)} classes, and the model has \d+: .*load_model\(path"),
            ("label2id", {"a": 0, "b": 0}, "each class must have a number of its own"),
            ("task_specific_params", {1, 2}, "must be what JSON can hold"),
            ("name_or_path", 3, "must be a string"),
        ):
            several = {"bos_token_id": 3, key: wrong}
            with refused(said, f"config.update({several})", ConfigError):
                config.update(several)
            with refused(said, f"config.{key} = {wrong!r}", ConfigError):
                setattr(config, key, wrong)
            assert config == before, f"{key}={wrong!r} was refused, and has changed the config"
        with pytest.raises(AttributeError, match=r"num_beams.*model\.generation_config"):
            config.num_beams = 3

    def test_what_was_set_is_saved_and_loaded(self, tmp_path: Path) -> None:
        """What was set of a model's config is in the folder that it is saved in, and counts when it is loaded.

        Where it is not: a field with a derived value derives it again, whatever the file says.
        """
        model = new_model(self.case)
        labels = model.config.num_labels
        model.config.update({"bos_token_id": 7, "label2id": {str(number): number for number in range(labels)}})
        model.config.use_cache = False
        model.config.task_specific_params = {"summarization": {"num_beams": 2}}
        model.config.output_hidden_states = True
        model.save_pretrained(tmp_path)
        loaded = tfx_core.load_model(tmp_path)
        again: Any = loaded.config
        found = (again.bos_token_id, again.id2label[labels - 1], again.use_cache, again.name_or_path)
        assert found == (7, str(labels - 1), False, str(tmp_path))
        assert again.task_specific_params == {"summarization": {"num_beams": 2}}
        assert again.replace(pad_token_id=2).name_or_path == str(tmp_path)
        if "output_hidden_states" in loaded.input_names:
            reported = {key.removeprefix("decoder_") for key in loaded(**plain_inputs(self.case, "backbone"))}
            assert "hidden_states" in reported, "output_hidden_states of the config is not read"

    def test_ids_that_are_set_count_in_generation(self) -> None:
        """An end token that is set in the config of a model is where its texts end.

        Where it is not: the config has an ``eos_token_id`` of its own.
        """
        if load_architecture(self.case.model_type).decoding is None:
            return
        model = new_model(self.case)
        for number in (3, 4):
            model.config.eos_token_id = number
            assert model.generation_options.eos_token_id == number

    @each(head=heads)
    def test_a_call_reports_what_the_config_asks_for(self, head: str) -> None:
        """``output_hidden_states`` and ``output_attentions`` of the config stand for those of a call that says nothing.

        Where they do not: ``forward`` has another default for them than ``False``.
        """
        model, inputs = new_model(self.case, head), plain_inputs(self.case, head)
        asked = {name: False for name in REPORTS if name in model.input_names}
        plain = model(**inputs)
        model.config.update(dict.fromkeys(REPORTS, True))
        full = model(**inputs)
        one_less = model(**inputs, **({"output_attentions": False} if "output_attentions" in asked else {}))
        assert {*full} - {*plain} >= {*one_less} - {*plain}
        assert not asked or len(full) > len(plain), (
            f"asked for {list(asked)}, a call reports no more than else: {[*full]}"
        )
        assert [*model(**inputs, **asked)] == [*plain]
        model.config.return_dict = False
        assert len(model(**inputs)) == len(full)
        assert isinstance(model(**inputs, return_dict=True), tfx_core.ModelOutput)

    @each(head=heads)
    def test_a_head_reads_the_config_of_its_own_model(self, head: str) -> None:
        """A copy of a model has a config of its own, which its head reads.

        Where it has not: the head was built with values of the config, not with the config.
        """
        model = new_model(self.case, head)
        twin = copy.deepcopy(model)
        inputs = plain_inputs(self.case, head)
        if head == "sequence-classification":
            labels = torch.zeros(2, model.config.num_labels)
            model.config.problem_type = "regression"
            twin.config.problem_type = "multi_label_classification"
            one, two = (made(**inputs, labels=labels).loss for made in (model, twin))
            assert one == model(**inputs).logits.square().mean(), "problem_type='regression' has no effect"
            assert one != two, "problem_type of the copy has no effect"
        if head in self.case.target_heads and head != "backbone":
            labels = random_ids(self.case, 2, 4)
            labels[:, 1] = -100
            for made, token in ((model, 7), (twin, 8)):
                made.config.decoder_start_token_id = token
                with suppress(AttributeError):  # where positions are counted from it, it shapes a model
                    made.config.pad_token_id = token
            one, two = (made(inputs["input_ids"], labels=labels).loss for made in (model, twin))
            assert one != two, "decoder_start_token_id of the copy has no effect"
