"""What is ConvBERT's own: convolutions that see texts and nothing else, halves of heads, and what it cannot be."""

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.models.labelled import SIDES, tiny_model
from tests.models.tiny import random_ids, tiny_config
from tfx_core.errors import ConfigError, InputError
from tfx_core.model import Model

IDS = random_ids("convbert", 2, 8)
REACH = 2
"""How far the convolution of the tiny model sees to either side."""


def states(model: Model, ids: Tensor, **inputs: object) -> Tensor:
    with torch.no_grad():
        return model(ids, **inputs).last_hidden_state


def without_attention() -> Model:
    """A model of one layer, in which nothing but convolutions brings tokens together."""
    model = tiny_model("convbert", "backbone", num_hidden_layers=1)
    with torch.no_grad():
        model.get_submodule("backbone.stack.layers.0.self_attention.sublayer").out.weight[:, :12] = 0
    return model


def test_a_convolution_sees_its_reach_to_either_side() -> None:
    model = without_attention()
    changed = IDS.clone()
    changed[:, 4] = 5
    differs = (states(model, IDS) != states(model, changed)).any(-1).all(0)
    assert differs.tolist() == [abs(place - 4) <= REACH for place in range(8)]


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("side", SIDES)
def test_what_padding_holds_is_not_seen(side: str, packed: bool) -> None:
    """Whether it is computed or not, and although the text on both sides of a hole is one."""
    model, text = tiny_model("convbert", "backbone"), IDS[:1, :6]
    columns = {"left": [6, 7, 8, 9, 10, 11], "right": [0, 1, 2, 3, 4, 5], "holes": [1, 2, 4, 7, 8, 11]}[side]
    expected = states(model, text)
    for filling in (1, 7):
        ids, mask = torch.full((2, 12), filling), torch.zeros(2, 12, dtype=torch.long)
        ids[0, columns], mask[0, columns] = text, 1
        mask[1, 3:5] = 1  # a shorter text beside it
        model.backbone.packed = packed
        torch.testing.assert_close(states(model, ids, attention_mask=mask)[:1, columns], expected)


def test_texts_that_a_mask_of_pairs_keeps_apart_are_apart() -> None:
    model = tiny_model("convbert", "backbone")
    apart = torch.block_diag(torch.ones(3, 3), torch.ones(5, 5)).expand(2, 8, 8)
    together = states(model, IDS, attention_mask=apart, position_ids=torch.tensor([0, 1, 2, 0, 1, 2, 3, 4]))
    alone = torch.cat((states(model, IDS[:, :3]), states(model, IDS[:, 3:])), dim=1)
    torch.testing.assert_close(together, alone)


def test_a_mask_of_pairs_that_hides_nothing_changes_nothing() -> None:
    model = tiny_model("convbert", "backbone")
    torch.testing.assert_close(states(model, IDS, attention_mask=torch.ones(2, 8, 8)), states(model, IDS))


def test_a_head_mask_is_of_attention_alone() -> None:
    model = tiny_model("convbert", "backbone", num_hidden_layers=1)
    off = states(model, IDS, head_mask=torch.zeros(4))
    with torch.no_grad():
        model.get_submodule("backbone.stack.layers.0.self_attention.sublayer").out.weight[:, :12] = 0
    torch.testing.assert_close(off, states(model, IDS))


def test_heads_are_reduced_to_one_at_least() -> None:
    for ratio, heads in ((1, 4), (2, 2), (3, 1), (9, 1)):
        model = tiny_model("convbert", "backbone", head_ratio=ratio)
        with torch.no_grad():
            seen = model(IDS, output_attentions=True).attentions
        assert [tuple(each.shape) for each in seen] == [(2, heads, 8, 8)] * 3


def test_it_is_an_encoder_alone() -> None:
    model = tiny_model("convbert", "backbone")
    for name in ("past_key_values", "use_cache", "encoder_hidden_states"):
        with pytest.raises(TypeError, match=f"takes no '{name}'"):
            model(IDS, **{name: True})
    with pytest.raises(InputError, match="prune_heads: this model's heads cannot be pruned"):
        model.backbone.prune_heads({0: [1]})
    with pytest.raises(ConfigError, match=r"pruned_heads=.*must be empty: heads of convbert cannot be pruned"):
        model.prune_heads({0: [1]})


def test_token_vectors_are_projected_only_where_they_have_another_width() -> None:
    equal, other = (
        dict(tiny_model("convbert", "backbone", embedding_size=size).named_parameters()) for size in (24, 16)
    )
    assert other.keys() - equal.keys() == {f"backbone.embeddings.project.{part}" for part in ("weight", "bias")}


def test_new_weights_are_the_papers() -> None:
    sizes = {"vocab_size": 500, "hidden_size": 64, "embedding_size": 64, "intermediate_size": 64, "num_groups": 2}
    model = tfx_core.new_model("convbert", seed=1, **{**tiny_config("convbert"), **sizes})
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif "norm" in name:
            assert (parameter == 1).all(), name
        else:
            deviation = 1 / 5 if "channel" in name else 0.02  # of five tokens; a normal cut at two of them has 0.88
            assert 0.75 * deviation < parameter.std() < deviation, name
            assert parameter.abs().max() <= 2 * deviation, name
