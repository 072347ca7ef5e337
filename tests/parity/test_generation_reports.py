"""Attentions and hidden states of a generation are the reference's, in its layout and under its names."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.parity import generation_reference

OPTIONS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "beams": {"num_beams": 3},
    "more beams": {"num_beams": 3, "num_return_sequences": 2, "length_penalty": -1.0},
    "copies": {"do_sample": True, "top_k": 1, "num_return_sequences": 2},
}
REPORTED = (
    *("attentions", "hidden_states", "encoder_attentions", "encoder_hidden_states"),
    *("decoder_attentions", "cross_attentions", "decoder_hidden_states"),
)


def assert_alike(ours: Any, theirs: Any) -> None:
    """Nested tuples of tensors; where a text has ended, the reference goes on with padding and we have zeros."""
    if isinstance(theirs, tuple):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            assert_alike(mine, other)
        return
    assert ours.shape == theirs.shape
    going = ours.flatten(1).any(1)
    assert bool(going.any())
    torch.testing.assert_close(ours[going], theirs[going], atol=2e-5, rtol=2e-4)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("model_type", ["causal", "bart", "t5"])
def test_reports_are_the_references(model_type: str, name: str, tmp_path: Path) -> None:
    reference: Any = getattr(generation_reference, f"{model_type}_model")(seed=3)
    reference.set_attn_implementation("eager")
    reference.save_pretrained(tmp_path)
    model = tfx_core.load_model(tmp_path)
    ids: Tensor = generation_reference.prompts(1, 3)
    settings = {
        "max_new_tokens": 6,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "return_dict_in_generate": True,
        "output_attentions": True,
        "output_hidden_states": True,
        "output_scores": True,
        "output_logits": True,
        **OPTIONS[name],
    }
    theirs = reference.generate(ids, attention_mask=torch.ones_like(ids), **settings)
    ours = model.generate(ids, attention_mask=torch.ones_like(ids), **settings)
    begin = generation_reference.prompt_length(reference, ids)
    assert generation_reference.texts(ours[0], begin) == generation_reference.texts(theirs[0], begin)
    kept = [each for each in theirs if each != "past_key_values" or "num_beams" not in settings]
    assert list(ours) == kept
    for each in REPORTED:
        if each in theirs:
            assert_alike(ours[each], theirs[each])
        else:
            assert getattr(ours, each) is None
