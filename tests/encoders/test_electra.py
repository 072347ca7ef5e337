"""What is ELECTRA's own: generator and discriminator, the projection of its embeddings, and how its files say them."""

import logging
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tfx_core
from tests.models.labelled import tiny_model
from tests.models.released import released
from tests.models.tiny import random_ids
from tfx_core.checkpoint import collect_weights, save_tensors
from tfx_core.errors import InputError
from tfx_core.model import load_architecture
from tfx_core.model.heads import IGNORED
from tfx_core.nn import ActivationFunction

IDS = random_ids("electra", 2, 8)
MASK = torch.tensor([[1] * 8, [1] * 5 + [0] * 3])


def test_embeddings_are_projected_where_they_have_another_width() -> None:
    narrow, wide = tiny_model("electra", "backbone"), tiny_model("electra", "backbone", embedding_size=24)
    assert narrow.backbone.embeddings.token.weight.shape == (53, 16)
    assert isinstance(narrow.backbone.embeddings.project, nn.Linear)
    assert isinstance(wide.backbone.embeddings.project, nn.Identity)
    for model, width in ((narrow, 16), (wide, 24)):
        vectors = model.backbone.embed(IDS)
        assert vectors.shape == (2, 8, width)
        torch.testing.assert_close(model(inputs_embeds=vectors).last_hidden_state, model(IDS).last_hidden_state)


def test_a_projection_that_was_stored_though_widths_are_equal_is_left_out(tmp_path: Path) -> None:
    model = tiny_model("electra", "masked-lm", embedding_size=24)
    model.save_pretrained(tmp_path)
    tensors = collect_weights(model, model.weight_table, head="masked-lm")
    unread = {"weight": torch.zeros(24, 24), "bias": torch.ones(24)}
    save_tensors(tmp_path, tensors | {f"electra.embeddings_project.{name}": unread[name] for name in unread})
    torch.testing.assert_close(tfx_core.load_model(tmp_path)(IDS).logits, model(IDS).logits)


def test_the_loss_of_pretraining_is_of_real_tokens_whose_labels_count() -> None:
    model = tiny_model("electra", "pretraining")
    labels = torch.randint(0, 2, IDS.shape, generator=torch.Generator().manual_seed(0))
    labels[0, 2:4] = IGNORED
    output = model(IDS, attention_mask=MASK, labels=labels)
    counted = MASK.bool() & (labels != IGNORED)
    assert output.logits.shape == IDS.shape
    torch.testing.assert_close(
        output.loss, F.binary_cross_entropy_with_logits(output.logits[counted], labels[counted].float())
    )
    with pytest.raises(InputError, match="labels: 2 is none of 0 to 1"):
        model(IDS, labels=labels.masked_fill(labels == 1, 2))


def test_a_generators_activation_is_its_own() -> None:
    model = tiny_model("electra", "masked-lm", hidden_act="relu")
    own, other = model.head.predictions.transform[1], tiny_model("electra", "pretraining", hidden_act="relu")
    assert isinstance(own, ActivationFunction)
    x = torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(own(x), F.gelu(x))
    torch.testing.assert_close(other.head.discriminate[1](x), F.relu(x))


def test_a_discriminator_has_nothing_that_fills_masks_and_it_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored = tiny_model("electra", "pretraining")
    stored.save_pretrained(tmp_path)
    with caplog.at_level(logging.WARNING, logger="tfx_core"):
        model = tfx_core.load_model(tmp_path, head="masked-lm")
    assert ["predictions" in message for message in caplog.messages] == [True]
    assert torch.equal(model.backbone.embeddings.token.weight, stored.backbone.embeddings.token.weight)


def test_a_released_discriminators_config_is_read_whole() -> None:
    released = {
        "architectures": ["ElectraForPreTraining"], "attention_probs_dropout_prob": 0.1, "embedding_size": 128,
        "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 256, "initializer_range": 0.02,
        "intermediate_size": 1024, "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "model_type": "electra",
        "num_attention_heads": 4, "num_hidden_layers": 12, "type_vocab_size": 2, "vocab_size": 30522,
    }  # fmt: skip
    config = load_architecture("electra").config.from_dict(released)
    assert config.unknown_keys == ()
    assert config == type(config)(architectures=("ElectraForPreTraining",))


def test_a_decoder_with_a_source_decodes_step_by_step() -> None:
    model = tiny_model("electra", "causal-lm", add_cross_attention=True)
    source = torch.randn(2, 5, 24, generator=torch.Generator().manual_seed(4))
    seen = {"encoder_hidden_states": source, "encoder_attention_mask": torch.tensor([[1] * 5, [1, 1, 0, 0, 0]])}
    with torch.no_grad():
        whole = model(IDS, **seen).logits
        cache = model(IDS[:, :5], use_cache=True, **seen).past_key_values
        steps = [
            model(IDS[:, place, None], past_key_values=cache, use_cache=True, **seen).logits for place in (5, 6, 7)
        ]
    torch.testing.assert_close(torch.cat(steps, 1), whole[:, 5:])


def test_a_discriminator_is_no_model_that_fills_masks(tmp_path: Path) -> None:
    tokenizer = tfx_core.load_tokenizer(released("electra", tmp_path))
    discriminator, generator = (
        tiny_model("electra", head, vocab_size=len(tokenizer)) for head in ("pretraining", "masked-lm")
    )
    assert len(tfx_core.pipeline("fill-mask", model=generator, tokenizer=tokenizer)("hello [MASK]")) == 5
    with pytest.raises(
        InputError, match="the head 'pretraining' of this electra scores no tokens; use a checkpoint with"
    ):
        tfx_core.pipeline("fill-mask", model=discriminator, tokenizer=tokenizer)
