"""What is DistilBERT's own: its config's names, stored sines, where it drops out, a tokenizer without token types."""

from pathlib import Path

import pytest
import torch

import tfx_core
from tests.models.labelled import tiny_model
from tests.models.released import released
from tests.models.tiny import random_ids, tiny_config
from tfx_core.model import load_architecture

IDS = random_ids("distilbert", 2, 8)


def test_the_config_has_its_own_names_and_the_common_ones() -> None:
    model = tiny_model("distilbert", "backbone")
    config = model.config
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (24, 3, 4)
    assert config.intermediate_size == config.hidden_dim == 40
    deeper = config.replace(num_hidden_layers=4)
    assert deeper.n_layers == 4
    written = deeper.to_dict()
    assert written["n_layers"] == 4
    assert not {"hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"} & written.keys()


def test_a_released_config_is_read_whole() -> None:
    values = {
        "activation": "gelu", "architectures": ["DistilBertForMaskedLM"], "attention_dropout": 0.1, "dim": 768,
        "dropout": 0.1, "hidden_dim": 3072, "initializer_range": 0.02, "max_position_embeddings": 512,
        "model_type": "distilbert", "n_heads": 12, "n_layers": 6, "output_past": True, "pad_token_id": 0,
        "qa_dropout": 0.1, "seq_classif_dropout": 0.2, "sinusoidal_pos_embds": False, "tie_weights_": True,
        "vocab_size": 30522,
    }  # fmt: skip
    config = load_architecture("distilbert").config.from_dict(values)
    assert config.unknown_keys == ()
    assert config.replace(extra={}) == type(config)(architectures=("DistilBertForMaskedLM",))


def test_sines_are_stored_and_not_trained(tmp_path: Path) -> None:
    made = tfx_core.new_model("distilbert", seed=1, **tiny_config("distilbert"), sinusoidal_pos_embds=True)
    table = made.backbone.embeddings.position.weight
    places = torch.arange(40.0)
    torch.testing.assert_close(table[:, :2], torch.stack((places.sin(), places.cos()), 1))
    torch.testing.assert_close(table[:, 4], (places / 10000 ** (4 / 24)).sin())
    made(IDS).last_hidden_state.sum().backward()
    assert (table.requires_grad, table.grad) == (False, None)
    with torch.no_grad():
        table.mul_(2)  # what a file says counts
    made.save_pretrained(tmp_path)
    again = tfx_core.load_model(tmp_path).backbone.embeddings.position.weight
    assert torch.equal(again, table)
    assert not again.requires_grad


def test_what_attention_gives_is_not_dropped_out() -> None:
    model = tiny_model("distilbert", "question-answering", dropout=0.5, qa_dropout=0.25)
    layer = model.backbone.stack.layers[0]
    assert (layer.self_attention.dropout.p, layer.feed_forward.dropout.p, model.head.dropout.p) == (0.0, 0.5, 0.25)


def test_new_weights_are_normal() -> None:
    model = tfx_core.new_model("distilbert", seed=1, **{**tiny_config("distilbert"), "vocab_size": 500, "dim": 64})
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif "norm" in name:
            assert (parameter == 1).all(), name
        else:
            assert 0.018 < parameter.std() < 0.022, name
    assert model.backbone.embeddings.token.weight.abs().max() > 0.04  # not cut
    assert not model.backbone.embeddings.token.weight[0].any()


@pytest.mark.parametrize("named", [None, "DistilBertTokenizer", "BertTokenizer", "BertTokenizerFast"])
def test_its_tokenizer_makes_no_token_types_whatever_its_class_is_called(named: str | None, tmp_path: Path) -> None:
    tokenizer = tfx_core.load_tokenizer(
        released("distilbert", tmp_path, **({} if named is None else {"tokenizer_class": named}))
    )
    assert list(tokenizer("hello", "world")) == ["input_ids", "attention_mask"]
    with pytest.raises(TypeError, match="DistilBertModel takes no 'token_type_ids'"):
        tiny_model("distilbert", "backbone")(IDS, token_type_ids=IDS * 0)
