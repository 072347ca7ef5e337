"""What is XLNet's own: permutations, targets, memory over segments, relative segments."""

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.models.labelled import SIDES, padded_batch, texts_of, tiny_model
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.errors import ConfigError, InputError
from tfx_core.model.heads import IGNORED
from tfx_core.model.model import Model
from tfx_core.nn import Memory

LENGTHS = (7, 3, 1, 5)


def model(head: str = "backbone", **changes: object) -> Model:
    made = tfx_core.new_model("xlnet", head=head, seed=1, **{**tiny_config("xlnet"), **changes}).eval()
    return perturbed(made, 2, 0.2)


def padded(seed: int, side: str, lengths: tuple[int, ...] = LENGTHS) -> tuple[Tensor, Tensor]:
    width = max(lengths) + 2
    ids, mask = torch.zeros(2, len(lengths), width, dtype=torch.long)
    for row, length in enumerate(lengths):
        begin = 0 if side == "right" else width - length
        ids[row, begin : begin + length] = random_ids("xlnet", 1, length, seed=10 * seed + row)[0]
        mask[row, begin : begin + length] = 1
    return ids, mask


def close(ours: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-5)


def eye(places: list[int], length: int) -> Tensor:
    return torch.nn.functional.one_hot(torch.tensor([places]), length).float()


@pytest.mark.parametrize("sides", [("left", "left"), ("left", "right"), ("right", "left"), ("right", "right")], ids=str)
@pytest.mark.parametrize(
    "changes",
    [{}, {"mem_len": 4}, {"reuse_len": 2, "mem_len": 9}, {"attn_type": "uni", "same_length": True}, {"clamp_len": 3}],
    ids=str,
)
def test_padding_is_not_remembered(sides: tuple[str, str], changes: dict[str, object]) -> None:
    """Three segments in a padded batch give each text what its segments alone give it."""
    made = model(**changes)
    segments = [padded(0, sides[0]), padded(1, sides[1], LENGTHS[::-1]), padded(2, sides[0])]
    with torch.no_grad():
        together: list[Tensor] = []
        mems: Memory | None = None
        for ids, mask in segments:
            output = made(input_ids=ids, attention_mask=mask, mems=mems, token_type_ids=ids % 2)
            together.append(output.last_hidden_state)
            mems = output.mems
        for row in range(len(LENGTHS)):
            mems = None
            for (ids, mask), states in zip(segments, together, strict=True):
                real = mask[row].bool()
                own = ids[row : row + 1, real]
                output = made(input_ids=own, mems=mems, token_type_ids=own % 2)
                mems = output.mems
                close(states[row, real], output.last_hidden_state[0])


def test_memory_passes_between_calls_as_an_object_or_as_tensors() -> None:
    made = model(mem_len=6)
    first, second = random_ids("xlnet", 2, 5, seed=1), random_ids("xlnet", 2, 4, seed=2)
    with torch.no_grad():
        mems = made(first).mems
        assert [each.shape for each in mems] == [(5, 2, 24)] * 3
        assert not any(each.requires_grad for each in mems)
        close(made(second, mems=list(mems)).last_hidden_state, made(second, mems=mems).last_hidden_state)
        mems = made(second, mems=mems).mems
        assert mems[0].shape == (6, 2, 24)


def test_what_is_remembered_is_chosen_by_call_and_config() -> None:
    ids = random_ids("xlnet", 1, 4)
    assert "mems" in model()(ids)
    assert "mems" not in model()(ids, use_mems=False)
    assert "mems" not in model(use_mems_eval=False)(ids)
    assert "mems" in model(use_mems_eval=False)(ids, use_mems=True)
    assert "mems" not in model().train()(ids)
    assert "mems" in model(use_mems_train=True).train()(ids)


def test_a_memory_of_another_model_or_batch_is_refused() -> None:
    made = model()
    ids = random_ids("xlnet", 2, 4)
    with pytest.raises(InputError, match=r"mems: 2 tensors.*3 layers and 2 rows"):
        made(ids, mems=[torch.zeros(3, 2, 24)] * 2)
    with pytest.raises(InputError, match=r"\(3, 1, 24\)"):
        made(ids, mems=[torch.zeros(3, 1, 24)] * 3)


def test_a_prediction_depends_on_what_the_permutation_shows_and_on_nothing_else() -> None:
    made = model("causal-lm")
    ids = random_ids("xlnet", 1, 6)
    order = torch.tensor([3, 0, 5, 1, 4, 2])  # token 1 comes first, then 3, 5, 0, 4, 2
    hidden = (order[:, None] <= order[None, :]).float()[None]

    def predictions(tokens: Tensor) -> Tensor:
        logits: Tensor = made(tokens, perm_mask=hidden, target_mapping=eye([0, 4, 2], 6), use_mems=False).logits[0]
        return logits

    with torch.no_grad():
        before = predictions(ids)
        for changed in range(6):
            other = ids.clone()
            other[0, changed] = 3
            moved = (predictions(other) - before).abs().amax(-1) > 1e-6
            assert moved.tolist() == [bool(order[changed] < order[place]) for place in (0, 4, 2)]


