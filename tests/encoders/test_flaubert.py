"""FlauBERT: files as they were released, layers that are left out while training."""

import json
import logging
from pathlib import Path

import pytest
import torch

import tfx_core
from tests.models.labelled import tiny_model
from tests.models.tiny import random_ids

RELEASED = {
    "amp": 1, "architectures": ["FlaubertWithLMHeadModel"], "asm": False, "attention_dropout": 0.1, "bos_index": 0,
    "bos_token_id": 0, "bptt": 512, "causal": False, "clip_grad_norm": 5, "dropout": 0.1, "emb_dim": 24,
    "embed_init_std": 0.02209708691207961, "encoder_only": True, "end_n_top": 5, "eos_index": 1, "fp16": True,
    "gelu_activation": True, "group_by_size": True, "id2lang": {"0": "fr"}, "init_std": 0.02, "is_encoder": True,
    "lang2id": {"fr": 0}, "lang_id": 0, "langs": ["fr"], "layer_norm_eps": 1e-06, "layerdrop": 0.2,
    "lg_sampling_factor": -1, "lgs": "fr", "mask_index": 5, "mask_token_id": 0, "max_batch_size": 0,
    "max_position_embeddings": 40, "max_vocab": -1, "mlm_steps": [["fr", None]], "model_type": "flaubert",
    "n_heads": 4, "n_langs": 1, "n_layers": 2, "pad_index": 2, "pad_token_id": 2, "pre_norm": True, "sample_alpha": 0,
    "share_inout_emb": True, "sinusoidal_embeddings": False, "start_n_top": 5, "summary_activation": None,
    "summary_first_dropout": 0.1, "summary_proj_to_labels": True, "summary_type": "first", "summary_use_proj": True,
    "tokens_per_batch": -1, "unk_index": 3, "use_lang_emb": True, "vocab_size": 53, "word_blank": 0,
    "word_dropout": 0, "word_keep": 0.1, "word_mask": 0.8, "word_mask_keep_rand": "0.8,0.1,0.1", "word_pred": 0.15,
    "word_rand": 0.1, "word_shuffle": 0,
}  # fmt: skip


def test_a_released_config_says_nothing_unknown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tiny_model("flaubert", "masked-lm", n_langs=1, n_layers=2, pre_norm=True).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(RELEASED))
    with caplog.at_level(logging.WARNING):
        model = tfx_core.load_model(tmp_path)
    assert not caplog.records
    assert (model.head_name, model.backbone.stack.layer_drop) == ("masked-lm", 0.2)
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["langs"] == ["fr"]


def test_layers_are_left_out_while_training() -> None:
    model, ids = tiny_model("flaubert", "backbone", pre_norm=True, layerdrop=1.0), random_ids("flaubert", 2, 5)
    states = model(ids, output_hidden_states=True)
    assert not torch.allclose(states.last_hidden_state, states.hidden_states[0], atol=1e-3)
    left_out = model.train()(ids).last_hidden_state
    torch.testing.assert_close(left_out, states.hidden_states[0])
