"""The reference reads the folder of the example's Marian as we do: SentencePiece models, vocabulary and codes."""

from pathlib import Path

import pytest
from transformers import MarianTokenizer

import tfx_core
from examples.translate_catalogues.pieces import END, UNKNOWN, code, saved_marian, trained

SOURCES = ["Open the file…", "Insert 12 new rows & columns", "<b>Bold</b> %1", "Naïve “quotes” — no-break\u00a0space"]
TARGETS = ["Die Datei öffnen …", "12 neue Zeilen einfügen", "Ouvrir le fichier « %1 »", "<b>Gras</b>"]
UNSEEN = ["", " ", "  file ", "le 未知 file", "e\u0301le\u0301"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("marian")
    source, target = (trained(texts * 3, 140, (END, UNKNOWN)) for texts in (SOURCES, TARGETS))
    saved_marian(source, target, ["deu", "fra"], folder, 64)
    return folder


@pytest.mark.parametrize("language", ["deu", "fra"])
def test_sources_and_targets_have_the_same_ids(folder: Path, language: str) -> None:
    ours, theirs = tfx_core.load_tokenizer(folder), MarianTokenizer.from_pretrained(folder)
    texts = [*SOURCES, *UNSEEN]
    asked = theirs([f"{code(language)} {text}" for text in texts])
    assert ours(texts, tgt_lang=language)["input_ids"] == asked["input_ids"]
    targets = ours(text_target=[*TARGETS, *UNSEEN])["input_ids"]
    assert targets == theirs(text_target=[*TARGETS, *UNSEEN])["input_ids"]
    read = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
    assert ours.batch_decode(targets, **read) == theirs.batch_decode(targets, **read)
