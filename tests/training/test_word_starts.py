"""Where words begin among pieces of sentencepiece: at each punctuation mark, too."""

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers, processors

import tfx_core
from tests.core.text.folders import small
from tfx_training import TokenCorpus
from tfx_training.objective import generator_of
from tfx_training.objectives.permutation import PermutedTokens
from tfx_training.objectives.sentence_order import SentenceOrder
from tfx_training.word_starts import WordStarts, begins_word_of_albert, begins_word_of_xlnet

SPECIAL = ("<unk>", "<pad>", "<cls>", "<sep>", "<mask>")
PIECES = ("▁hi", "▁you", "s", ",", "!", "'", "9", "é")


def pieces(folder: Path) -> tfx_core.Tokenizer:
    """A tokenizer of sentencepiece's kind."""
    backend = Backend(models.Unigram([(piece, -1.0) for piece in (*SPECIAL, *PIECES)], 0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    marks = [(token, SPECIAL.index(token)) for token in ("<cls>", "<sep>")]
    backend.post_processor = processors.TemplateProcessing(
        single="<cls> $A <sep>", pair="<cls> $A <sep> $B:1 <sep>:1", special_tokens=marks
    )
    backend.add_special_tokens([*SPECIAL])
    folder.mkdir(parents=True)
    backend.save(str(folder / "tokenizer.json"))
    tokenizer = tfx_core.load_tokenizer(folder)
    tokenizer.add_special_tokens({f"{token[1:-1]}_token": token for token in SPECIAL})
    return tokenizer


@pytest.mark.parametrize(
    ("piece", "xlnet", "albert"),
    [
        ("▁hi", True, True),
        ("▁", True, True),
        ("<sep>", True, True),
        ("s", False, False),
        ("S", False, False),
        (",", True, True),
        ("~", True, True),
        (".s", False, False),
        ("'", False, True),
        ("'s", False, True),
        ("=", False, True),
        ("9", False, True),
        ("é", False, True),
        ("£", False, True),
    ],
)
def test_pieces_that_begin_words_are_those_of_the_original_code(piece: str, xlnet: bool, albert: bool) -> None:
    assert (begins_word_of_xlnet(piece), begins_word_of_albert(piece)) == (xlnet, albert)


def test_albert_and_xlnet_count_punctuation_as_words(tmp_path: Path) -> None:
    tokenizer = pieces(tmp_path / "pieces")
    corpus = TokenCorpus.of(tokenizer, ["his, you'9!"])
    assert tokenizer.convert_ids_to_tokens(corpus.ids.tolist()) == ["▁hi", "s", ",", "▁you", "'", "9", "!"]
    assert corpus.word_starts.tolist() == [True, False, False, True, False, False, False]
    row = corpus.between(0, len(corpus.ids))
    words = SentenceOrder(tokenizer, length=16).masking.words
    assert words(row).tolist() == [True, False, True, True, True, True, True]

    text = TokenCorpus.of(tokenizer, ["his, you'9! " * 40])
    objective = PermutedTokens(tokenizer, length=24, reuse=12, permutation=12, predict=2)
    rows = objective.rows(text, generator_of(0))
    # a span of one token begins a word
    labels = np.concatenate([objective.example(rows[0], generator_of(0, number))["labels"] for number in range(200)])
    assert {*tokenizer.convert_ids_to_tokens(labels.tolist())} == {"▁hi", "▁you", ",", "!"}


def test_pieces_of_other_kinds_begin_words_as_the_corpus_says(tmp_path: Path) -> None:
    tokenizer = small(tmp_path)
    row = TokenCorpus.of(tokenizer, ["hello, world"]).between(0, 3)
    assert WordStarts(tokenizer, begins_word_of_albert)(row).tolist() == row.word_starts.tolist()
