"""Generation with another model's guesses, and after what an earlier call left: the texts are those of a plain call."""

from typing import Any

import pytest
import torch

import tfx_core
from tests.models.test_generation import GENERATORS, exact, prompts, start
from tests.models.tiny import perturbed, tiny_config
from tfx_core.errors import InputError
from tfx_core.model import Model

SEARCHES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampled": {"do_sample": True, "top_k": 9, "seeds": [3, 4, 5]},
    "copies": {"do_sample": True, "top_k": 0, "seeds": [3, 4, 5], "num_return_sequences": 3},
}


@pytest.fixture(params=GENERATORS, ids=lambda each: f"{each[0]}-{each[1]}{'-crossing' if each[2] else ''}")
def models(request: pytest.FixtureRequest) -> tuple[Model, Model]:
    """Two tiny models of a kind whose texts differ, the second one without cross-attention."""
    model_type, head, changes = request.param
    first, second = (
        tfx_core.new_model(model_type, head=head, seed=1, **{**tiny_config(model_type), **more}).eval()
        for more in (changes, {})
    )
    return perturbed(first, 2, 0.3), perturbed(second, 3, 0.3)


def settings(model: Model, **options: Any) -> dict[str, Any]:
    plain = {"max_new_tokens": 9, "eos_token_id": 9, "pad_token_id": 0, "decoder_start_token_id": start(model)}
    return {**plain, **options}


@pytest.mark.parametrize("name", SEARCHES)
def test_an_assistant_changes_no_text(models: tuple[Model, Model], name: str) -> None:
    model, assistant = models
    inputs, options = prompts(model), settings(model, **SEARCHES[name])
    if not exact(model):
        with pytest.raises(InputError, match="cannot take tokens back"):
            model.generate(**inputs, **options, assistant_model=assistant)
        return
    plain = model.generate(**inputs, **options)
    for helper, threshold in ((assistant, 0.0), (model, 0.0), (assistant, 0.1)):
        if helper.config.add_cross_attention:
            continue
        guessing = {"assistant_model": helper, "assistant_confidence_threshold": threshold, "num_assistant_tokens": 4}
        assert torch.equal(model.generate(**inputs, **options, **guessing), plain)


def test_an_assistant_with_another_vocabulary_is_refused(models: tuple[Model, Model]) -> None:
    model, assistant = models
    config = {**tiny_config(model.config.model_type), "vocab_size": 60}
    other = tfx_core.new_model(model.config.model_type, head=assistant.head_name, seed=1, **config).eval()
    with pytest.raises(InputError, match="assistant_model with a vocabulary of 60 tokens: the model's has"):
        model.generate(**prompts(model), **settings(model), assistant_model=other)
