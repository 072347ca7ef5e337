"""What is Funnel's own: what is pooled of what, short texts, the model without its decoder, two forms of positions."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import tfx_core
from tests.models.labelled import SIDES, padded_batch, texts_of, tiny_model
from tests.models.released import released
from tests.models.tiny import random_ids, tiny_config
from tfx_core.embedding import TextEncoder
from tfx_core.errors import ConfigError, InputError
from tfx_core.model import Model
from tfx_core.nn import RealTokens
from tfx_encoders.funnel.pooling import PoolingKind, PoolingRules

LENGTHS = (1, 2, 3, 4, 5, 9)


def states(model: Model, ids: Tensor, **inputs: object) -> Tensor:
    with torch.no_grad():
        return model(ids, **inputs).last_hidden_state


def pooled(values: list[float], kind: PoolingKind, apart: bool, truncated: bool) -> list[float]:
    x = torch.tensor(values)[None, :, None]
    windows = PoolingRules(kind, apart, truncated).windows(RealTokens.of(x))
    return windows.pool(x).flatten().tolist()


@pytest.mark.parametrize(
    ("kind", "apart", "truncated", "expected"),
    [
        ("mean", True, True, [1, 2.5, 6, 16]),
        ("max", True, True, [1, 3, 8, 16]),
        ("first", True, True, [1, 2, 4, 16]),
        ("mean", True, False, [1, 2.5, 6, 24]),
        ("mean", False, False, [1.5, 3.5, 12, 32]),
        ("first", False, False, [1, 3, 8, 32]),
    ],
)
def test_what_becomes_one_state(kind: PoolingKind, apart: bool, truncated: bool, expected: list[float]) -> None:
    assert pooled([1, 2, 3, 4, 8, 16, 32], kind, apart, truncated) == expected


def test_what_stands_apart_and_one_more_are_pooled_no_further() -> None:
    assert [pooled([5] * length, "mean", True, True) for length in (1, 2)] == [[5], [5, 5]]
    assert pooled([5], "mean", False, False) == [5]


@pytest.mark.parametrize("kind", ["mean", "max", "first"])
def test_a_row_is_pooled_by_its_own_length(kind: PoolingKind) -> None:
    x = torch.randn(len(LENGTHS), max(LENGTHS), 3, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    rules = PoolingRules(kind, True, True)
    together = rules.windows(RealTokens.of(x, mask))
    for row, length in enumerate(LENGTHS):
        alone = x[row : row + 1, :length]
        expected = rules.windows(RealTokens.of(alone)).pool(alone)[0]
        assert torch.equal(together.pool(x)[row][together.real.dense_mask[row]], expected)


@pytest.mark.parametrize("changes", [{}, {"separate_cls": False}, {"truncate_seq": False}, {"pool_q_only": False}])
@pytest.mark.parametrize("side", SIDES)
def test_both_forms_of_positions_and_any_padding_give_the_same(side: str, changes: dict[str, Any]) -> None:
    one = tiny_model("funnel", "encoder-only", **changes)
    other = tiny_model("funnel", "encoder-only", attention_type="factorized", **changes)
    given = texts_of("funnel", "sequence-classification")
    batch = {name: x for name, x in padded_batch(given, side).items() if name != "labels"}
    with torch.no_grad():
        expected, found = one(**batch), other(**batch)
    assert torch.equal(expected.token_mask, found.token_mask)
    torch.testing.assert_close(found.last_hidden_state, expected.last_hidden_state)
    for row, text in enumerate(given):
        alone = states(one, text.inputs["input_ids"])[0]
        torch.testing.assert_close(expected.last_hidden_state[row][expected.token_mask[row]], alone)


@pytest.mark.parametrize("length", LENGTHS)
def test_short_texts_have_a_state_of_every_token(length: int) -> None:
    model = tiny_model("funnel", "backbone", block_sizes=[1] * 5)
    found = states(model, random_ids("funnel", 2, length))
    assert found.shape == (2, length, 24)
    assert found.isfinite().all()
    shallow = tiny_model("funnel", "encoder-only", block_sizes=[1] * 5)
    assert states(shallow, random_ids("funnel", 2, length)).shape[1] == min(length, 2)


def test_a_checkpoint_without_a_decoder_gives_one_with_a_new_decoder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tiny_model("funnel", "encoder-only").save_pretrained(tmp_path)
    assert tfx_core.load_model(tmp_path).config.architectures == ("FunnelBaseModel",)
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        whole = tfx_core.load_model(tmp_path, head="backbone")
    assert "decoder" in caplog.text
    ids = random_ids("funnel", 1, 9)
    assert states(whole, ids).shape == (1, 9, 24)
    whole.save_pretrained(tmp_path / "whole")
    again = tfx_core.load_model(tmp_path / "whole", head="encoder-only")
    assert torch.equal(states(again, ids), states(tfx_core.load_model(tmp_path), ids))


def test_features_and_vectors_are_of_the_states_that_there_are(tmp_path: Path) -> None:
    tokenizer = tfx_core.load_tokenizer(released("funnel", tmp_path / "released"))
    config = {**tiny_config("funnel"), "vocab_size": len(tokenizer)}
    model = tfx_core.new_model("funnel", head="encoder-only", seed=1, **config).eval()
    task = tfx_core.pipeline("feature-extraction", model, tokenizer=tokenizer)
    texts = ["hello world abc ab", "a", "hello abc"]
    alone = [states(model, tokenizer(text, return_tensors="pt").input_ids)[0].numpy() for text in texts]
    for found, expected in zip(task(texts), alone, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    for found, expected in zip(task(texts, pooling="mean"), alone, strict=True):
        np.testing.assert_allclose(found, expected.mean(0), rtol=1e-4, atol=1e-5)
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    vectors = tfx_core.load_encoder(tmp_path / "model", pooling="mean").encode(texts)
    np.testing.assert_allclose(vectors, np.stack([each.mean(0) for each in alone]), rtol=1e-4, atol=1e-5)


def test_a_prompt_is_not_left_out_of_states_that_have_no_place_for_it(tmp_path: Path) -> None:
    tokenizer = tfx_core.load_tokenizer(released("funnel", tmp_path))
    config = {**tiny_config("funnel"), "vocab_size": len(tokenizer)}
    model = tfx_core.new_model("funnel", head="encoder-only", seed=1, **config)
    encoder = TextEncoder(model, tokenizer, pooling=("mean",), pool_prompt=False)
    assert encoder.encode(["hello world abc"]).shape == (1, 24)
    with pytest.raises(InputError, match="include_prompt=false: a state of this model stands for several tokens"):
        encoder.encode(["hello world abc"], prompt="hello ")


def test_what_it_is_not() -> None:
    with pytest.raises(InputError, match="prune_heads: this model's heads cannot be pruned"):
        tiny_model("funnel", "backbone").backbone.prune_heads({0: [1]})
    config = tiny_model("funnel", "backbone").config
    with pytest.raises(ConfigError, match="num_hidden_layers=7: must be left out: it is the sum of block_sizes"):
        type(config).from_dict({**config.to_dict(), "num_hidden_layers": 7})
    with pytest.raises(TypeError, match="takes no 'num_hidden_layers': it is the sum of block_sizes"):
        config.replace(num_hidden_layers=7)
