"""Where words begin, for objectives that hide whole words, as their original code counts words."""

import string
from collections.abc import Callable, Iterable

import numpy as np
from tokenizers import decoders

from tfx_core import Tokenizer
from tfx_training.corpus.tokens import Flags, Tokens
from tfx_training.token_tables import rows_of_table

_SPACE = "▁"
_PUNCTUATION = frozenset(string.punctuation) - frozenset("'<=>")
_ENGLISH = _PUNCTUATION | frozenset(string.ascii_lowercase)


class WordStarts:
    """Says of a row which of its tokens begin a word.

    They are those that begin what the tokenizer takes for a word; where its pieces are sentencepiece's, so that what
    blanks separate is one, also those whose pieces ``begins`` is true of. A byte-level tokenizer takes each punctuation
    mark for a word, and each part of a contraction; there a word begins at a blank alone, and at a special token, as it
    did for the released models: ``don't.`` is one. What a row has before its first start is a word, too.
    Source: fairseq, ``get_whole_word_mask`` in ``fairseq/data/encoders/utils.py``, ``gpt2_bpe.py`` beside it.
    """

    def __init__(self, tokenizer: Tokenizer, begins: Callable[[str], bool] | None = None) -> None:
        pieces = tokenizer.get_vocab()
        self._replaces = isinstance(tokenizer.vocabulary.backend.decoder, decoders.ByteLevel)
        self._table: Flags = np.zeros(rows_of_table(tokenizer), dtype=np.bool_)
        if self._replaces:
            self._table[[number for piece, number in pieces.items() if piece.startswith("Ġ")]] = True
            self._table[tokenizer.all_special_ids] = True
        elif begins is not None and _tell_blanks(pieces):
            self._table[[number for piece, number in pieces.items() if begins(piece)]] = True

    def __call__(self, row: Tokens) -> Flags:
        """``(n,)``"""
        further = self._table[row.ids]
        return further if self._replaces else row.word_starts | further


def _tell_blanks(pieces: Iterable[str]) -> bool:
    """Whether blanks are ``▁`` at the front of pieces; others may have the character alone."""
    return any(piece.startswith(_SPACE) and piece != _SPACE for piece in pieces)


def begins_word_of_xlnet(piece: str) -> bool:
    """Whether a piece has a blank before it, or is a punctuation mark or the name of a special token.

    ``'``, ``=`` and ``>`` are no such marks. Source: zihangdai/xlnet, ``data_utils.py``, ``_is_start_piece``.
    """
    return piece.startswith((_SPACE, "<")) or piece in _PUNCTUATION


def begins_word_of_albert(piece: str) -> bool:
    """The same, or whether it has a character that is neither an English letter nor such a mark: a digit, an accent.

    Source: google-research/albert, ``create_pretraining_data.py``, ``_is_start_piece_sp``.
    """
    return begins_word_of_xlnet(piece) or not _ENGLISH.issuperset(piece.lower())
