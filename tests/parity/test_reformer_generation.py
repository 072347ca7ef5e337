"""Reformer writes what the reference writes with its cache of buckets, token for token.

The reference is mended where rows are told apart by nothing: it takes the states that all rows attend to from the first
one. In a text that is shorter than the chunks which a token sees it meets some tokens twice; there it is not compared.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

import tfx_core
from tests.cases.reformer import CAUSAL, TINY, two
from tests.models.tiny import random_ids
from tfx_core.model.model import Model

CHUNK, PLACES = 6, 60
CONFIGS: dict[str, dict[str, Any]] = {
    "mixed": {},
    "hashed": two("lsh"),
    "local": two("local"),
    "several rounds": {"num_hashes": 2},
    "factors": {"num_buckets": [2, 4]},
    "buckets by length": {"num_buckets": None},
    "chunks before": {"lsh_num_chunks_before": 2},
    "chunks alone": {"lsh_num_chunks_before": 0, "local_num_chunks_before": 0},
    "table of positions": {"axial_pos_embds": False},
}
LENGTHS = (18, 21)
"""Of prompts that fill the chunks which a token sees."""


def models(folder: Path, **changes: Any) -> tuple[Any, Model]:
    """The reference's model, so perturbed that its texts differ, and ours."""
    settings = {**TINY, **CAUSAL, "lsh_attn_chunk_length": CHUNK, "max_position_embeddings": PLACES, **changes}
    config = transformers.ReformerConfig(**{**settings, "axial_pos_shape": [6, 10], "eos_token_id": None})
    with torch.random.fork_rng():
        torch.manual_seed(4)
        theirs = transformers.ReformerModelWithLMHead(config)
        with torch.no_grad():
            for parameter in theirs.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.3)
    theirs.eval().save_pretrained(folder)
    for layer in theirs.reformer.encoder.layers:
        if hasattr(layer.attention.self_attention, "query_key"):
            _each_row_alone(layer.attention.self_attention)
    return theirs, tfx_core.load_model(folder)


def _each_row_alone(attention: Any) -> None:
    attention.self_mask_value_float32.fill_(-1e3)  # see `tests.cases.reformer.comparable`
    relevant = attention._get_relevant_hid_states_and_buckets

    def of_each(num_hashes: int, attention_mask: None, **given: Tensor) -> tuple[Tensor, ...]:
        rows = range(len(given["hidden_states"]))
        found = [
            relevant(num_hashes=num_hashes, attention_mask=None, **{name: x[row, None] for name, x in given.items()})
            for row in rows
        ]
        return tuple(torch.cat(each) for each in zip(*found, strict=True))

    attention._get_relevant_hid_states_and_buckets = of_each


def written(model: Any, ids: Tensor, **options: Any) -> Tensor:
    """The new tokens of both libraries' ``generate``."""
    with torch.no_grad():
        sequences: Tensor = model.generate(ids, **{"max_new_tokens": 20, "do_sample": False, **options})
    return sequences[:, ids.shape[1] :]


@pytest.fixture(scope="module", params=CONFIGS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Model]:
    return models(tmp_path_factory.mktemp("reformer"), **CONFIGS[request.param])


OPTIONS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "processors": {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2},
    "beams": {"num_beams": 3, "num_return_sequences": 2},
    "long beams": {"num_beams": 3, "length_penalty": 2.0, "early_stopping": True},
}


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_strategies(pair: tuple[Any, Model], length: int, options: dict[str, Any]) -> None:
    theirs, ours = pair
    ids = random_ids("reformer", 3, length, seed=length)
    expected = written(theirs, ids, **options)
    assert len(expected.unique()) > 3, "a model that repeats itself shows nothing"
    assert torch.equal(written(ours, ids, **options), expected)


@pytest.mark.parametrize("length", LENGTHS)
def test_scores(pair: tuple[Any, Model], length: int) -> None:
    theirs, ours = pair
    ids = random_ids("reformer", 2, length, seed=1)
    options = {"max_new_tokens": 20, "return_dict_in_generate": True, "output_logits": True, "do_sample": False}
    with torch.no_grad():
        expected, mine = theirs.generate(ids, **options).logits, ours.generate(ids, **options).logits
    for step, logits in enumerate(expected):
        torch.testing.assert_close(mine[step], logits, rtol=1e-4, atol=1e-4, msg=lambda said, at=step: f"{at}: {said}")
