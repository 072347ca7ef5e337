"""What is Transformer-XL's own: memory over segments, clusters of words, shared projections."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import tfx_core
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.errors import CheckpointError, ConfigError, InputError
from tfx_core.model.model import Model
from tfx_core.nn import Memory
from tfx_decoders.transfo_xl import TransfoXLConfig

LENGTHS = (7, 3, 1, 5)
TYPES = (
    {},
    {"mem_len": 20},
    {"same_length": False, "mem_len": 4},
    {"pre_lnorm": True},
    {"untie_r": False, "clamp_len": 3},
    {"mem_len": 0, "same_length": False},
)


def model(head: str = "backbone", **changes: object) -> Model:
    made = tfx_core.new_model("transfo-xl", head=head, seed=1, **{**tiny_config("transfo-xl"), **changes}).eval()
    return perturbed(made, 2, 0.2)


def padded(seed: int, side: str, lengths: tuple[int, ...] = LENGTHS) -> tuple[Tensor, Tensor]:
    width = max(lengths) + 2
    ids, mask = torch.zeros(2, len(lengths), width, dtype=torch.long)
    for row, length in enumerate(lengths):
        begin = 0 if side == "right" else width - length
        ids[row, begin : begin + length] = random_ids("transfo-xl", 1, length, seed=10 * seed + row)[0]
        mask[row, begin : begin + length] = 1
    return ids, mask


def close(ours: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sides", [("left", "left"), ("left", "right"), ("right", "left"), ("right", "right")], ids=str)
@pytest.mark.parametrize("changes", TYPES, ids=str)
def test_padding_is_not_remembered(sides: tuple[str, str], changes: dict[str, object]) -> None:
    """Three segments in a padded batch give each text what its segments alone give it."""
    made = model(**changes)
    segments = [padded(0, sides[0]), padded(1, sides[1], LENGTHS[::-1]), padded(2, sides[0])]
    with torch.no_grad():
        together: list[Tensor] = []
        mems: Memory | None = None
        for ids, mask in segments:
            output = made(input_ids=ids, attention_mask=mask, mems=mems)
            together.append(output.last_hidden_state)
            mems = output.get("mems")
        for row in range(len(LENGTHS)):
            mems = None
            for (ids, mask), states in zip(segments, together, strict=True):
                real = mask[row].bool()
                output = made(input_ids=ids[row : row + 1, real], mems=mems)
                mems = output.get("mems")
                close(states[row, real], output.last_hidden_state[0])


@pytest.mark.parametrize("lengths", [(8, 8, 8), (1, 2, 21), (5, 6, 7, 6)], ids=str)
@pytest.mark.parametrize("changes", [{"mem_len": 24}, {"mem_len": 30, "same_length": False}, {"mem_len": 40}], ids=str)
def test_segments_within_the_memorys_reach_are_one_text(lengths: tuple[int, ...], changes: dict[str, object]) -> None:
    """The words' losses in segments, with the word that follows each as its last label, are those in one pass."""
    made = model("causal-lm", clamp_len=-1, **{"same_length": True, **changes})
    text = random_ids("transfo-xl", 2, sum(lengths) + 1)
    begin, losses = 0, []
    with torch.no_grad():
        # a blank memory would be shorter for later segments: begin with none
        mems: list[Tensor] | Memory = [torch.zeros(0, 2, 24)] * 3
        whole = made(text[:, :-1], labels=text, mems=mems).losses
        for length in lengths:
            output = made(text[:, begin : begin + length], labels=text[:, begin : begin + length + 1], mems=mems)
            losses.append(output.losses)
            mems, begin = output.mems, begin + length
    assert whole.shape == (2, sum(lengths))
    close(torch.cat(losses, dim=1), whole)


@pytest.mark.parametrize("reach", [3, 6])
def test_same_length_is_what_a_token_sees(reach: int) -> None:
    """One layer sees the last ``mem_len`` tokens, itself included, and none before."""
    made = model(n_layer=1, mem_len=reach)
    ids = random_ids("transfo-xl", 1, 12)
    with torch.no_grad():
        before = made(ids).last_hidden_state[0]
        for place in range(12):
            changed = ids.clone()
            changed[0, place] = 3
            moved = (made(changed).last_hidden_state[0] - before).abs().amax(-1) > 1e-6
            assert moved.nonzero()[:, 0].tolist() == list(range(place, min(place + reach, 12)))


