"""What is ALBERT's own: layers that share their weights, groups and blocks, pruning, and a config's two dropouts."""

import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import tfx_core
from tests.core.text.folders import read, write
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.errors import CheckpointError, InputError
from tfx_core.model import Model
from tfx_core.text import Tokenizer
from tfx_core.text.recipes import Piece
from tfx_encoders.albert.text import RECIPE
from tfx_testing.sentencepiece_files import CONTROL, LETTERS, UNKNOWN, charsmap, spiece

IDS = random_ids("albert", 2, 8)
SPECIAL = [Piece("<pad>", 0.0, CONTROL), Piece("<unk>", 0.0, UNKNOWN)] + [
    Piece(text, 0.0, CONTROL) for text in ("[CLS]", "[SEP]", "[MASK]")
]


def albert(head: str = "backbone", **config: object) -> Model:
    """A tiny model of two layers that share two blocks, with every parameter perturbed."""
    made = tfx_core.new_model("albert", head=head, seed=1, **{**tiny_config("albert"), **config}).eval()
    return perturbed(made, 2, 0.1)


def states(model: Model, **inputs: object) -> Tensor:
    with torch.no_grad():
        return model(IDS, **inputs).last_hidden_state


def test_layers_of_a_group_are_one_and_are_stored_once(tmp_path: Path) -> None:
    deep = albert(num_hidden_layers=12)
    assert deep.num_parameters() == albert().num_parameters()
    assert deep.backbone.stack.order == (0, 1) * 12
    deep.save_pretrained(tmp_path)
    blocks = {name.partition("attention.")[0] for name in load_file(tmp_path / "model.safetensors") if "query" in name}
    assert blocks == {f"encoder.albert_layer_groups.0.albert_layers.{block}." for block in (0, 1)}


def test_layers_run_the_blocks_of_their_group() -> None:
    model = albert(num_hidden_layers=4, num_hidden_groups=2)
    assert model.backbone.stack.order == (0, 1, 0, 1, 2, 3, 2, 3)
    unshared = albert(num_hidden_layers=8, num_hidden_groups=8, inner_group_num=1)
    state = model.backbone.state_dict()
    for name in unshared.backbone.state_dict():
        head, _, rest = name.partition("stack.layers.")
        if rest:
            step, _, rest = rest.partition(".")
            name_of_block = f"{head}stack.layers.{model.backbone.stack.order[int(step)]}.{rest}"
            unshared.backbone.get_parameter(name).data.copy_(state[name_of_block])
        else:
            unshared.backbone.get_parameter(name).data.copy_(state[name])
    torch.testing.assert_close(states(model), states(unshared))


def test_gradients_of_a_shared_layer_are_the_sum_over_its_uses() -> None:
    shared, apart = albert(num_hidden_layers=2), albert(num_hidden_layers=2, num_hidden_groups=2)
    blocks = shared.backbone.stack.layers
    for number, layer in enumerate(apart.backbone.stack.layers):
        layer.load_state_dict(blocks[number % 2].state_dict())
    for part in ("embeddings", "pooler"):
        apart.backbone.get_submodule(part).load_state_dict(shared.backbone.get_submodule(part).state_dict())
    for model in (shared, apart):
        model(IDS).last_hidden_state.square().sum().backward()
    for number, block in enumerate(blocks):
        copies = [apart.backbone.stack.layers[place] for place in (number, number + 2)]
        for name, parameter in block.named_parameters():
            summed = sum(copy.get_parameter(name).grad for copy in copies)
            torch.testing.assert_close(parameter.grad, summed, rtol=1e-4, atol=1e-5)


def test_states_are_reported_of_layers_and_weights_of_blocks() -> None:
    with torch.no_grad():
        output = albert()(IDS, output_hidden_states=True, output_attentions=True)
    assert len(output.hidden_states) == 3
    assert len(output.attentions) == 4
    torch.testing.assert_close(output.hidden_states[-1], output.last_hidden_state)


def test_a_head_mask_has_a_row_for_every_block_that_runs() -> None:
    """In the reference all layers of a group read its first rows, whatever the others say."""
    model = albert()
    everywhere, last = torch.ones(4, 4), torch.ones(4, 4)
    everywhere[:, 1] = last[3, 1] = 0
    torch.testing.assert_close(states(model, head_mask=everywhere), states(model, head_mask=everywhere[0]))
    assert not torch.allclose(states(model, head_mask=last), states(model), atol=1e-4)
    with torch.no_grad():
        weights = model(IDS, head_mask=last, output_attentions=True).attentions
    assert [bool(each[:, 1].any()) for each in weights] == [True, True, True, False]
    with pytest.raises(InputError, match=r"head mask of shape \(2, 4\): must be \(heads,\) or \(4 layers, heads\)"):
        states(model, head_mask=torch.ones(2, 4))


