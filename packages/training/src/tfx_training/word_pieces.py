"""Which pieces of a sentencepiece vocabulary begin a word wherever they stand, where an objective counts words so.

A corpus knows as words what blanks separate, so that punctuation is of the word before it.
"""

import string
from collections.abc import Callable

import numpy as np

from tfx_core import Tokenizer
from tfx_training.corpus.tokens import Flags
from tfx_training.token_tables import rows_of_table

_SPACE = "▁"
_PUNCTUATION = frozenset(string.punctuation) - frozenset("'<=>")
_ENGLISH = _PUNCTUATION | frozenset(string.ascii_lowercase)


def begins_of_pieces(tokenizer: Tokenizer, begins: Callable[[str], bool]) -> Flags:
    """``(V,)``, for each id whether its piece ``begins`` a word; of no id where pieces do not tell blanks by ``▁``."""
    pieces = tokenizer.get_vocab()
    table = np.zeros(rows_of_table(tokenizer), dtype=np.bool_)
    if any(piece.startswith(_SPACE) and piece != _SPACE for piece in pieces):  # others may have the character
        table[[number for piece, number in pieces.items() if begins(piece)]] = True
    return table


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
