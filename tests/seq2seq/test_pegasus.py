"""What is Pegasus's own: the tokens of its pretraining, line breaks, positions beyond its table, its first files."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import tfx_core
from tests.core.text.folders import read, write
from tests.models.tiny import perturbed, random_ids, tiny_config
from tfx_core.errors import CheckpointError, ConfigError, InputError, TextError
from tfx_core.text import Tokenizer
from tfx_core.text.recipes import Piece
from tfx_seq2seq.pegasus import PegasusConfig
from tfx_seq2seq.pegasus.text import RECIPE
from tfx_testing.sentencepiece_files import CONTROL, LETTERS, UNKNOWN, USER, charsmap, spiece

FIRST = [Piece("<pad>", 0.0, CONTROL), Piece("</s>", 0.0, CONTROL), Piece("<unk>", 0.0, UNKNOWN)]
PIECES = [*FIRST, Piece("<n>", 0.0, USER), *LETTERS]
BLANK = charsmap({"\n": " "})
"""A table as the released models have it: a line break is a blank."""


def pegasus(folder: Path, pieces: list[Piece] = PIECES, **options: Any) -> Tokenizer:
    return read(write(folder, {"spiece.model": spiece(pieces, table=BLANK)}), RECIPE, **options)


def test_the_tokens_of_pretraining_stand_before_the_pieces(tmp_path: Path) -> None:
    tokens = pegasus(tmp_path)
    assert len(tokens) == len(PIECES) + 103
    wanted = {"<pad>": 0, "</s>": 1, "<mask_1>": 2, "<mask_2>": 3, "<unk_2>": 4, "<unk_102>": 104, "<unk>": 105}
    assert {token: tokens.convert_tokens_to_ids(token) for token in wanted} == wanted
    assert (tokens.mask_token, tokens.pad_token, tokens.eos_token) == ("<mask_2>", "<pad>", "</s>")
    assert set(tokens.additional_special_tokens) == {"<mask_1>", *(f"<unk_{number}>" for number in range(2, 103))}
    assert tokens.tokenize("a<mask_1> e <unk_7>") == ["▁", "a", "<mask_1>", "▁", "e", "<unk_7>"]


@pytest.mark.parametrize("stated", [None, [], ["<mask_1>", "<unk_2>"], ["<x>"]])
def test_a_folder_may_name_them_in_part(stated: list[str] | None, tmp_path: Path) -> None:
    write(tmp_path, {"special_tokens_map.json": {"additional_special_tokens": stated}})
    special = pegasus(tmp_path).additional_special_tokens
    assert {"<mask_1>", "<unk_2>", "<unk_102>"} <= {*special}
    assert len(special) == 102 + ("<x>" in special)


def test_a_model_without_them_is_read_as_it_is(tmp_path: Path) -> None:
    tokens = pegasus(tmp_path, offset=0, mask_token_sent=None)
    assert len(tokens) == len(PIECES)
    assert tokens("a").input_ids == [PIECES.index(piece) for piece in PIECES if piece.text in ("▁", "a")] + [1]
    assert (tokens.mask_token, tokens.additional_special_tokens) == (None, [])


def test_texts_end_and_a_pair_is_one_text(tmp_path: Path) -> None:
    tokens = pegasus(tmp_path)
    assert tokens("a", "e").tokens() == ["▁", "a", "▁", "e", "</s>"]
    assert set(tokens("a")) == {"input_ids", "attention_mask"}


@pytest.mark.parametrize("count", [-1, 1, 10**6])
def test_a_number_of_them_that_no_model_has_is_refused(count: int, tmp_path: Path) -> None:
    with pytest.raises(TextError, match=rf"offset is {count}; it must be 0, or from 2 to 10000$"):
        pegasus(tmp_path, offset=count)


def test_a_model_of_another_family_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"first pieces are '<unk>' and '<pad>'; they must be <pad> and </s>"):
        pegasus(tmp_path, [PIECES[2], PIECES[0], PIECES[1], *PIECES[3:]])


def test_line_breaks_are_blanks_unless_they_are_asked_for(tmp_path: Path) -> None:
    lost, kept = pegasus(tmp_path), pegasus(tmp_path, line_breaks=True)
    text = "a\ne\n\no"
    assert lost.decode(lost(text).input_ids, skip_special_tokens=True) == "a e o"
    assert lost.decode(lost("a<n>e").input_ids, skip_special_tokens=True) == "a<n>e"
    assert kept.tokenize(text) == ["▁", "a", "<n>", "e", "<n>", "<n>", "o"]
    assert kept.decode(kept(text).input_ids, skip_special_tokens=True) == text
    assert kept("a e").input_ids == lost("a e").input_ids


@pytest.mark.parametrize("without", [[], ["tokenizer.json"]])
def test_line_breaks_are_kept_by_a_folder_that_says_so(without: list[str], tmp_path: Path) -> None:
    kept = pegasus(tmp_path / "released", line_breaks=True)
    folder = tmp_path / "saved"
    for _ in range(2):
        kept.save_pretrained(folder)
        for name in without:
            (folder / name).unlink()
        kept = read(folder, RECIPE)
    assert kept.decode(kept("a\ne").input_ids, skip_special_tokens=True) == "a\ne"
    assert str(kept.vocabulary.backend.to_str()).count('"content":"\\n"') == 1


def test_a_vocabulary_without_a_piece_for_line_breaks_says_so(tmp_path: Path) -> None:
    with pytest.raises(TextError, match="line_breaks is true, but the vocabulary lacks <n>; leave it out"):
        pegasus(tmp_path, [*FIRST, *LETTERS], line_breaks=True)


# the model


def tiny(folder: Path, **config: Any) -> Path:
    """A folder with a tiny model whose every parameter but its positions is perturbed."""
    model = tfx_core.new_model(
        "pegasus", head="conditional-generation", seed=1, **{**tiny_config("pegasus"), **config}
    ).eval()
    perturbed(model, 2, lambda name: 0.0 if "position" in name else 0.1).save_pretrained(folder)
    return folder


def test_a_text_longer_than_the_table_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    model = tfx_core.load_model(tiny(tmp_path))
    with pytest.raises(InputError, match="40"):
        model(random_ids("pegasus", 1, 41), decoder_input_ids=random_ids("pegasus", 1, 3))


def test_positions_are_computed_as_far_as_the_config_says(tmp_path: Path) -> None:
    short = tfx_core.load_model(tiny(tmp_path))
    with pytest.raises(CheckpointError, match=r"max_position_embeddings=90"):
        tfx_core.load_model(tmp_path, max_position_embeddings=90)
    longer = tfx_core.load_model(tmp_path, max_position_embeddings=90, ignore_mismatched_sizes=True)
    ids, target = random_ids("pegasus", 2, 20), random_ids("pegasus", 2, 6)
    with torch.no_grad():
        torch.testing.assert_close(
            longer(ids, decoder_input_ids=target).logits, short(ids, decoder_input_ids=target).logits
        )
        assert longer(random_ids("pegasus", 1, 90), decoder_input_ids=target[:1]).logits.isfinite().all()
    table = longer.get_parameter("backbone.encoder.embeddings.position.weight")
    angles = torch.arange(90.0)[:, None] / 10000 ** (torch.arange(0, 24, 2) / 24)
    torch.testing.assert_close(table, torch.cat((angles.sin(), angles.cos()), dim=1))
    assert not table.requires_grad


XSUM = {
    "activation_dropout": 0.1, "activation_function": "relu", "add_bias_logits": False, "add_final_layer_norm": True,
    "architectures": ["PegasusForConditionalGeneration"], "attention_dropout": 0.1, "bos_token_id": 0,
    "classif_dropout": 0.0, "classifier_dropout": 0.0, "do_blenderbot_90_layernorm": False, "dropout": 0.1,
    "extra_pos_embeddings": 0, "force_bos_token_to_be_generated": False, "gradient_checkpointing": False,
    "is_encoder_decoder": True, "length_penalty": 0.6, "max_length": 64, "max_position_embeddings": 512,
    "model_type": "pegasus", "normalize_before": True, "normalize_embedding": False, "num_beams": 8,
    "num_hidden_layers": 16, "encoder_layers": 16, "decoder_layers": 16, "scale_embedding": True,
    "static_position_embeddings": True, "vocab_size": 96103,
    "task_specific_params": {"summarization_aeslc": {"length_penalty": 0.6, "max_length": 32, "num_beams": 8}},
}  # fmt: skip
"""Keys of a released file of the first era."""


def test_the_first_files_are_read(tmp_path: Path) -> None:
    config = PegasusConfig.from_dict(XSUM)
    assert config.unknown_keys == ()
    assert (config.num_hidden_layers, config.embedding_scale, config.pad_token_id) == (16, 32.0, 0)
    sizes = tiny_config("pegasus")
    (tiny(tmp_path) / "config.json").write_text(json.dumps({**XSUM, **sizes, "num_hidden_layers": 2}))
    model = tfx_core.load_model(tmp_path)
    options = model.generation_config
    assert (options.num_beams, options.max_length, options.length_penalty) == (8, 64, 0.6)


@pytest.mark.parametrize(
    ("key", "value"), [("normalize_before", False), ("static_position_embeddings", False), ("add_bias_logits", True)]
)
def test_a_file_of_another_relative_is_refused(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{key}={value}: changes results and is not possible here"):
        PegasusConfig.from_dict({**XSUM, key: value})
