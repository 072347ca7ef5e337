"""The object of a model's options: read and set by field, over files, and in all forms in which one is given."""

import copy
import json
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.core.generation.toys import EOS, PAD, toy_model
from tfx_core.errors import CheckpointError, ConfigError, InputError
from tfx_core.generation import OPTION_NAMES, GenerationConfig, GenerationOptions, generate
from tfx_core.generation.generation_config import given_options
from tfx_core.habits.habit import Habit
from tfx_core.habits.table import PLACES

IDS = torch.tensor([[3, 4]])


class Theirs:
    """Stands for the reference's class: everything that it was made with, beside defaults that mean "not set"."""

    usual: dict[str, Any] = {"max_length": 20, "do_sample": False, "top_k": 50, "num_beams": 1, "guidance_scale": None}  # noqa: RUF012

    def __init__(self, **values: Any) -> None:
        self.values = {**self.usual, **values}

    def to_dict(self) -> dict[str, Any]:
        return dict(self.values)


class Theirs5(Theirs):
    """The same of version 5, where whatever is not set is None."""

    usual = dict.fromkeys(Theirs.usual)


def test_a_field_that_is_set_counts_and_the_others_stay() -> None:
    config = GenerationConfig.of_file({"num_beams": 3, "max_length": 30, "transformers_version": "4.57.6"})
    config = config.above({"eos_token_id": 7, "top_p": 0.5}, "f", "c")
    assert (config.num_beams, config.eos_token_id, config.top_p, config.max_new_tokens) == (3, 7, 1.0, None)
    config.max_new_tokens = 5
    config.eos_token_id = None
    options = config.options()
    assert (options.num_beams, options.max_new_tokens, options.max_length, options.eos_ids) == (3, 5, None, ())
    config.update(num_beams=None, top_k=None)
    assert (config.num_beams, config.top_k) == (1, 0)
    assert repr(config) == "GenerationConfig(max_new_tokens=5)"
    assert config.to_dict().keys() == OPTION_NAMES
    contents = {"max_new_tokens": 5, "top_k": 0, "eos_token_id": None, "transformers_version": "4.57.6"}
    assert config.contents() == contents
    again = GenerationConfig.of_file(contents).above({"eos_token_id": 7, "bos_token_id": 1}, "f", "c")
    assert (again.eos_token_id, again.bos_token_id) == (None, 1)


def test_the_older_keys_stay_when_a_field_is_set() -> None:
    config = GenerationConfig.of_file(None).above({"num_beams": 4, "max_length": 9}, "f", "c")
    assert config.contents() is None
    config.max_new_tokens = 2
    assert (config.options().num_beams, config.options().max_new_tokens) == (4, 2)
    assert config.contents() == {"num_beams": 4, "max_new_tokens": 2}


def test_wrong_values_and_names_are_told_where_they_are_set() -> None:
    config = GenerationConfig()
    with pytest.raises(InputError, match="top_p=7: must be a number from 0 to 1"):
        config.top_p = 7
    with pytest.raises(AttributeError, match="no 'max_new_token': did you mean 'max_new_tokens'"):
        config.max_new_token = 7
    with pytest.raises(AttributeError, match="no 'max_new_token': did you mean 'max_new_tokens'"):
        config.max_new_token  # noqa: B018
    with pytest.raises(TypeError, match="no 'top_pp': did you mean 'top_p'"):
        config.update(top_pp=0.5)
    with pytest.raises(AttributeError, match="no 'watermarking_config': there are no watermarks"):
        config.watermarking_config = {}
    config.cache_implementation = "dynamic"
    config.num_return_sequences = 3
    with pytest.raises(InputError, match="generation_config: num_return_sequences=3: greedy"):
        config.options()
    with pytest.raises(ConfigError, match="here: num_return_sequences=3: greedy"):
        GenerationConfig.of_file({"num_return_sequences": 3}).above({}, "here", "there").options()


def test_copies_are_equal_and_on_their_own() -> None:
    config = GenerationConfig(num_beams=2, sequence_bias={(1, 2): 0.5}, eos_token_id=[1, 2])
    for other in (copy.copy(config), copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert other == config
        other.num_beams = 3
        assert (config.num_beams, other == config) == (2, False)


def test_files_are_written_and_read(tmp_path: Path) -> None:
    config = GenerationConfig(num_beams=2, sequence_bias={(1, 2): 0.5}, eos_token_id=[1, 2])
    config.save_pretrained(tmp_path / "new")
    again = GenerationConfig.from_pretrained(tmp_path / "new", num_beams=3)
    assert (again.num_beams, again.eos_token_id, again.options().biases) == (3, (1, 2), {(1, 2): 0.5})
    with pytest.raises(CheckpointError, match=r"new/generation_config\.json/in: could not be saved"):
        config.save_pretrained(tmp_path / "new/generation_config.json/in")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ConfigError, match=r"has no generation_config\.json"):
        GenerationConfig.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "given",
    [
        {"max_new_tokens": 3}, GenerationOptions(max_new_tokens=3), GenerationConfig(max_new_tokens=3),
        GenerationConfig.of_file({"max_new_tokens": 3, "max_length": 20}), Theirs(max_new_tokens=3),
        Theirs5(max_new_tokens=3),
    ],
    ids=lambda each: type(each).__name__,
)  # fmt: skip
def test_every_form_goes_over_the_models_own(given: Any) -> None:
    defaults = GenerationOptions(max_length=9, num_beams=2, eos_token_id=EOS, pad_token_id=PAD)
    model = toy_model(generation_options=defaults)
    assert torch.equal(generate(model, IDS, generation_config=given), generate(model, IDS, max_new_tokens=3))
    alone = generate(model, IDS, generation_config=given, use_model_defaults=False)
    assert torch.equal(alone, generate(model, IDS, max_new_tokens=3, num_beams=1))
    assert torch.equal(generate(model, IDS, generation_config=given, max_length=4), generate(model, IDS, max_length=4))


def test_of_theirs_what_nobody_set_is_not_set() -> None:
    assert given_options(Theirs(num_beams=2)) == {"num_beams": 2}
    assert given_options(Theirs5(do_sample=False, max_length=20)) == {"do_sample": False, "max_length": 20}
    with pytest.raises(TypeError, match="did you mean 'max_new_tokens'"):
        GenerationConfig.of(Theirs(max_new_token=3))


def test_what_is_set_together_is_checked_together() -> None:
    model = toy_model()
    texts = generate(model, IDS, generation_config={"num_return_sequences": 3}, do_sample=True, seed=1)
    assert len(texts) == 3
    with pytest.raises(TypeError, match="did you mean 'num_beams'"):
        generate(model, IDS, generation_config={"num_beam": 3})


RECORDED = json.loads(Path(__file__).with_name("reference_options.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("version", RECORDED)
def test_every_field_of_the_reference_is_an_option_or_a_row_of_the_table(version: str) -> None:
    rows: dict[str, Habit] = {each.name: each for each in PLACES["generate"]}
    told = {name for each in PLACES["generate"] for name in re.findall(r"(\w+)=", each.theirs)}
    left = {name for name in RECORDED[version].split() if name not in OPTION_NAMES and not name.startswith("_")}
    assert left - rows.keys() - told <= {
        # of models beside this one, and of what a call reports
        "assistant_confidence_threshold", "num_assistant_tokens", "num_assistant_tokens_schedule",
        "output_attentions", "output_hidden_states", "top_h",
    }  # fmt: skip
