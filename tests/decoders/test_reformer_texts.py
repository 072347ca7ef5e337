"""Reformer: texts of any length, rows that differ, what is remembered of a text that is hashed, and its tasks."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.decoders.texts import save
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.errors import ConfigError, InputError
from tfx_core.model.model import Model
from tfx_decoders.reformer import cache
from tfx_decoders.reformer.positions import AxialPositions

HASHED: dict[str, Any] = {"lsh_attn_chunk_length": 4, "attn_layers": ["lsh", "local", "lsh"]}
KINDS: dict[str, dict[str, Any]] = {
    "one round": {},
    "several rounds": {"num_hashes": 2},
    "buckets by length": {"num_buckets": None},
    "factors": {"num_buckets": [2, 4]},
}
LENGTHS = (21, 5, 14)


def made(head: str = "causal-lm", **changes: Any) -> Model:
    config = {**tiny_config("reformer"), **HASHED, **changes}
    return perturbed(tfx_core.new_model("reformer", head=head, seed=1, **config).eval(), 2, 0.3)


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> Model:
    return made(**KINDS[request.param])


def ragged(side: str = "left") -> tuple[Tensor, Tensor]:
    """Texts of different lengths, and which of their tokens are real."""
    ids, width = random_ids("reformer", len(LENGTHS), max(LENGTHS), seed=3), max(LENGTHS)
    mask = torch.stack([torch.arange(width) < length for length in LENGTHS]).long()
    mask = mask if side == "right" else mask.flip(1)
    return ids * mask, mask


def alone(side: str = "left") -> list[Tensor]:
    ids, mask = ragged(side)
    return [ids[row, mask[row].bool()][None] for row in range(len(ids))]


# learning


@pytest.mark.parametrize("length", [1, 3, 4, 11, 17, 39, 40])
@pytest.mark.parametrize("head", ["causal-lm", "masked-lm"])
def test_a_text_of_any_length_teaches(head: str, length: int) -> None:
    """Neither chunks nor axes need be full; the reference refuses."""
    model, ids = made(head), random_ids("reformer", 2, length)
    expected = model(ids, labels=ids).loss
    loss = model.train()(ids, labels=ids).loss
    torch.testing.assert_close(loss, expected)
    loss.backward()
    reached = [bool(each.grad.abs().sum()) for each in model.parameters() if each.grad is not None]
    assert all(torch.isfinite(each.grad).all() for each in model.parameters() if each.grad is not None)
    assert length < 11 or all(reached)


@pytest.mark.parametrize("side", ["left", "right"])
def test_rows_teach_what_they_teach_alone(side: str) -> None:
    model, (ids, mask) = made().train(), ragged(side)
    labels = ids.masked_fill(mask == 0, -100)
    together = model(ids, attention_mask=mask, labels=labels).loss
    counts = torch.tensor([length - 1.0 for length in LENGTHS])
    apart = torch.stack([model(each, labels=each).loss for each in alone(side)])
    torch.testing.assert_close(together, (apart * counts).sum() / counts.sum(), rtol=1e-4, atol=1e-5)


# positions


def test_axial_positions_are_put_together_and_numbered_row_by_row() -> None:
    positions = AxialPositions((3, 4), (2, 5), 0.0).eval()
    vectors = positions(torch.arange(12)[None])[0]
    for place in range(12):
        first, second = (axis.weight for axis in positions.axes)
        assert vectors[place].tolist() == torch.cat((first[place // 4], second[place % 4])).tolist()


def test_what_stands_at_one_place_of_the_second_axis_is_dropped_together() -> None:
    torch.manual_seed(0)
    positions = AxialPositions((6, 20), (2, 3), 0.5).train()
    vectors = positions(torch.arange(120).expand(2, -1)).view(2, 6, 20, 5)
    dropped = (vectors == 0).all(-1)  # (rows, 6, 20)
    assert torch.equal(dropped.all(1), dropped.any(1))
    assert 5 < int(dropped.all(1).sum()) < 35
    assert not torch.equal(dropped[0], dropped[1])
    kept = vectors[~dropped]
    torch.testing.assert_close(kept, 2 * positions.eval()(torch.arange(120).expand(2, -1)).view(2, 6, 20, 5)[~dropped])


def test_a_text_longer_than_its_places_is_refused_with_the_cure() -> None:
    model = made(axial_pos_shape=[3, 4], max_position_embeddings=100)
    assert model(random_ids("reformer", 1, 12)).logits.shape[1] == 12
    said = r"text of 13 tokens: this model has positions for 12; shorten it, or tokenize with truncation=True"
    with pytest.raises(InputError, match=said):
        model(random_ids("reformer", 1, 13))
    past = model(random_ids("reformer", 1, 12), use_cache=True).past_key_values
    with pytest.raises(InputError, match=said):
        model(random_ids("reformer", 1, 1), past_key_values=past)


# what is remembered


def steps(model: Model, begun: Tensor, more: Tensor, **inputs: Any) -> Tensor:
    """The logits after each of the tokens that follow one by one."""
    past = model(begun, use_cache=True, **inputs).past_key_values
    return torch.cat([model(each, past_key_values=past, use_cache=True).logits for each in more.split(1, 1)], dim=1)


@pytest.mark.parametrize("side", ["left", "right"])
@torch.no_grad()
def test_a_row_goes_on_as_it_does_alone(model: Model, side: str) -> None:
    (ids, mask), more = ragged(side), random_ids("reformer", 3, 12, seed=8)
    together = steps(model, ids, more, attention_mask=mask)
    for row, text in enumerate(alone(side)):
        expected = steps(model, text, more[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_several_tokens_at_once_are_one_after_another(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    (ids, mask), more = ragged(), random_ids("reformer", 3, 9, seed=8)
    expected = steps(model, ids, more, attention_mask=mask)
    for pairs in (cache.MOST_PAIRS, 300):
        monkeypatch.setattr(cache, "MOST_PAIRS", pairs)
        past = model(ids, attention_mask=mask, use_cache=True).past_key_values
        torch.testing.assert_close(model(more, past_key_values=past).logits, expected, rtol=1e-4, atol=1e-4)


def test_guessed_tokens_change_no_text(model: Model) -> None:
    ids, mask = ragged()
    options = {"max_new_tokens": 15, "eos_token_id": None, "pad_token_id": 0}
    greedy = model.generate(ids, attention_mask=mask, **options)
    assert torch.equal(model.generate(ids, attention_mask=mask, prompt_lookup_num_tokens=3, **options), greedy)
    for row, text in enumerate(alone()):
        assert model.generate(text, **options)[0, -15:].tolist() == greedy[row, -15:].tolist()


SEARCHES: list[dict[str, Any]] = [{"num_beams": 3}, {"do_sample": True}, {"penalty_alpha": 0.6, "top_k": 4}]


@pytest.mark.parametrize("options", SEARCHES, ids=str)
def test_every_search_gives_a_row_what_it_gets_alone(options: dict[str, Any]) -> None:
    model, (ids, mask) = made(num_hashes=2), ragged()
    options = {"max_new_tokens": 12, "eos_token_id": None, "pad_token_id": 0, **options}
    seeded = "do_sample" in options
    together = model.generate(ids, attention_mask=mask, **options, **({"seeds": [3, 4, 5]} if seeded else {}))
    for row, text in enumerate(alone()):
        one = model.generate(text, **options, **({"seeds": [3 + row]} if seeded else {}))
        assert one[0, -12:].tolist() == together[row, -12:].tolist()


@torch.no_grad()
def test_hashing_changes_what_is_seen() -> None:
    """Else the tests above would show nothing."""
    model, ids, more = made(), random_ids("reformer", 1, 21), random_ids("reformer", 1, 12, seed=8)
    whole = model(torch.cat((ids, more), dim=1)).logits[:, 21:]
    assert not torch.allclose(steps(model, ids, more), whole, atol=1e-2)
    wide = made(lsh_attn_chunk_length=40)
    whole = wide(torch.cat((ids, more), dim=1)).logits[:, 21:]
    torch.testing.assert_close(steps(wide, ids, more), whole, rtol=1e-4, atol=1e-4)


def test_gradients_pass_through_what_is_remembered() -> None:
    model = made(attn_layers=["local", "local"], num_hidden_layers=2)
    ids = random_ids("reformer", 2, 14)
    model(ids).logits[:, 9:].square().sum().backward()
    expected = [each.grad.clone() for each in model.parameters() if each.grad is not None]
    model.zero_grad()
    past = model(ids[:, :9], use_cache=True).past_key_values
    parts = [model(part, past_key_values=past, use_cache=True).logits for part in ids[:, 9:].split(2, 1)]
    torch.cat(parts, dim=1).square().sum().backward()
    found = [each.grad for each in model.parameters() if each.grad is not None]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_a_cache_goes_on_with_as_many_rounds() -> None:
    model, ids = made(num_hashes=2), random_ids("reformer", 1, 21)
    past = model(ids, use_cache=True).past_key_values
    with pytest.raises(InputError, match="num_hashes=3: past_key_values were hashed 2 times"):
        model(ids[:, :1], past_key_values=past, num_hashes=3)


# heads and tasks


def test_heads_say_which_way_they_read() -> None:
    with pytest.raises(ConfigError, match="is_decoder=False: must be true for causal-lm: else every token sees"):
        made("causal-lm", is_decoder=False)
    with pytest.raises(ConfigError, match="is_decoder=True: must be false for masked-lm: a token is told from what"):
        made("masked-lm", is_decoder=True)
    assert made("causal-lm").config.is_decoder
    assert not made("masked-lm").config.is_decoder


def test_logits_may_be_computed_few_tokens_at_a_time() -> None:
    ids = random_ids("reformer", 2, 11)
    for head in ("causal-lm", "masked-lm"):
        torch.testing.assert_close(made(head, chunk_size_lm_head=4)(ids).logits, made(head)(ids).logits)


PROMPTS = ["the dog", "a", "where the cat sings and the dog lives"]


def test_texts_are_written_and_measured(tmp_path: Path) -> None:
    folder = save(tmp_path / "model", "reformer", **HASHED, axial_pos_shape=[16, 16], max_position_embeddings=256)
    write = tfx_core.pipeline("text-generation", model=folder, max_new_tokens=9, do_sample=False)
    assert write(PROMPTS) == [write([prompt])[0] for prompt in PROMPTS]
    measured = tfx_core.pipeline("perplexity", model=folder)(PROMPTS[2])
    assert measured["tokens"] == len(tfx_core.load_tokenizer(folder)(PROMPTS[2])["input_ids"])
    assert measured["perplexity"] > 1