def test_memory_passes_between_calls_as_an_object_or_as_tensors() -> None:
    made = model()
    first, second = random_ids("transfo-xl", 2, 4, seed=1), random_ids("transfo-xl", 2, 5, seed=2)
    with torch.no_grad():
        mems = made(first).mems
        assert [each.shape for each in mems] == [(6, 2, 24)] * 3
        assert not mems[0][:2].any()  # still blank
        close(made(second, mems=list(mems)).last_hidden_state, made(second, mems=mems).last_hidden_state)
    assert not any(each.requires_grad for each in made(first).mems)
    with pytest.raises(InputError, match=r"mems: 2 tensors.*3 layers and 2 rows"):
        made(second, mems=mems[:2])
    with pytest.raises(InputError, match=r"attention_mask of shape \(2, 4\).*\(2, 5\)"):
        made(second, attention_mask=torch.ones(2, 4))


@pytest.mark.parametrize(
    "changes", [{}, {"div_val": 1}, {"div_val": 1, "d_embed": 16}, {"cutoffs": []}, {"d_embed": 20}], ids=str
)
def test_losses_are_those_of_the_whole_vocabulary(changes: dict[str, object]) -> None:
    """Words are scored in their cluster alone, and yet by probabilities that add up to one over all words."""
    made = model("causal-lm", **changes)
    ids = random_ids("transfo-xl", 3, 9)
    labels = ids.clone()
    labels[:, 2:4] = -100
    with torch.no_grad():
        logits = made(ids).logits
        output = made(ids, labels=labels)
    close(logits.exp().sum(-1), torch.ones(3, 9))
    expected = F.nll_loss(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="none").view(3, 8)
    close(output.losses, expected)
    assert not output.losses[:, 1:3].any()
    close(output.loss, expected[labels[:, 1:] != -100].mean())
    assert "logits" not in output


def test_clusters_are_scored_for_their_own_words_alone() -> None:
    made = model("causal-lm")
    rows: dict[int, int] = {}
    for number, decoder in enumerate(made.head.predictions.decoders):
        decoder.register_forward_hook(
            lambda module, given, output, number=number: rows.update({number: len(output.flatten(0, -2))})
        )
    ids = torch.tensor([[5, 13, 40, 7, 14, 8, 15]])  # two words of the first cluster after the first, three, one
    made(ids, labels=ids)
    assert rows == {0: 6, 1: 3, 2: 1}
    rows.clear()
    counted = torch.tensor([[-100, 13, -100, 7, -100, -100, -100]])
    made(ids, labels=counted)
    assert rows == {0: 2, 1: 1, 2: 0}


def test_words_that_do_not_exist_are_refused() -> None:
    for changes in ({}, {"div_val": 1}):
        made = model("causal-lm", **changes)
        ids = torch.tensor([[5, 53, 7]])
        with pytest.raises(InputError, match="input_ids: id 53 is not one of this model's, 0 to 52"):
            made(ids)
        with pytest.raises(InputError, match="labels: id -3 is not one of this model's, 0 to 52"):
            made(ids.clamp(max=52), labels=torch.tensor([[5, -3, 7]]))
        with pytest.raises(InputError, match=r"labels of shape \(1, 5\).*\(1, 3\)"):
            made(ids.clamp(max=52), labels=torch.zeros(1, 5, dtype=torch.long))


def test_a_new_model_shares_what_its_config_says(tmp_path_factory: pytest.TempPathFactory) -> None:
    cases = (
        ({}, (True, True, True), (False, True, True)),
        ({"tie_word_embeddings": False}, (False, False, False), (False, True, True)),
        ({"proj_share_all_but_first": False}, (True, True, True), (False, False, False)),
        ({"tie_projs": [True, False, True]}, (True, True, True), (True, False, True)),
    )
    for changes, tables, projections in cases:
        made = model("causal-lm", **changes)
        folder = tmp_path_factory.mktemp("model")
        made.save_pretrained(folder)
        for each in (made, tfx_core.load_model(folder)):
            head, embeddings = each.head.predictions, each.backbone.embeddings
            pairs = zip(head.decoders, embeddings.tables, strict=True)
            assert tuple(one.weight is other.weight for one, other in pairs) == tables
            pairs = zip(head.reductions, embeddings.projections, strict=True)
            assert tuple(one.weight is other.weight for one, other in pairs) == projections