def test_content_states_do_not_depend_on_targets() -> None:
    made = model()
    ids = random_ids("xlnet", 1, 6)
    with torch.no_grad():
        plain = made(ids, output_hidden_states=True)
        both = made(ids, target_mapping=eye([2, 5], 6), output_hidden_states=True, output_attentions=True)
    assert len(both.hidden_states) == 2 * len(plain.hidden_states)
    for content, wanted in zip(both.hidden_states[::2], plain.hidden_states, strict=True):
        close(content, wanted)
    assert [each.shape for each in both.attentions[0]] == [(1, 4, 6, 6), (1, 4, 2, 6)]


def test_a_token_that_may_see_nothing_gives_the_same_with_padding() -> None:
    made = model("causal-lm")
    ids = random_ids("xlnet", 1, 4)
    nothing = torch.ones(1, 4, 4)
    with torch.no_grad():
        alone = made(ids, perm_mask=nothing, target_mapping=eye([1], 4)).logits
        ids, mask = torch.nn.functional.pad(ids, (0, 3)), torch.tensor([[1, 1, 1, 1, 0, 0, 0]])
        with_padding = made(ids, attention_mask=mask, perm_mask=torch.ones(1, 7, 7), target_mapping=eye([1], 7)).logits
    close(with_padding, alone)


def test_only_whether_segments_differ_matters() -> None:
    made = model()
    ids, types = random_ids("xlnet", 1, 5), torch.tensor([[0, 0, 1, 1, 2]])
    with torch.no_grad():
        states = made(ids, token_type_ids=types).last_hidden_state
        close(made(ids, token_type_ids=torch.tensor([[4, 4, 3, 3, 0]])).last_hidden_state, states)
        none = made(ids).last_hidden_state
        close(made(ids, token_type_ids=torch.ones_like(ids)).last_hidden_state, none)
    assert (states - none).abs().max() > 1e-3


def test_the_two_masks_are_opposites() -> None:
    ids, mask = padded(0, "left")
    for head in ("sequence-classification", "question-answering"):
        made = model(head)
        with torch.no_grad():
            one, other = made(ids, attention_mask=mask), made(ids, input_mask=1 - mask)
        name = "logits" if head == "sequence-classification" else "start_logits"
        close(other[name], one[name])
        with pytest.raises(InputError, match="opposites"):
            made(ids, attention_mask=mask, input_mask=1 - mask)


def test_targets_that_mean_nothing_are_refused() -> None:
    made = model("causal-lm")
    ids = random_ids("xlnet", 1, 4)
    with pytest.raises(InputError, match="target_mapping: each row must have one 1"):
        made(ids, target_mapping=torch.full((1, 2, 4), 0.5))
    with pytest.raises(InputError, match=r"target_mapping of shape \(1, 4\)"):
        made(ids, target_mapping=torch.ones(1, 4))
    with pytest.raises(InputError, match=r"perm_mask of shape \(1, 3, 4\).*\(1, 4, 4\)"):
        made(ids, perm_mask=torch.ones(1, 3, 4))


def test_configs_that_cannot_be_are_refused() -> None:
    for change, message in (
        ({"n_head": 5}, "n_head=5"),
        ({"d_head": 7}, "d_head=7: must be d_model / n_head = 6"),
        ({"summary_proj_to_labels": True}, "summary_proj_to_labels"),
        ({"attn_type": "both"}, "attn_type='both'"),
    ):
        with pytest.raises(ConfigError, match=message):
            model(**change)
    with pytest.raises(ConfigError, match="pruned"):
        model().prune_heads({0: [1]})
    with pytest.raises(InputError, match=r"batch of 3.*even"):
        model(bi_data=True)(random_ids("xlnet", 3, 4))


def test_a_new_model_begins_with_random_biases() -> None:
    made = tfx_core.new_model("xlnet", seed=0, **{**tiny_config("xlnet"), "d_model": 64, "initializer_range": 0.5})
    for name in ("biases.content", "biases.position", "segment_bias", "segments"):
        values = made.get_parameter(f"backbone.stack.layers.1.self_attention.sublayer.position.{name}")
        assert 0.35 < values.std() < 0.65
    assert 0.3 < made.get_parameter("backbone.mask").std() < 0.7


@pytest.mark.parametrize("side", SIDES)
def test_the_loss_of_targets_in_any_order_is_that_of_the_texts(side: str) -> None:
    """A place to predict that is padding, or none, does not count."""
    lm, texts = tiny_model("xlnet", "causal-lm"), texts_of("xlnet", "causal-lm")
    hidden, places = torch.ones(3, 12, 12).triu(), torch.eye(12).repeat(3, 1, 1)
    inputs = padded_batch(texts, side)
    labels = torch.where(inputs["labels"] == IGNORED, 7, inputs["labels"])
    nowhere = torch.zeros(3, 2, 12)
    batch = lm(
        **{**inputs, "labels": torch.cat((labels, labels[:, :2]), 1)},
        perm_mask=hidden,
        target_mapping=torch.cat((places, nowhere), 1),
    )
    total = torch.zeros(())
    for row, text in enumerate(texts):
        columns, length = text.columns(side), text.length
        alone = lm(
            **{**text.inputs, "labels": labels[row : row + 1, columns]},
            perm_mask=torch.ones(1, length, length).triu(),
            target_mapping=torch.eye(length)[None],
        )
        total = total + alone.loss * length
    torch.testing.assert_close(batch.loss, total / sum(text.length for text in texts))
