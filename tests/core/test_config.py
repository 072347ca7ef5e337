"""Configs: what a config.json may hold, and errors that name key, value and what is allowed."""

import copy
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

import tfx_core
from tfx_core.errors import ConfigError, UnknownNameError
from tfx_core.fields import Rate, Size
from tfx_core.model.config import ModelConfig
from tfx_core.model.known_keys import NEUTRAL_VALUES
from tfx_core.nn import Activation
from tfx_testing.toy import Plugin, ToyConfig


@dataclass(kw_only=True)
class SampleConfig(ModelConfig):
    model_type: ClassVar[str] = "sample"
    aliases: ClassVar[dict[str, str]] = {"n_embd": "hidden_size", "num_attention_heads": "heads"}

    hidden_size: Size = 12
    heads: Size = 3
    dropout: Rate = 0.1
    act: Activation = "gelu"
    kind: Literal["a", "b"] = "a"
    axes: tuple[Size, Size] | None = None
    cutoffs: tuple[int, ...] = ()

    @property
    def prunable(self) -> tuple[int, int]:
        return 2, self.heads

    def validate(self) -> None:
        self.require(self.hidden_size % self.heads == 0, "heads", f"a divisor of hidden_size={self.hidden_size}")


def test_reads_aliases_and_keeps_unknown_keys() -> None:
    config = SampleConfig.from_dict({"model_type": "sample", "n_embd": 6, "axes": [2, 3], "new_key": {"a": [1]}})
    assert (config.hidden_size, config.axes, config.extra) == (6, (2, 3), {"new_key": {"a": [1]}})
    assert config.to_dict()["new_key"] == {"a": [1]}
    assert config.to_dict()["axes"] == [2, 3]


def test_the_present_spelling_wins_over_an_alias() -> None:
    assert SampleConfig.from_dict({"n_embd": 6, "hidden_size": 9}).hidden_size == 9


