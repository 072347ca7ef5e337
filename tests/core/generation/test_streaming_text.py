"""Streamed pieces together are the text, on every kind of tokenizer, also where decoding changes what stands before."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.core.tasks.test_words import KINDS
from tests.core.text.folders import VOCABULARY, read, small, write
from tfx_core.generation import TextStreamer
from tfx_core.text import TextFacts, Tokenizer
from tfx_core.text.recipes import words_recipe

MOSES = words_recipe(TextFacts("TransfoXLTokenizer", {"eos_token": "<eos>", "unk_token": "<unk>"}))
WORDS = [
    "<eos>",
    "<unk>",
    "1",
    "000",
    "@,@",
    "@.@",
    "5",
    "@-@",
    '"',
    "'",
    "``",
    "''",
    "the",
    "cat",
    "'s",
    "s",
    ".",
    ",",
    "(",
    ")",
    "$",
    "“",
    "”",
    "?",
    "東京",
    "都",
    "don",
    "'t",
    "%",
    "é",
]


def of_kind(kind: str) -> Callable[[Path], Tokenizer]:
    def made(folder: Path) -> Tokenizer:
        return read(write(folder, {"tokenizer.json": KINDS[kind]().to_str()}), None)

    return made


TOKENIZERS: dict[str, Callable[[Path], Tokenizer]] = {
    **{kind: of_kind(kind) for kind in KINDS},
    "wordpiece": small,
    "words of Moses": lambda folder: read(write(folder, {"vocab.txt": WORDS}), MOSES),
}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_pieces_are_the_text(kind: str, tmp_path: Path) -> None:
    tokenizer = TOKENIZERS[kind](tmp_path)
    draw = random.Random(1)
    most = 0
    for _ in range(150):
        ids = draw.choices(range(min(len(tokenizer), len(VOCABULARY))), k=draw.randint(1, 30))
        pieces: list[str] = []
        streamer = TextStreamer(tokenizer, write=pieces.append, skip_special_tokens=True)
        streamer.put(torch.tensor([ids[:2]]))
        for token in ids[2:]:
            streamer.put(torch.tensor([token]))
        streamer.end()
        assert "".join(pieces) == tokenizer.decode(ids, skip_special_tokens=True)
        most = max(most, len(pieces))
    assert most > 5  # it does come in pieces


def test_a_number_comes_whole(tmp_path: Path) -> None:
    tokenizer = TOKENIZERS["words of Moses"](tmp_path)
    ids = tokenizer.convert_tokens_to_ids(["the", "cat", "1", "@,@", "000", "@.@", "5"])
    pieces: list[str] = []
    streamer = TextStreamer(tokenizer, write=pieces.append)
    for token in ids:
        streamer.put(torch.tensor([token]))
    streamer.end()
    assert "".join(pieces) == "the cat 1,000.5"
