"""XLM: languages, what is padding, one class for two heads, and files as they were released."""

import json
import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.models.labelled import tiny_model
from tests.models.tiny import random_ids, tiny_config
from tfx_core.errors import ConfigError, InputError
from tfx_core.tasks.perplexity import Perplexity

RELEASED = {
    "architectures": ["XLMWithLMHeadModel"], "asm": False, "attention_dropout": 0.1, "bos_index": 0, "causal": False,
    "dropout": 0.1, "emb_dim": 24, "embed_init_std": 0.02209708691207961, "end_n_top": 5, "eos_index": 1,
    "finetuning_task": None, "gelu_activation": True, "id2lang": {"0": "de", "1": "en"}, "init_std": 0.02,
    "is_encoder": True, "lang2id": {"de": 0, "en": 1}, "layer_norm_eps": 1e-12, "mask_index": 5,
    "max_position_embeddings": 40, "max_vocab": -1, "min_count": 0, "model_type": "xlm", "n_heads": 4, "n_langs": 2,
    "n_layers": 2, "n_words": 53, "num_labels": 2, "output_attentions": False, "output_hidden_states": False,
    "pad_index": 2, "pruned_heads": {}, "same_enc_dec": True, "share_inout_emb": True, "sinusoidal_embeddings": False,
    "start_n_top": 5, "summary_activation": None, "summary_first_dropout": 0.1, "summary_proj_to_labels": True,
    "summary_type": "first", "summary_use_proj": True, "torchscript": False, "unk_index": 3, "use_bfloat16": False,
    "use_lang_emb": True, "word_blank": 0, "word_dropout": 0, "word_keep": 0.1, "word_mask": 0.8,
    "word_mask_keep_rand": "0.8,0.1,0.1", "word_pred": 0.15, "word_rand": 0.1, "word_shuffle": 0,
}  # fmt: skip


def test_a_released_config_says_nothing_unknown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tiny_model("xlm", "masked-lm", n_langs=2, n_layers=2).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(RELEASED))
    with caplog.at_level(logging.WARNING):
        model = tfx_core.load_model(tmp_path)
    assert not caplog.records
    config = model.config
    assert (config.vocab_size, config.n_words, config.lang2id["en"], model.head_name) == (53, 53, 1, "masked-lm")


def test_decoders_of_which_none_was_released_are_refused() -> None:
    config = tfx_core.new_model("xlm", **tiny_config("xlm")).config
    with pytest.raises(ConfigError, match=r"is_encoder=False: changes results and is not possible here; must be True"):
        type(config).from_dict({**config.to_dict(), "is_encoder": False})


def test_a_language_that_there_is_not_is_told() -> None:
    model, ids = tiny_model("xlm", "backbone"), random_ids("xlm", 2, 5)
    for wrong in (3, -1):
        with pytest.raises(InputError, match=f"^langs: id {wrong} is not one of this model's, 0 to 2"):
            model(ids, langs=torch.full_like(ids, wrong))
    with pytest.raises(InputError, match=r"^langs of type torch.float32: must be whole numbers"):
        model(ids, langs=torch.zeros(2, 5))
    for without in ({"n_langs": 1}, {"use_lang_emb": False}):
        with pytest.raises(InputError, match=r"^langs: in this model languages have no vectors"):
            tiny_model("xlm", "backbone", **without)(ids, langs=ids * 0)


def test_languages_change_what_is_read() -> None:
    model, ids = tiny_model("xlm", "backbone"), random_ids("xlm", 2, 5)
    states = [model(ids, langs=torch.full_like(ids, language)).last_hidden_state for language in range(3)]
    assert not torch.allclose(states[0], states[1], atol=1e-3)
    assert not torch.allclose(states[1], states[2], atol=1e-3)


@pytest.mark.parametrize("causal", [False, True])
def test_padding_is_told_by_mask_lengths_or_token(causal: bool) -> None:
    model, ids = tiny_model("xlm", "masked-lm", causal=causal), random_ids("xlm", 3, 8)
    lengths = torch.tensor([8, 3, 5])
    mask = torch.arange(8) < lengths[:, None]
    ids = ids.masked_fill(~mask, 2)

    def logits(**inputs: Tensor) -> Tensor:
        result: Tensor = model(**inputs).logits[mask]
        return result

    expected = logits(input_ids=ids, attention_mask=mask.long())
    assert torch.equal(logits(input_ids=ids), expected)
    assert torch.equal(logits(input_ids=ids, lengths=lengths), expected)
    other = ids.masked_fill(~mask, 7)
    assert torch.equal(logits(input_ids=other, lengths=lengths), expected)
    assert causal == torch.allclose(logits(input_ids=other), expected, atol=1e-5)  # there nothing sees what follows
    assert torch.equal(logits(input_ids=ids, attention_mask=mask.long(), lengths=lengths.flip(0)), expected)


