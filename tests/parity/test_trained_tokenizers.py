"""Tokenizers that are trained here, read by transformers and by SentencePiece."""

import unicodedata
from pathlib import Path

import pytest
import sentencepiece
import transformers

from tfx_core.text.recipes import Piece, PieceKind
from tfx_training import read_documents, train_tokenizer
from tfx_training.vocabularies.sentencepiece_writing import sentencepiece_file

FAMILIES = (
    *("albert", "bart", "bert", "convbert", "ctrl", "distilbert", "electra", "funnel", "gpt2", "longformer", "mbart"),
    *("mt5", "openai-gpt", "pegasus", "prophetnet", "reformer", "roberta", "t5", "xlm-prophetnet", "xlm-roberta"),
    "xlnet",
)
TEXTS = (
    "The method isn't called, e.g. for 3 attributes.",
    "Two lines\nof  text, and a tab\there: 3.14",
    "naïve ﬁne Ａ e\u0301t\u200be … object.__getattr__(self)",
)


@pytest.mark.parametrize("family", FAMILIES)
def test_ids_are_those_of_the_reference(family: str, tmp_path: Path) -> None:
    made = train_tokenizer(list(read_documents(["pydoc:topics"]))[:4], family, vocab_size=500)
    made.save_pretrained(tmp_path)
    for fast in (True, False):
        reference = transformers.AutoTokenizer.from_pretrained(tmp_path, use_fast=fast)
        assert len(reference) == len(made)
        for text in TEXTS:
            assert made(text)["input_ids"] == reference(text)["input_ids"], fast


def test_the_normaliser_is_that_of_sentencepiece() -> None:
    """Of every character that Unicode 14, which Python 3.11 has, knows."""
    pieces = [Piece("<unk>", kind=PieceKind.UNKNOWN), Piece("▁"), Piece("a", -1.0)]
    ours = sentencepiece.SentencePieceNormalizer(model_proto=sentencepiece_file(pieces))
    theirs = sentencepiece.SentencePieceNormalizer(
        rule_name="nmt_nfkc", add_dummy_prefix=True, remove_extra_whitespaces=True, escape_whitespaces=True
    )
    known = [chr(code) for code in range(1, 0x30000) if unicodedata.category(chr(code)) not in ("Cn", "Cs")]
    texts = [f"x{character}y" for character in known]
    differing = [text for text in texts if ours.normalize(text) != theirs.normalize(text)]
    assert differing == []
    marked = "e\u0301tude\u0323\u0302 \u1eadn a\u0308\u0304 \u30ab\u3099"
    assert ours.normalize(marked) == theirs.normalize(marked)
