"""Where words begin, for objectives that hide whole words."""

import numpy as np
from tokenizers import decoders

from tfx_core import Tokenizer
from tfx_training.corpus.tokens import Flags, Tokens


class WordStarts:
    """Says of a row which of its tokens begin a word.

    By default they are those that begin what the tokenizer takes for a word. A byte-level tokenizer takes each
    punctuation mark for one, and each part of a contraction; there a word begins at a blank alone, and at a special
    token, as it did for the released models: ``don't.`` is one. What a row has before its first start is a word, too.
    Source: fairseq, ``get_whole_word_mask`` in ``fairseq/data/encoders/utils.py``, ``gpt2_bpe.py`` beside it.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._begins = _behind_blanks(tokenizer) if _is_byte_level(tokenizer) else None

    def __call__(self, row: Tokens) -> Flags:
        """``(n,)``"""
        return row.word_starts if self._begins is None else self._begins[row.ids]


def _is_byte_level(tokenizer: Tokenizer) -> bool:
    return isinstance(tokenizer.vocabulary.backend.decoder, decoders.ByteLevel)


def _behind_blanks(tokenizer: Tokenizer) -> Flags:
    """``(V,)``, of each token whether it begins with a blank, or is special."""
    vocabulary = tokenizer.get_vocab()
    begins = np.zeros(max(vocabulary.values()) + 1, dtype=np.bool_)
    begins[[number for piece, number in vocabulary.items() if piece.startswith("Ġ")]] = True
    begins[tokenizer.all_special_ids] = True
    return begins
