"""What is Reformer's own: rows that are hashed as they are alone, packed, compiled and traced; rounds of a call."""

from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.models.labelled import SIDES, padded_batch, texts_of
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.errors import InputError
from tfx_core.model import Model

HASHED: dict[str, Any] = {"lsh_attn_chunk_length": 4, "lsh_num_chunks_after": 1, "num_buckets": None, "hash_seed": None}
VARIANTS = [{}, {"num_hashes": 3}, {"num_buckets": [2, 4], "is_decoder": True}, {"attn_layers": ["local"] * 3}]


def model(**changes: Any) -> Model:
    made = tfx_core.new_model("reformer", head="backbone", seed=1, **{**tiny_config("reformer"), **HASHED, **changes})
    return perturbed(made.eval(), 2, 0.2)


def states(made: Any, ids: Tensor, mask: Tensor | None = None, **more: Any) -> Tensor:
    with torch.no_grad():
        found: Tensor = made(ids, attention_mask=mask, **more).last_hidden_state
    return found


def long_batch() -> tuple[Tensor, Tensor]:
    """Rows of several lengths, with padding before, after and between."""
    ids = random_ids("reformer", 5, 30)
    mask = torch.zeros(5, 30, dtype=torch.long)
    mask[0] = 1
    mask[1, :9] = 1
    mask[2, 13:] = 1
    mask[3, ::3] = 1
    mask[4, 7] = 1
    return ids, mask


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
@pytest.mark.parametrize("packed", [True, False])
def test_a_row_is_hashed_as_it_is_alone(changes: dict[str, Any], packed: bool) -> None:
    made, (ids, mask) = model(**changes), long_batch()
    made.packed = packed
    together = states(made, ids, mask)
    reported = states(made, ids, mask, output_attentions=True)
    for row, real in enumerate(mask.bool()):
        alone = states(made, ids[row][real][None])[0]
        for each in (together, reported):
            torch.testing.assert_close(each[row][real], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_texts_of_a_row_are_hashed_apart(changes: dict[str, Any]) -> None:
    made, lengths = model(**changes), (13, 1, 6, 10)
    ids = random_ids("reformer", 1, 30)
    positions = torch.cat([torch.arange(each) for each in lengths])[None]
    alone = torch.cat([states(made, each) for each in ids.split(lengths, dim=1)], dim=1)
    torch.testing.assert_close(states(made, ids, position_ids=positions), alone, rtol=1e-4, atol=1e-5)


def test_short_rows_in_a_wide_batch_are_not_hashed() -> None:
    made, ids = model(num_hashes=2), random_ids("reformer", 2, 30)
    mask = torch.zeros(2, 30, dtype=torch.long)
    mask[0, 20:23] = mask[1, :1] = 1
    for packed in (True, False):
        made.packed = packed
        found = states(made, ids, mask)
        for row, real in enumerate(mask.bool()):
            torch.testing.assert_close(found[row][real], states(made, ids[row][real][None])[0])


def test_weights_of_texts_that_attend_apart_are_not_reported() -> None:
    made, ids = model(), random_ids("reformer", 1, 9)
    positions = torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3, 4]])
    assert len(made(ids, position_ids=positions, output_hidden_states=True).hidden_states) == 4
    for asked in ({"output_attentions": True}, {"head_mask": torch.ones(4)}):
        with pytest.raises(InputError, match="packed of several texts"):
            made(ids, position_ids=positions, **asked)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*deprecated:DeprecationWarning")
def test_hashing_is_compiled_exported_and_traced() -> None:
    made, (ids, mask) = model(num_hashes=2), long_batch()
    wanted, real = states(made, ids, mask), mask.bool()

    class States(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = made

        def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
            found: Tensor = self.model(ids, attention_mask=mask, return_dict=False)[0]
            return found

    torch.compiler.reset()
    compiled = torch.compile(made, backend="eager", fullgraph=True)
    torch.testing.assert_close(states(compiled, ids, mask)[real], wanted[real], rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        exported = torch.export.export(States(), (ids, mask)).module()(ids, mask)
        traced = torch.jit.trace(States(), (ids, torch.ones_like(mask)), check_trace=False)(ids, mask)
    for found in (exported, traced):
        torch.testing.assert_close(found[real], wanted[real], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", SIDES)
def test_a_loss_of_texts_of_any_length_is_that_of_each_alone(side: str) -> None:
    made = tfx_core.new_model(
        "reformer", head="masked-lm", seed=1, **{**tiny_config("reformer"), **HASHED, "hash_seed": 3}
    ).train()
    texts = texts_of("reformer", "masked-lm")
    together = made(**padded_batch(texts, side)).loss
    alone, counts = zip(
        *((made(**text.inputs).loss, (text.inputs["labels"] >= 0).sum()) for text in texts), strict=True
    )
    wanted = sum(loss * count for loss, count in zip(alone, counts, strict=True)) / sum(counts)
    torch.testing.assert_close(together, wanted)


def test_a_call_may_say_how_often_to_hash() -> None:
    often, once = model(num_hashes=3), model()
    ids = random_ids("reformer", 2, 29)
    wanted = states(often, ids)
    torch.testing.assert_close(states(once, ids, num_hashes=3), wanted)
    assert not torch.allclose(states(once, ids), wanted, atol=1e-3)
    for wrong in (0, 1.5, True):
        with pytest.raises(InputError, match="num_hashes="):
            states(once, ids, num_hashes=wrong)


def test_results_can_be_had_again_and_a_training_hashes_anew() -> None:
    made, ids = model(), random_ids("reformer", 2, 29)
    first = states(made, ids)
    torch.manual_seed(9)
    assert torch.equal(states(made, ids), first)
    made.train()
    assert not torch.equal(states(made, ids), states(made, ids))
    torch.manual_seed(4)
    drawn = states(made, ids)
    torch.manual_seed(4)
    assert torch.equal(states(made, ids), drawn)
    seeded = model(hash_seed=5).train()
    assert torch.equal(states(seeded, ids), states(seeded, ids))


def test_what_is_masked_in_heads_is_masked_in_all_rounds() -> None:
    made, ids = model(num_hashes=2), random_ids("reformer", 2, 29)
    ones, zeros = torch.ones(4), torch.zeros(4)
    torch.testing.assert_close(states(made, ids, head_mask=ones), states(made, ids), rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        output = made(ids, head_mask=zeros, output_attentions=True)
    assert all(not bool(each.any()) and each.shape == (2, 4, 29, 29) for each in output.attentions)
