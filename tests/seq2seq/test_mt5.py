"""mT5: whose output layer is its own, and scaled only where a file of transformers 4 ties it."""

from pathlib import Path
from typing import Any

import pytest
import torch

import tfx_core
from tests.core.text.folders import read, write
from tests.models.tiny import random_ids, tiny_config
from tfx_core.text.recipes import Piece
from tfx_seq2seq.mt5 import ARCHITECTURE, MT5Config
from tfx_testing.sentencepiece_files import CONTROL, LETTERS, UNKNOWN, USER, spiece

PIECES = [Piece("<pad>", 0.0, CONTROL), Piece("</s>", 0.0, CONTROL), Piece("<unk>", 0.0, UNKNOWN), *LETTERS]
SENTINELS = [Piece(f"▁<extra_id_{number}>", 0.0, USER) for number in (2, 1, 0)]
"""As the released model has them: pieces of its own, the first with the highest id."""


@pytest.mark.parametrize(
    ("stated", "tied", "scaled"),
    [
        ({}, False, False),
        ({"tie_word_embeddings": False, "transformers_version": "4.57.6"}, False, False),
        ({"tie_word_embeddings": True, "transformers_version": "4.57.6"}, True, True),
        ({"tie_word_embeddings": True, "transformers_version": "5.23.0"}, True, False),
        ({"tie_word_embeddings": True, "transformers_version": None}, True, True),
        ({"tie_word_embeddings": True, "transformers_version": "5.23.0", "scale_decoder_outputs": True}, True, True),
    ],
)
def test_states_are_scaled_as_the_version_that_wrote_the_file_scales_them(
    stated: dict[str, Any], tied: bool, scaled: bool
) -> None:
    config = MT5Config.from_dict({"model_type": "mt5", **stated})
    assert (config.tie_word_embeddings, config.scale_decoder_outputs) == (tied, scaled)


def test_an_output_layer_of_its_own_stays_one_whatever_the_file_says(tmp_path: Path) -> None:
    model = tfx_core.new_model("mt5", head="conditional-generation", seed=1, **tiny_config("mt5")).eval()
    model.save_pretrained(tmp_path)
    again = tfx_core.load_model(tmp_path, config={**model.config.to_dict(), "tie_word_embeddings": True})
    inputs = {"input_ids": random_ids("mt5", 2, 7), "decoder_input_ids": random_ids("mt5", 2, 4)}
    with torch.no_grad():
        assert torch.equal(again(**inputs).logits, model(**inputs).logits)


def test_the_sentinels_of_released_folders_are_pieces(tmp_path: Path) -> None:
    recipe = ARCHITECTURE.text
    assert recipe is not None
    files = {
        "spiece.model": spiece([*PIECES, *SENTINELS]),
        "tokenizer_config.json": {"tokenizer_class": "T5Tokenizer", "extra_ids": 0, "additional_special_tokens": None},
        "special_tokens_map.json": {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"},
    }
    tokens = read(write(tmp_path / "released", files), recipe)
    assert len(tokens) == len(PIECES) + 3
    assert tokens.tokenize("a <extra_id_0> e <extra_id_2>") == ["▁", "a", "▁<extra_id_0>", "▁", "e", "▁<extra_id_2>"]
    assert tokens.convert_tokens_to_ids("▁<extra_id_0>") == len(tokens) - 1
    tokens.save_pretrained(tmp_path / "saved")
    again = read(tmp_path / "saved", recipe)
    assert again("a <extra_id_1>").input_ids == tokens("a <extra_id_1>").input_ids
    assert len(again) == len(tokens)