def test_a_written_config_reads_back_as_it_was() -> None:
    config = SampleConfig(
        hidden_size=6, num_labels=3, axes=(2, 3), cutoffs=(4, 5), pruned_heads={1: (0,)}, eos_token_id=(1, 2),
        extra={"more": None},
    )  # fmt: skip
    assert SampleConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"hidden_size": "12"}, r"here/config.json: hidden_size='12': must be an integer at least 1"),
        ({"hidden_size": -12}, r"hidden_size=-12: must be an integer at least 1"),
        ({"hidden_size": True}, r"hidden_size=True: must be an integer"),
        ({"hidden_size": 12.0}, r"hidden_size=12.0: must be an integer"),
        ({"hidden_size": None}, r"hidden_size=None: must be an integer"),
        ({"dropout": 1.5}, r"dropout=1.5: must be a number from 0 to 1"),
        ({"dropout": "0.1"}, r"dropout='0.1': must be a number from 0 to 1"),
        ({"act": "gelo"}, r"act='gelo': must be one of 'gelu', "),
        ({"kind": "c"}, r"kind='c': must be one of 'a', 'b'"),
        ({"kind": ["a"]}, r"kind=\['a'\]: must be one of"),
        ({"axes": [1, 2, 3]}, r"axes=\[1, 2, 3\]: must be a list of"),
        ({"cutoffs": ["x"]}, r"cutoffs=\['x'\]: must be a list, each an integer"),
        ({"is_decoder": 1}, r"is_decoder=1: must be true or false"),
        ({"heads": 5}, r"heads=5: must be a divisor of hidden_size=12"),
        ({"id2label": {"a": "b"}}, r"id2label=\{'a': 'b'\}: must be an object of an integer to a string"),
        ({"id2label": {"0": "b", "2": "c"}}, r"id2label=.*: the class numbers must be 0 to 1"),
        (
            {"id2label": {"0": "a", "00": "b"}},
            r"id2label=\{'0': 'a', '00': 'b'\}: must be an object of .*; '00' is not",
        ),
        ({"cutoffs": [2, 10**10]}, r"cutoffs=\(2, 10000000000\): must be at most 1000000000"),
        ({"eos_token_id": 2**70}, r"eos_token_id=\d+: must be at most 1000000000"),
        ({"id2label": {"0": "b"}, "num_labels": 3}, r"num_labels=3: id2label names 1 classes"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(values: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        SampleConfig.from_dict(values, where="here/config.json")


def test_labels_follow_their_number_and_their_names() -> None:
    assert SampleConfig().id2label == {0: "LABEL_0", 1: "LABEL_1"}
    assert SampleConfig(num_labels=3).id2label[2] == "LABEL_2"
    named = SampleConfig.from_dict({"id2label": {"0": "no", "1": "yes", "2": "both"}})
    assert (named.num_labels, named.label2id["both"]) == (3, 2)
    assert named.replace(num_labels=5).id2label[4] == "LABEL_4"
    assert named.replace(id2label={0: "one"}).num_labels == 1
    assert named.replace(num_labels=3).id2label == named.id2label


def test_an_unknown_field_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="no 'hidden_sise': did you mean 'hidden_size'"):
        SampleConfig().replace(hidden_sise=3)


def test_a_common_name_stands_for_the_field() -> None:
    config = SampleConfig.of(n_embd=6, num_attention_heads=2)
    assert (config.hidden_size, config.heads, config.num_attention_heads) == (6, 2, 2)
    assert config.replace(num_attention_heads=3).heads == 3
    assert "num_attention_heads" not in config.to_dict()
    assert pickle.loads(pickle.dumps(config)) == copy.deepcopy(config) == config


def test_a_name_that_stands_for_nothing_is_told() -> None:
    with pytest.raises(AttributeError, match="SampleConfig has no 'num_layers'"):
        _ = SampleConfig().num_layers
    with pytest.raises(TypeError, match="SampleConfig takes no 'num_layers': did you mean 'num_labels'"):
        SampleConfig.of(num_layers=3)
    with pytest.raises(TypeError, match="num_attention_heads=3 and heads=4 are the same field of SampleConfig"):
        SampleConfig().replace(heads=4, num_attention_heads=3)
    with pytest.raises(AttributeError, match=r"SampleConfig has no 'num_hidden_layers'$"):  # others have
        _ = SampleConfig().num_hidden_layers


# what can be set


def test_a_name_is_set_as_it_is_replaced() -> None:
    config = SampleConfig(num_labels=2)
    config.update({"label2id": {"no": 0, "yes": 1}, "bos_token_id": 4, "heads": 3, "use_cache": False})
    config.pad_token_id = 3
    assert config == SampleConfig(
        id2label={0: "no", 1: "yes"}, pad_token_id=3, bos_token_id=4, extra={"use_cache": False}
    )
    assert config.to_dict()["use_cache"] is False
    assert (SampleConfig().use_cache, SampleConfig().torch_dtype) == (True, None)
    for name in ("n_embd", "hidden_size", "num_attention_heads", "num_labels", "is_decoder"):
        with pytest.raises(AttributeError, match=f"SampleConfig.{name} cannot be set: it shapes a model"):
            setattr(config, name, 5)
    with pytest.raises(AttributeError, match="SampleConfig has no 'pad_id'"):
        config.pad_id = 3


def test_keys_without_effect_are_taken_and_those_of_generation_told() -> None:
    config = SampleConfig.of(use_cache=False, _note=[1], extra={"more": 2})
    assert config.extra == {"more": 2, "use_cache": False, "_note": [1]}
    assert config.replace(use_cache=True, heads=4).extra == {"more": 2, "use_cache": True, "_note": [1]}
    assert config.replace(extra={}, prefix="so").extra == {"prefix": "so"}
    with pytest.raises(ConfigError, match="use_cache=3: must be true or false"):
        config.replace(use_cache=3)
    for refused in (config.replace, SampleConfig.of):
        with pytest.raises(TypeError, match=r"takes no 'num_beams': .*model\.generation_config"):
            refused(num_beams=3)


def test_the_numbers_of_classes_are_given_once() -> None:
    names, numbers = {0: "no", 1: "yes"}, {"yes": 1, "no": 0}
    assert SampleConfig.of(label2id=numbers) == SampleConfig.of(id2label=names, label2id=numbers)
    assert SampleConfig().replace(label2id=numbers).id2label == names
    assert SampleConfig().replace(label2id={**numbers, "both": 2}).num_labels == 3
    with pytest.raises(ConfigError, match=r"^label2id=.*: id2label has other names or numbers; give one of them$"):
        SampleConfig.of(label2id=numbers, id2label={0: "yes", 1: "no"})
    with pytest.raises(ConfigError, match=r"label2id=.*: must be an object of a string to an integer"):
        SampleConfig.of(label2id=names)


def test_copies_are_apart_and_may_be_set() -> None:
    config = SampleConfig()
    for other in (copy.copy(config), copy.deepcopy(config), pickle.loads(pickle.dumps(config)), config.replace()):
        other.pad_token_id = 5
        assert (config.pad_token_id, other.pad_token_id) == (None, 5)


def test_a_config_is_written_and_read_without_a_model(tmp_path: Path) -> None:
    made = ToyConfig(vocab_size=9, eos_token_id=(1, 2))
    made.save_pretrained(tmp_path)
    for kind in (ModelConfig, ToyConfig):
        read: Any = kind.from_pretrained(tmp_path, num_labels=3)
        assert (read, read.name_or_path) == (made.replace(num_labels=3), str(tmp_path))
    with pytest.raises(ConfigError, match=r"config\.json: model_type='toy': must be 'sample'"):
        SampleConfig.from_pretrained(tmp_path)


# a config within another


@dataclass(kw_only=True)
class PairConfig(ModelConfig):
    model_type: ClassVar[str] = "pair"

    reader: SampleConfig
    generator: ModelConfig
    judge: SampleConfig | None = None
    size: Size = 3


@pytest.fixture(autouse=True)
def toy() -> Iterator[None]:
    with tfx_core.register(Plugin(), name="tfx-toy"):
        yield


def pair(**changes: Any) -> PairConfig:
    """As a file has it."""
    objects = {"reader": {"n_embd": 6, "more": [1]}, "generator": {"model_type": "toy", "vocab_size": 9}}
    return PairConfig.from_dict({**objects, **changes}, where="here/config.json")


def test_a_field_is_the_config_of_another_model() -> None:
    config = pair(judge={"model_type": "sample", "heads": 4})
    assert config.reader == SampleConfig(hidden_size=6, extra={"more": [1]})
    assert config.generator == ToyConfig(vocab_size=9)
    assert config.judge == SampleConfig(heads=4)
    assert pair().judge is None
    assert PairConfig(reader=config.reader, generator=ToyConfig()).generator == ToyConfig()


def test_a_config_of_configs_reads_back_as_it_was() -> None:
    config = pair(judge={"id2label": {"0": "no", "1": "yes"}})
    written = config.to_dict()
    assert (written["generator"]["model_type"], written["reader"]["more"]) == ("toy", [1])
    assert PairConfig.from_dict(written) == config
    changed = config.replace(generator=config.generator.replace(vocab_size=7))
    assert PairConfig.from_dict(changed.to_dict()).generator.to_dict()["vocab_size"] == 7
    assert config.replace(reader={"heads": 2}).reader.heads == 2


def test_keys_that_nothing_knows_are_named_with_the_part_that_has_them() -> None:
    config = pair(swing=1, torch_dtype="float32", max_length=9, generator={"model_type": "toy", "swung": 2})
    assert config.unknown_keys == ("swing", "reader.more", "generator.swung")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"reader": {"heads": 0}}, r"^here/config.json: reader.heads=0: must be an integer at least 1$"),
        ({"reader": {"heads": 5}}, r"^here/config.json: reader.heads=5: must be a divisor of hidden_size=12$"),
        ({"judge": {"act": 3}}, r"^here/config.json: judge.act=3: must be one of 'gelu'"),
        ({"judge": 3}, r"^here/config.json: judge=3: must be an object, or null$"),
        ({"reader": {"model_type": "toy"}}, r"reader.model_type='toy': must be 'sample'"),
        (
            {"generator": {"model_type": "toy", "vocab_size": "9"}},
            r"json: generator.vocab_size='9': must be an integer$",
        ),
        (
            {"generator": {"vocab_size": 9}},
            r"generator.model_type=None: must name an architecture; installed are .*toy",
        ),
        ({"generator": {"model_type": 3}}, r"generator.model_type=3: must name an architecture"),
    ],
)
def test_a_wrong_part_is_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        pair(**values)


def test_the_architecture_of_a_part_must_be_installed() -> None:
    with pytest.raises(UnknownNameError, match=r"^here/config\.json: .*topsy"):
        pair(generator={"model_type": "topsy"})


@pytest.mark.parametrize("key", NEUTRAL_VALUES)
def test_what_no_architecture_can_honour_is_refused_unless_it_changes_nothing(key: str) -> None:
    for value in (*NEUTRAL_VALUES[key], None):
        assert SampleConfig.from_dict({key: value}).extra == {key: value}
    with pytest.raises(ConfigError, match=rf"^config: {key}=\{{'another': 1\}}: changes results"):
        SampleConfig.from_dict({key: {"another": 1}})
