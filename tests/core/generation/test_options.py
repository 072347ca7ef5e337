"""Options: what is refused, with which words, and where defaults come from."""

import json
import math
from typing import Any

import pytest
import torch

from tests.core.generation.toys import toy_model
from tfx_core.errors import ConfigError, InputError, TfxError
from tfx_core.generation import (
    OPTION_NAMES,
    GenerationConfig,
    GenerationOptions,
    PhrasalConstraint,
    Strategy,
    generate,
    options_from_files,
)
from tfx_core.generation.defaults import contents_of


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_new_tokens", 0), ("max_new_tokens", -3), ("max_new_tokens", 2.5), ("max_new_tokens", True),
        ("max_length", 0), ("min_length", -1), ("min_new_tokens", -1), ("num_beams", 0), ("num_beams", "4"),
        ("num_return_sequences", 0), ("top_k", -1), ("top_k", 1.5), ("top_p", 1.5), ("top_p", -0.1), ("min_p", 2),
        ("typical_p", 0), ("typical_p", 1.1), ("temperature", -1.0), ("temperature", "warm"),
        ("repetition_penalty", 0), ("repetition_penalty", -1.0), ("encoder_repetition_penalty", 0),
        ("no_repeat_ngram_size", -1), ("encoder_no_repeat_ngram_size", -1), ("penalty_alpha", 2.0),
        ("prompt_lookup_num_tokens", 0), ("max_matching_ngram_size", 0), ("max_time", 0), ("max_time", -1),
        ("early_stopping", "always"), ("early_stopping", 1.0), ("do_sample", "yes"), ("do_sample", 1),
        ("seed", -1), ("seed", 0.5), ("seeds", [1, -1]), ("seeds", 3), ("eos_token_id", -1), ("eos_token_id", [1, -2]),
        ("eos_token_id", "</s>"), ("pad_token_id", -1), ("forced_bos_token_id", -5), ("suppress_tokens", [-1]),
        ("bad_words_ids", []), ("bad_words_ids", [[]]), ("bad_words_ids", [3]), ("bad_words_ids", [[-1]]),
        ("force_words_ids", []), ("force_words_ids", [[]]), ("force_words_ids", [[[]]]), ("sequence_bias", {}),
        ("sequence_bias", {(1,): "much"}), ("sequence_bias", {(): 1.0}),
        ("stop_strings", ""), ("stop_strings", ["a", ""]), ("stop_strings", [3]),
        ("exponential_decay_length_penalty", (1,)), ("use_cache", 2),
        ("exponential_decay_length_penalty", (1.5, 2.0)), ("length_penalty", "long"), ("renormalize_logits", 2),
    ],
)  # fmt: skip
def test_values_that_cannot_be_meant(option: str, value: Any) -> None:
    with pytest.raises(InputError, match=option):
        GenerationOptions(**{option: value})


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"max_new_tokens": 5, "max_length": 9}, "max_new_tokens=5 and max_length=9"),
        ({"min_new_tokens": 5, "min_length": 9}, "min_new_tokens=5 and min_length=9"),
        ({"seed": 0, "seeds": [1, 2]}, "seed=0 and seeds"),
        ({"min_new_tokens": 5, "max_new_tokens": 4}, "min_new_tokens=5 is more than max_new_tokens=4"),
        (
            {"num_beams": 4, "do_sample": True, "num_beam_groups": 2, "diversity_penalty": 1.0},
            "do_sample=True contradicts",
        ),
        ({"num_beams": 4, "num_beam_groups": 3, "diversity_penalty": 1.0}, "num_beam_groups=3"),
        ({"num_beams": 4, "num_beam_groups": 2}, "diversity_penalty"),
        ({"num_beams": 4, "diversity_penalty": 1.0}, "num_beam_groups of at least 2"),
        ({"num_beam_groups": 2, "diversity_penalty": 1.0}, "num_beam_groups=2"),
        ({"num_return_sequences": 2}, "num_return_sequences=2"),
        ({"num_beams": 2, "num_return_sequences": 3}, "num_return_sequences=3"),
        ({"force_words_ids": [[3]]}, "num_beams=1"),
        ({"force_words_ids": [[3]], "num_beams": 4, "do_sample": True}, "do_sample=True contradicts constrained"),
        (
            {"force_words_ids": [[3]], "num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.0},
            "num_beam_groups=2 contradicts constrained",
        ),
        ({"penalty_alpha": 0.6, "top_k": 4, "do_sample": True}, "do_sample=True contradicts contrastive"),
        ({"penalty_alpha": 0.6, "top_k": 1}, "penalty_alpha=0.6 contradicts greedy"),
        ({"penalty_alpha": 0.6, "num_beams": 2}, "penalty_alpha=0.6 contradicts beam search"),
        ({"prompt_lookup_num_tokens": 3, "num_beams": 2}, "prompt_lookup_num_tokens=3 contradicts beam search"),
        ({"do_sample": True, "temperature": 0.0}, "temperature=0.*do_sample=False"),
    ],
)  # fmt: skip
def test_options_that_contradict_each_other(options: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        GenerationOptions(**options)


@pytest.mark.parametrize(
    ("options", "strategy"),
    [
        ({}, Strategy.GREEDY),
        ({"do_sample": True}, Strategy.SAMPLE),
        ({"num_beams": 2}, Strategy.BEAM),
        ({"num_beams": 2, "do_sample": True}, Strategy.BEAM),
        ({"num_beams": 2, "num_beam_groups": 2, "diversity_penalty": 0.1}, Strategy.GROUP_BEAM),
        ({"num_beams": 2, "force_words_ids": [[4]]}, Strategy.CONSTRAINED_BEAM),
        ({"penalty_alpha": 0.6, "top_k": 4}, Strategy.CONTRASTIVE),
        ({"penalty_alpha": 0.0}, Strategy.GREEDY),
        ({"prompt_lookup_num_tokens": 3}, Strategy.LOOKUP),
        ({"prompt_lookup_num_tokens": 3, "do_sample": True}, Strategy.LOOKUP),
    ],
)
def test_options_decide_the_strategy(options: dict[str, Any], strategy: Strategy) -> None:
    assert GenerationOptions(**options).strategy is strategy


def test_none_is_as_if_not_given() -> None:
    options = GenerationOptions(
        temperature=None, top_k=None, top_p=None, num_beams=None, repetition_penalty=None, min_length=None
    )  # type: ignore[arg-type]
    assert options.top_k == 0  # no limit, although 50 is the default
    assert options == GenerationOptions(top_k=0)


def test_a_bound_replaces_its_counterpart() -> None:
    options = GenerationOptions(max_length=50, min_length=5)
    assert options.updated(max_new_tokens=3).max_length is None
    assert options.updated(min_new_tokens=3).min_length == 0
    assert options.updated(max_length=9).max_length == 9
    assert options.updated(seeds=[1]).updated(seed=3).seeds is None
    both = options.updated(max_new_tokens=3, max_length=9, min_new_tokens=2, min_length=8)
    assert (both.max_new_tokens, both.max_length, both.min_new_tokens, both.min_length) == (3, None, 2, 0)
    for options_of_both in ({"seed": 3, "seeds": [1]}, {"seed": 3, "seeds": [1], "max_length": 5}):
        with pytest.raises(InputError, match=r"seed=3 and seeds=.*: give one of the two"):
            options.updated(**options_of_both)
    with pytest.raises(InputError, match="give one of the two"):
        GenerationOptions(max_new_tokens=3, max_length=9)
    with pytest.raises(TypeError, match="'top_q'"):
        options.updated(top_q=3)


def test_a_bound_ends_an_opposite_one_that_it_contradicts() -> None:
    stored = GenerationOptions(min_new_tokens=9, max_new_tokens=20)
    assert stored.updated(max_new_tokens=5).min_new_tokens == 5
    assert stored.updated(max_new_tokens=10).min_new_tokens == 9
    assert stored.updated(min_new_tokens=30).max_new_tokens == 30
    assert stored.updated(min_length=30).max_new_tokens == 20
    assert GenerationOptions(min_length=56, max_length=142).updated(max_length=20).min_length == 20
    assert GenerationOptions(min_length=56, max_length=142).updated(min_length=200).max_length == 200
    with pytest.raises(InputError, match="min_new_tokens=7 is more than max_new_tokens=5"):
        stored.updated(max_new_tokens=5, min_new_tokens=7)


def test_options_without_effect_are_told() -> None:
    options = GenerationOptions(top_p=0.5, temperature=2.0, early_stopping=True, output_scores=True)
    reasons = options.without_effect(["top_p", "temperature", "early_stopping", "output_scores", "num_beams"])
    assert [reason.split("=")[0] for reason in reasons] == ["top_p", "temperature", "early_stopping", "output_scores"]
    assert not GenerationOptions(top_k=4, penalty_alpha=0.6).without_effect(["top_k"])
    assert not GenerationOptions(top_k=4, do_sample=True).without_effect(["top_k", "temperature"])


def test_defaults_come_from_generation_config_alone() -> None:
    config = {
        "num_beams": 4,
        "eos_token_id": 2,
        "pad_token_id": 1,
        "decoder_start_token_id": 2,
        "forced_eos_token_id": 2,
    }
    written = {
        "num_beams": 3, "eos_token_id": [5, 6], "transformers_version": "4.57.6", "_from_model_config": True,
        "use_cache": False, "cache_implementation": "hybrid", "guidance_scale": None, "token_healing": False,
    }  # fmt: skip
    options = options_from_files(written, config)
    assert options.num_beams == 3
    assert options.eos_ids == (5, 6)
    assert (options.pad_token_id, options.decoder_start_token_id) == (1, 2)
    assert options.forced_eos_ids == ()


def test_defaults_come_from_legacy_keys() -> None:
    config = json.loads(
        '{"model_type": "bart", "num_beams": 4, "early_stopping": true, "max_length": 142, "min_length": 56,'
        '"length_penalty": 2.0, "no_repeat_ngram_size": 3, "forced_eos_token_id": 2, "eos_token_id": 2, "top_k": null,'
        '"hidden_size": 8, "task_specific_params": {"summarization": {"num_beams": 9, "max_length": 7}}}'
    )
    options = options_from_files(None, config)
    assert (options.num_beams, options.max_length, options.min_length, options.top_k) == (4, 142, 56, 50)
    assert options.early_stopping is True
    assert options_from_files(None, None) == GenerationOptions()
    assert options_from_files(None, {"max_length": 20}).max_length is None
    assert options_from_files({"max_length": 99, "max_new_tokens": 4}, None).max_length is None
    assert options_from_files({"pad_token_id": -1}, None).pad_token_id is None


def test_what_cannot_be_honoured_is_named() -> None:
    with pytest.warns(UserWarning, match=r"my/generation_config.json: .*dola_layers, some_key"):
        options_from_files({"dola_layers": "high", "some_key": 1}, None, where="my/generation_config.json")
    with pytest.warns(UserWarning, match=r"ignored: \\x1b\[2Jx{900}"):
        options_from_files({"\x1b[2J" + 10**6 * "x": 1}, None)
    with pytest.raises(ConfigError, match=r"generation_config.json: top_p=7"):
        options_from_files({"top_p": 7}, None)
    with pytest.raises(ConfigError, match=r"folder/config.json: num_beams=0"):
        options_from_files(None, {"num_beams": 0}, config_where="folder/config.json")


HUGE, MUCH = 10**30, 10**400
WRONG: dict[str, list[Any]] = {
    "max_new_tokens": [0, HUGE, MUCH, 1.5, True, "x", [1]], "min_length": [-1, MUCH], "temperature": [MUCH, -MUCH],
    "top_p": [MUCH, "x"], "length_penalty": [1e308, MUCH], "num_beams": [HUGE, 10**9], "num_return_sequences": [HUGE],
    "eos_token_id": [HUGE, [HUGE], "x"], "bad_words_ids": [[[HUGE]], [3]], "suppress_tokens": [[MUCH]],
    "force_words_ids": [[[HUGE]], {}], "sequence_bias": [{"a": 1}, [[[HUGE], 1.0]], [[[1], MUCH]]],
    "exponential_decay_length_penalty": [[HUGE, 1.0], [1, MUCH]], "repetition_penalty": [MUCH],
    "stop_strings": [[None]],
    "top_k": [-1], "do_sample": ["yes"], "early_stopping": [[]], "constraints": [[3]], "max_time": [MUCH],
}  # fmt: skip


@pytest.mark.parametrize("key", WRONG)
def test_an_error_of_a_file_names_it_and_speaks_its_language(key: str) -> None:
    for value in WRONG[key]:
        with pytest.raises(ConfigError, match=rf"^my/generation_config\.json: {key}=") as caught:
            options_from_files({key: value}, {"eos_token_id": 3}, where="my/generation_config.json")
        assert "or None" not in str(caught.value)


def test_an_error_names_the_file_that_has_the_key() -> None:
    with pytest.raises(ConfigError, match=r"^a/config\.json: eos_token_id='x': must be .*, or null$"):
        options_from_files({"top_p": 0.5}, {"eos_token_id": "x"}, config_where="a/config.json")


def test_every_option_of_a_file_has_a_value_that_is_refused_with_the_files_name() -> None:
    for name in OPTION_NAMES:
        with pytest.raises(ConfigError, match=rf"^here: {name}="):
            options_from_files({name: object()}, None, where="here")


def test_options_in_the_place_of_a_file() -> None:
    given = GenerationConfig.of(GenerationOptions(max_length=20, pad_token_id=5))
    options = given.above({"eos_token_id": 3, "pad_token_id": 4}, "", "").options()
    assert (options.max_length, options.eos_token_id, options.pad_token_id) == (20, 3, 5)
    with pytest.raises(InputError, match=r"generation_config=3: must be a GenerationConfig, GenerationOptions or a"):
        GenerationConfig.of(3)


def test_a_file_says_what_options_say() -> None:
    options = GenerationOptions(
        max_new_tokens=9, top_k=None, sequence_bias={(1, 2): 0.5}, eos_token_id=[1, 2], early_stopping="never"
    )  # type: ignore[arg-type]
    again = options_from_files(json.loads(json.dumps(contents_of(options))), None)
    assert (again.biases, again.updated(sequence_bias=None)) == (options.biases, options.updated(sequence_bias=None))
    with pytest.raises(InputError, match="constraints: a file cannot hold them"):
        contents_of(GenerationOptions(constraints=[PhrasalConstraint([3])], num_beams=2))


ANYTHING: tuple[Any, ...] = (
    0, 1, -1, 2, 5, 60, 10**9, 10**18, 2**63, HUGE, MUCH, -MUCH, 0.5, 1e-320, 1e308, -1e308, math.inf, -math.inf,
    math.nan,
    True, False, "", "x", "never", "\ud800", "\x1b[2J", [], [[]], [1], [[1]], [[1, 2], [3]], [[[1]]], {}, {"1": 2},
    [None],
    [True], ["x"], [MUCH], [[HUGE]], [[[1], 0.5]], [[[1], math.inf]], [1, 1.5], [3, 1e308], [-5, 0.1], [math.nan],
)  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_whatever_a_file_says_it_is_meant_or_one_error() -> None:
    ids = torch.tensor([[3, 4, 3, 4]])
    for name in sorted(OPTION_NAMES):
        for value in ANYTHING:
            try:
                defaults = options_from_files({name: value}, {"eos_token_id": 1, "pad_token_id": 0})
                generate(toy_model(generation_options=defaults), ids, max_new_tokens=4)
            except TfxError as error:
                assert str(error).isprintable(), (name, value)  # noqa: PT017