def test_a_pruned_head_is_gone_from_every_use_of_its_block(tmp_path: Path) -> None:
    model = albert("masked-lm")
    mask = torch.ones(4, 4)
    mask[[1, 3], 2] = 0
    masked, size = states(model, head_mask=mask), model.num_parameters()
    model.prune_heads({1: [2]})
    torch.testing.assert_close(states(model), masked)
    assert model.num_parameters() < size
    model.save_pretrained(tmp_path)
    again = tfx_core.load_model(tmp_path)
    assert again.config.pruned_heads == {1: (2,)}
    assert torch.equal(states(again), states(model))


def test_the_embedding_is_projected_also_where_it_is_as_wide() -> None:
    model = albert(embedding_size=24)
    assert isinstance(model.backbone.embeddings.project, nn.Linear)
    with torch.no_grad():
        vectors = model.backbone.embed(IDS)
    torch.testing.assert_close(model(inputs_embeds=vectors).last_hidden_state, model(IDS).last_hidden_state)
    with pytest.raises(InputError, match="this model reads vectors 16 wide"):
        albert()(inputs_embeds=vectors)


@pytest.mark.parametrize(
    ("config", "dropout"),
    [
        ({}, 0.1),
        ({"classifier_dropout_prob": 0.3}, 0.3),
        ({"classifier_dropout_prob": None, "hidden_dropout_prob": 0.2}, 0.2),
        ({"classifier_dropout": 0.4}, 0.4),
    ],
)
def test_the_dropout_before_classifiers(config: dict[str, float | None], dropout: float) -> None:
    tiny = {name: value for name, value in tiny_config("albert").items() if name != "classifier_dropout_prob"}
    for head in ("pretraining", "sequence-classification", "token-classification", "multiple-choice"):
        model = tfx_core.new_model("albert", head=head, **tiny, **config)
        assert [each.p for each in model.head.modules() if isinstance(each, nn.Dropout)] == [dropout]


def test_two_different_biases_of_the_logits_are_told(tmp_path: Path) -> None:
    albert("masked-lm").save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    save_file({**tensors, "predictions.decoder.bias": torch.ones(53)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"differing predictions\.bias and predictions\.decoder\.bias"):
        tfx_core.load_model(tmp_path)


def test_the_released_head_predicts_and_its_pooler_is_read_with_another(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = albert("pretraining")
    model.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    save_file({n: t for n, t in tensors.items() if "sop" not in n}, tmp_path / "model.safetensors")
    config = tmp_path / "config.json"
    config.write_text(config.read_text("utf-8").replace("AlbertForPreTraining", "AlbertForMaskedLM"), encoding="utf-8")
    with caplog.at_level(logging.WARNING, logger="tfx_core"):
        assert tfx_core.load_model(tmp_path).head_name == "masked-lm"
        assert not caplog.messages
        classifier = tfx_core.load_model(tmp_path, head="sequence-classification")
    assert "pooler" not in caplog.messages[0]
    torch.testing.assert_close(classifier.backbone.pooler.project.weight, model.backbone.pooler.project.weight)


# text


def tokenizer(folder: Path, *pieces: Piece, **options: object) -> Tokenizer:
    write(folder, {"spiece.model": spiece([*SPECIAL, *LETTERS, *pieces], table=charsmap({"Ａ": "a"}))})
    return read(folder, RECIPE, **options)


def test_texts_are_enclosed_and_their_second_part_has_another_type(tmp_path: Path) -> None:
    tokens = tokenizer(tmp_path)
    batch = tokens(["a", "a e"], ["i", "o"], padding=True)
    assert [tokens.convert_ids_to_tokens(ids) for ids in batch.input_ids] == [
        ["[CLS]", "▁", "a", "[SEP]", "▁", "i", "[SEP]", "<pad>", "<pad>"],
        ["[CLS]", "▁", "a", "▁", "e", "[SEP]", "▁", "o", "[SEP]"],
    ]
    assert batch.token_type_ids == [[0, 0, 0, 0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0, 1, 1, 1]]
    assert tokens.tokenize("a [MASK] e") == ["▁", "a", " [MASK]", "▁", "e"]


def test_texts_are_cleaned_as_the_settings_say(tmp_path: Path) -> None:
    text = " \u00c1 \t``E'' \x1c\u0410Ａ"
    assert tokenizer(tmp_path).tokenize(text) == ["▁", "a", "▁", '"', "e", '"', "▁", "\u0430", "a"]
    assert tokenizer(tmp_path, keep_accents=True).tokenize("A\u0301E") == ["▁", "a", "\u0301", "e"]
    assert tokenizer(tmp_path, do_lower_case=False).tokenize("AÉ") == ["▁", "AE"]
    assert tokenizer(tmp_path, remove_space=False).tokenize("a\te") == ["▁", "a", "\t", "e"]


def test_no_piece_ends_in_a_digit_and_a_comma(tmp_path: Path) -> None:
    tokens = tokenizer(tmp_path, Piece("5,", -0.1), Piece("▁5,", -0.1), Piece("▁5,5", -0.1), Piece("a,", -0.1))
    assert tokens.tokenize("5, A,5, 5,5") == ["▁", "5", ",", "▁", "a,", "5", ",", "▁5,5"]