def test_what_a_checkpoint_holds_decides_what_is_shared(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Though the config says that projections are shared: two different ones stay two, and are saved as such."""
    made = model("causal-lm", proj_share_all_but_first=False)
    folder, again = tmp_path_factory.mktemp("model"), tmp_path_factory.mktemp("again")
    made.save_pretrained(folder)
    loaded = tfx_core.load_model(folder, tie_projs=None, proj_share_all_but_first=True)
    assert loaded.config.tied_projections == (False, True, True)
    assert loaded.head.predictions.reductions[1].weight is not loaded.backbone.embeddings.projections[1].weight
    loaded.save_pretrained(again)
    assert tfx_core.load_model(again).config.tied_projections == (False, False, False)


def test_biases_of_all_layers_are_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    """They are stored for every layer and for all; where they differ, no one of them can be right."""
    from tfx_core.checkpoint import open_folder, read_tensors, save_tensors

    made, folder = model(untie_r=False), tmp_path_factory.mktemp("model")
    layers = made.backbone.stack.layers
    assert len({id(layer.self_attention.sublayer.position.biases.content) for layer in layers}) == 1
    made.save_pretrained(folder)
    tensors = {name: entry.load().clone() for name, entry in read_tensors(open_folder(folder)).items()}
    assert {"r_w_bias", "layers.0.dec_attn.r_w_bias", "layers.2.dec_attn.r_w_bias"} <= tensors.keys()
    for names in (["r_w_bias", "r_r_bias"], [name for name in tensors if ".r_w_bias" in name or ".r_r_bias" in name]):
        save_tensors(folder, {name: tensor for name, tensor in tensors.items() if name not in names}, "5GB")
        ids = random_ids("transfo-xl", 1, 4)
        close(tfx_core.load_model(folder)(ids).last_hidden_state, made(ids).last_hidden_state)
    save_tensors(folder, {**tensors, "layers.1.dec_attn.r_w_bias": tensors["r_w_bias"] + 1}, "5GB")
    with pytest.raises(CheckpointError, match=r"differing .*r_w_bias and .*layers\.1\.dec_attn\.r_w_bias"):
        tfx_core.load_model(folder)


def test_a_new_model_begins_as_the_released_code() -> None:
    large = {"d_model": 128, "d_embed": 128, "d_head": 32, "init_std": 0.5, "proj_init_std": 0.25}
    made = tfx_core.new_model("transfo-xl", head="causal-lm", seed=0, **{**tiny_config("transfo-xl"), **large})
    attention = made.backbone.stack.layers[1].self_attention
    for tensor, std in (
        (attention.sublayer.projections.qkv.weight, 0.5),
        (attention.sublayer.position.biases.content, 0.5),
        (made.backbone.embeddings.tables[1].weight, 0.5),
        (made.backbone.embeddings.projections[1].weight, 0.25),
        (made.head.predictions.reductions[0].weight, 0.25),
        (attention.norm.weight - 1, 0.5),
    ):
        assert math.isclose(tensor.std().item(), std, rel_tol=0.2)
        assert abs(tensor.mean().item()) < std / 4
    assert not attention.norm.bias.any()
    assert not made.head.predictions.decoders[0].bias.any()
    made = tfx_core.new_model("transfo-xl", seed=0, **{**tiny_config("transfo-xl"), "init": "uniform"})
    weight = made.backbone.stack.layers[0].feed_forward.sublayer.up.weight
    assert 0.009 < weight.abs().max() <= 0.01


def test_configs_that_cannot_be_are_refused() -> None:
    for change, message in (
        ({"cutoffs": [30, 12]}, r"cutoffs=\(30, 12\): must be increasing, and less than vocab_size=53"),
        ({"cutoffs": [12, 53]}, "cutoffs"),
        ({"div_val": 5}, "div_val=5"),
        ({"d_model": 23}, "d_model=23: must be even"),
        ({"mem_len": 0}, "same_length=True: must be false where mem_len=0"),
        ({"tie_projs": [True]}, "tie_projs.*length 3"),
        ({"attn_type": 1}, "attn_type=1"),
        ({"sample_softmax": 5}, "sample_softmax=5"),
    ):
        with pytest.raises(ConfigError, match=message):
            model(**change)
    with pytest.raises(ConfigError, match="pruned"):
        model().prune_heads({0: [1]})


@pytest.mark.parametrize("value", [10**9, 25])
def test_widths_of_clusters_are_counted_without_powers(value: int) -> None:
    with pytest.raises(ConfigError, match=rf"^div_val={value}: must be so small that d_embed=24 divided by it"):
        TransfoXLConfig(d_model=24, d_embed=24, vocab_size=10**6, cutoffs=tuple(range(1, 10**5)), div_val=value)


def test_the_first_files_said_otherwise_what_is_tied() -> None:
    assert not TransfoXLConfig.from_dict({"tie_weight": False}).tie_word_embeddings