@pytest.mark.parametrize("wrong", [9, -1])
def test_lengths_that_no_row_has(wrong: int) -> None:
    with pytest.raises(InputError, match=f"^lengths: {wrong} is none of 0 to 8$"):
        tiny_model("xlm", "backbone")(random_ids("xlm", 2, 8), lengths=torch.tensor([8, wrong]))


def test_a_config_with_another_padding_token_of_old(tmp_path: Path) -> None:
    model = tiny_model("xlm", "backbone", pad_index=9)
    ids = random_ids("xlm", 1, 4).clamp(min=10)
    padded = torch.cat((ids, torch.full((1, 2), 9)), dim=1)
    torch.testing.assert_close(model(padded).last_hidden_state[:, :4], model(ids).last_hidden_state)
    model.save_pretrained(tmp_path)
    assert tfx_core.load_model(tmp_path).config.pad_index == 9


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("head", ["masked-lm", "causal-lm"])
def test_one_class_holds_two_heads_and_the_config_says_which(head: str, causal: bool, tmp_path: Path) -> None:
    model = tiny_model("xlm", head, causal=causal)
    assert type(model).__name__ == "XLMWithLMHeadModel"
    model.save_pretrained(tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    meant = "causal-lm" if causal else "masked-lm"
    assert written["architectures"] == ["XLMWithLMHeadModel"]
    assert written.get("tfx_head") == (None if head == meant else head)
    assert tfx_core.load_model(tmp_path).head_name == head
    (tmp_path / "config.json").write_text(json.dumps({**written, "tfx_head": None}))
    ids = random_ids("xlm", 2, 5)
    assert tfx_core.load_model(tmp_path).head_name == meant
    for other in ("masked-lm", "causal-lm"):
        again = tfx_core.load_model(tmp_path, head=other)
        assert again.can_generate() == (other == "causal-lm")
        assert torch.equal(again(ids, labels=ids).loss, model(ids, labels=ids).loss)


def test_a_head_that_only_fills_masks_says_which_one_writes() -> None:
    with pytest.raises(InputError, match="head 'masked-lm' cannot generate; load the model with head='causal-lm'"):
        tiny_model("xlm", "masked-lm").generate(random_ids("xlm", 1, 3))


def test_a_perplexity_of_what_stands_behind_a_mask_is_refused() -> None:
    task = Perplexity.__new__(Perplexity)
    with pytest.raises(InputError, match="perplexity: this model predicts a token in its own place, behind a mask"):
        task.check_model(tiny_model("xlm", "causal-lm", causal=True))


@pytest.mark.parametrize("key", ["summary_proj_to_labels", "summary_use_proj"])
@pytest.mark.parametrize("head", ["sequence-classification", "multiple-choice"])
def test_classifiers_without_their_projection_are_refused(head: str, key: str) -> None:
    assert tiny_model("xlm", "masked-lm", **{key: False}).config.to_dict()[key] is False
    with pytest.raises(ConfigError, match=f"{key}=False: must be true: the projection is what classifies"):
        tiny_model("xlm", head, **{key: False})


def test_an_adaptive_softmax_gives_probabilities() -> None:
    """Grave et al. 2017: of frequent tokens and clusters, times those within each cluster."""
    model = tiny_model("xlm", "masked-lm", asm=True, asm_cutoffs=[10, 30], asm_div_value=2.0)
    ids = random_ids("xlm", 2, 5)
    logits = model(ids, langs=ids * 0).logits
    torch.testing.assert_close(logits.exp().sum(-1), torch.ones(2, 5))
    softmax = model.head.predictions.softmax
    states = model.backbone(ids, langs=ids * 0).last_hidden_state
    first, last = softmax.head(states).log_softmax(-1), softmax.tail[1](states).log_softmax(-1)
    torch.testing.assert_close(logits[..., :10], first[..., :10])
    torch.testing.assert_close(logits[..., 30:], first[..., 11:] + last)


def test_sinusoids_do_not_learn() -> None:
    table = tfx_core.new_model("xlm", **tiny_config("xlm"), sinusoidal_embeddings=True).backbone.embeddings.position
    assert not table.weight.requires_grad
    angle = torch.tensor(3 / 10000 ** (4 / 24))
    torch.testing.assert_close(table.weight[3, 4:6], torch.stack((angle.sin(), angle.cos())))
