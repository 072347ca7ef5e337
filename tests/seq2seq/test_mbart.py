"""What is mBART's own: the language that begins a target, its files of all eras, two forms of text."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import tfx_core
from tests.cases import case_of
from tests.core.text.folders import write
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.errors import ConfigError, InputError
from tfx_core.model.model import Model
from tfx_core.text import Tokenizer

SOURCE, TARGET = random_ids("mbart", 2, 7), random_ids("mbart", 2, 5, seed=3)
PAD = 1
CC25 = {
    "add_bias_logits": False,
    "add_final_layer_norm": True,
    "architectures": ["MBartForConditionalGeneration"],
    "classif_dropout": 0.0,
    "max_length": 1024,
    "model_type": "mbart",
    "normalize_before": True,
    "normalize_embedding": True,
    "num_beams": 5,
    "num_hidden_layers": 2,
    "output_past": True,
    "scale_embedding": True,
    "static_position_embeddings": False,
    "task_specific_params": {"translation_en_to_ro": {"decoder_start_token_id": 50}},
}
"""Keys of the first released files."""


def mbart(head: str = "conditional-generation", **config: object) -> Model:
    """A tiny model with every parameter perturbed."""
    return perturbed(
        tfx_core.new_model("mbart", head=head, seed=1, **{**tiny_config("mbart"), **config}).eval(), 2, 0.2
    )


def tokenizer(folder: Path, cls: str = "MBartTokenizer", **options: Any) -> Tokenizer:
    config = {"model_type": "mbart", "tokenizer_class": cls}
    return tfx_core.load_tokenizer(write(folder, {**case_of("mbart").released(), "config.json": config}), **options)


# -- what the decoder begins with --------------------------------------------------------------------------------------


def test_the_last_token_of_a_target_begins_it_wherever_its_padding_is() -> None:
    head = mbart().head
    rows = [[5, 6, 2, 9, -100], [-100, 5, 6, 2, 9], [5, -100, 6, 2, 9], [5, 6, 2, 9, PAD], [-100] * 5]
    shifted = head.targets(torch.tensor(rows))
    assert shifted.tolist() == [
        [9, 5, 6, 2, 9], [9, PAD, 5, 6, 2], [9, 5, PAD, 6, 2], [9, 5, 6, 2, 9], [PAD] * 5
    ]  # fmt: skip


@torch.no_grad()
@pytest.mark.parametrize("mask", [[1, 1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1, 1], [1, 0, 1, 1, 0, 1, 1]], ids=str)
def test_padding_of_targets_and_sources_changes_nothing(mask: list[int]) -> None:
    model, real = mbart(), torch.tensor(mask).bool()
    labels = torch.full((2, 7), -100).masked_scatter(real.expand(2, 7), TARGET)
    source = torch.full((2, 7), PAD).masked_scatter(real.expand(2, 7), TARGET)
    told = real.long().expand(2, 7)
    alone = model(TARGET, labels=TARGET)
    padded = model(source, attention_mask=told, labels=labels, decoder_attention_mask=told)
    torch.testing.assert_close(padded.loss, alone.loss)
    torch.testing.assert_close(padded.logits[:, real], alone.logits, rtol=1e-4, atol=1e-5)
    classifier, ids = mbart("sequence-classification"), torch.cat((TARGET[:, :-1], torch.full((2, 1), 2)), 1)
    source = torch.full((2, 7), PAD).masked_scatter(real.expand(2, 7), ids)
    torch.testing.assert_close(
        classifier(source, attention_mask=told).logits, classifier(ids).logits, rtol=1e-4, atol=1e-5
    )


def test_a_model_without_padding_token_says_what_it_needs() -> None:
    model = mbart(pad_token_id=None)
    with pytest.raises(ConfigError, match=r"pad_token_id=None: .* shifted right with it; set model\.config\.pad_tok"):
        model(SOURCE, labels=TARGET)
    mbart(decoder_start_token_id=None)(SOURCE, labels=TARGET)  # which it does not need


def test_a_target_beyond_the_positions_is_told() -> None:
    with pytest.raises(InputError, match="text of 41 tokens: this model has positions for 40"):
        mbart()(SOURCE[:1], labels=random_ids("mbart", 1, 41))


# -- files -------------------------------------------------------------------------------------------------------------


def test_the_first_files_are_read(tmp_path: Path) -> None:
    model = mbart(scale_embedding=True)
    model.head.predictions.logits_bias.zero_()
    model.save_pretrained(tmp_path)
    tensors: dict[str, Tensor] = load_file(tmp_path / "model.safetensors")
    del tensors["final_logits_bias"]
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "generation_config.json").unlink(missing_ok=True)
    sizes = {key: value for key, value in tiny_config("mbart").items() if key != "decoder_start_token_id"}
    (tmp_path / "config.json").write_text(json.dumps({**sizes, **CC25}), encoding="utf-8")
    read = tfx_core.load_model(tmp_path)
    assert read.head_name == "conditional-generation"
    assert read.config.decoder_start_token_id is None
    assert (read.generation_options.num_beams, read.generation_options.max_length) == (5, 1024)
    expected, found = (each(SOURCE, labels=TARGET).logits for each in (model, read))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("key", ["normalize_before", "add_final_layer_norm", "normalize_embedding"])
def test_a_relative_of_another_order_is_refused(key: str, tmp_path: Path) -> None:
    mbart().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps({**config, key: False}), encoding="utf-8")
    with pytest.raises(ConfigError, match=f"{key}=False: changes results"):
        tfx_core.load_model(tmp_path)


# -- text --------------------------------------------------------------------------------------------------------------


def test_the_language_is_behind_the_text_or_before_it(tmp_path: Path) -> None:
    first, second = tokenizer(tmp_path / "25"), tokenizer(tmp_path / "50", "MBart50Tokenizer")
    assert (len(first.languages), len(second.languages)) == (25, 52)
    for each, tokens, option in (
        (first, ["▁ab", "</s>", "de_DE"], "decoder_start_token_id"),
        (second, ["de_DE", "▁ab", "</s>"], "forced_bos_token_id"),
    ):
        assert each("ab", src_lang="de_DE").tokens() == tokens
        assert each(text_target="ab", tgt_lang="de_DE").tokens() == tokens
        assert each.asking_for("de_DE") == {option: each.convert_tokens_to_ids("de_DE")}
        assert each.mask_token_id == len(each) - 1
        assert each.decode(each("ab").input_ids, skip_special_tokens=True) == "ab"
        with pytest.raises(InputError, match=r"^text_target: its language is not told; give tgt_lang="):
            each("ab", text_target="ab")


@pytest.mark.parametrize("cls", ["MBartTokenizer", "MBart50Tokenizer"])
def test_the_form_is_known_without_a_class_by_the_languages_there_are(cls: str, tmp_path: Path) -> None:
    original = tokenizer(tmp_path / "released", cls)
    original.save_pretrained(tmp_path / "saved")
    config = json.loads((tmp_path / "saved/tokenizer_config.json").read_text(encoding="utf-8"))
    assert config["tokenizer_class"] == cls  # which stood in config.json alone
    contents = (tmp_path / "saved/tokenizer.json").read_bytes()
    alone = tfx_core.load_tokenizer(
        write(tmp_path / "alone", {"tokenizer.json": contents, "config.json": {"model_type": "mbart"}})
    )
    for direction in (("en_XX", "de_DE"), ("zh_CN", "ro_RO")):
        source, target = direction
        expected, found = (
            dict(each(["hello", "ab"], text_target=["a", "b"], src_lang=source, tgt_lang=target))
            for each in (original, alone)
        )
        assert found == expected
    assert alone.languages == original.languages
    assert alone.asking_for("zh_CN") == original.asking_for("zh_CN")
    assert {*alone.all_special_tokens} >= {*alone.languages}


def test_a_token_of_the_form_that_is_added_is_a_language(tmp_path: Path) -> None:
    made = tokenizer(tmp_path / "released")
    made.add_special_tokens({"additional_special_tokens": ["eo_XX"]}, replace_additional_special_tokens=False)
    made.save_pretrained(tmp_path / "saved")
    write(tmp_path / "saved", {"config.json": {"model_type": "mbart"}})
    for each in (made, tfx_core.load_tokenizer(tmp_path / "saved", src_lang="eo_XX")):
        assert each.languages[-1] == "eo_XX"
        assert each("ab", src_lang="eo_XX").tokens() == ["▁ab", "</s>", "eo_XX"]


@pytest.mark.parametrize(("named", "near"), [("de", "de_DE"), ("DE-de", "de_DE"), ("pt_BR", "pt_XX"), ("english", "")])
def test_the_nearest_languages_are_told(named: str, near: str, tmp_path: Path) -> None:
    made = tokenizer(tmp_path, "MBart50Tokenizer")
    said = f"nearest are {near}" if near else "there are af_ZA, ar_AR, .*, zh_CN"
    with pytest.raises(InputError, match=f"^src_lang='{named}': not one of the 52 languages of this tokenizer; {said}"):
        made("ab", src_lang=named)


def test_a_forced_first_token_outside_of_the_vocabulary_is_told() -> None:
    with pytest.raises((ConfigError, InputError), match="forced_bos_token_id"):
        mbart().generate(SOURCE, forced_bos_token_id=60, max_new_tokens=3)
