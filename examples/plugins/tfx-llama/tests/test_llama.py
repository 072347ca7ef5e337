"""Llama by the kit: what holds of every architecture; and what is its own, rotations of longer texts."""

import math
from typing import Any

import pytest
import torch

import tfx_core
from tfx_core.errors import ConfigError
from tfx_llama.rotation import frequencies_of
from tfx_testing import ArchitectureCase, ArchitectureChecks, PluginChecks

TINY = {
    "vocab_size": 53,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 40,
}
LLAMA_3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}


class TestLlama(ArchitectureChecks):
    """Every head, on every side of padding, written with and without a cache, saved and loaded."""

    case = ArchitectureCase(
        "llama",
        tiny=TINY,
        refused=(
            ({"num_key_value_heads": 3}, "num_key_value_heads=3: must be a divisor of num_attention_heads=4"),
            ({"hidden_size": 26}, "num_attention_heads=4: must be a divisor of 26"),
            ({"hidden_size": 20}, "hidden_size=20: must be such that a head has an even width"),
            ({"head_dim": 5}, "head_dim=5: must be such that a head has an even width"),
            ({"hidden_act": "quick"}, "hidden_act='quick'"),
            (
                {"rope_scaling": {"rope_type": "yarn", "factor": 2.0}},
                "rope_type='yarn': must be one of 'default'",
            ),
        ),
    )


class TestPlugin(PluginChecks):
    """The distribution as it is installed."""

    distribution = "tfx-llama"


USUAL = 10000.0 ** -(torch.arange(0, 128, 2) / 128)


def test_linear_scaling_brings_positions_closer() -> None:
    linear = frequencies_of({"rope_type": "linear", "factor": 4.0})
    assert linear is not None
    torch.testing.assert_close(linear(USUAL), USUAL / 4)


def test_llama_3_slows_down_what_turns_slowly() -> None:
    llama_3 = frequencies_of({"rope_type": "llama3", **LLAMA_3})
    assert llama_3 is not None
    found, lengths = llama_3(USUAL), 2 * math.pi / USUAL
    assert torch.equal(found[lengths < 8192 / 4], USUAL[lengths < 8192 / 4])
    torch.testing.assert_close(found[lengths > 8192], USUAL[lengths > 8192] / 8)
    assert (found.diff() < 0).all()  # and smoothly between


@pytest.mark.parametrize(
    ("scaling", "said"),
    [
        (
            {"rope_type": "longrope", "factor": 2.0},
            "rope_type='longrope': must be one of 'default', 'linear', 'llama3'",
        ),
        ({"type": "dynamic", "factor": 2.0}, "rope_type='dynamic': must be one of"),
        ({"rope_type": "linear"}, r"rope_scaling: 'linear' with \[\]: must have \['factor'\]"),
        ({"rope_type": "linear", "factor": 2.0, "more": 1}, r"'linear' with \['factor', 'more'\]: must have"),
        ({"rope_type": "linear", "factor": 0.5}, r"rope_scaling\.factor=0\.5: must be at least 1"),
        ({"rope_type": "linear", "factor": "2"}, r"rope_scaling\.factor='2'"),
        ({"rope_type": "llama3", **LLAMA_3, "high_freq_factor": 1.0}, "high_freq_factor=1.0: must be above"),
        ({"rope_type": ["linear"]}, "rope_type="),
    ],
)
@pytest.mark.parametrize("key", ["rope_scaling", "rope_parameters"])
def test_a_rotation_that_is_not_possible_is_refused(key: str, scaling: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        tfx_core.new_model("llama", **TINY, **{key: scaling})


def test_both_keys_of_a_rotation_contradict_each_other() -> None:
    scaling = {"rope_type": "linear", "factor": 2.0}
    with pytest.raises(ConfigError, match=r"rope_scaling=.*: must be null beside rope_parameters"):
        tfx_core.new_model("llama", **TINY, rope_scaling=scaling, rope_parameters=scaling)
