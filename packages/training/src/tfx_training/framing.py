"""What a tokenizer puts around a text or a pair, for rows of ids that are already arrays."""

from typing import NamedTuple

import numpy as np

from tfx_core import Tokenizer
from tfx_core.errors import InputError
from tfx_training.corpus.tokens import Ids, Tokens


class Framed(NamedTuple):
    """A row with its special tokens."""

    tokens: Tokens
    """``(n,)``; a special token is a word."""

    types: Ids
    """``(n,)``, the token type of each."""


class Framing:
    """Puts the special tokens of a tokenizer around one text, or around a pair with ``pair``."""

    def __init__(self, tokenizer: Tokenizer, *, pair: bool = False) -> None:
        probe = ([0], [0] if pair else None)
        self._special = tokenizer.get_special_tokens_mask(*probe)
        self._ids = tokenizer.build_inputs_with_special_tokens(*probe)
        self._types = tokenizer.create_token_type_ids_from_sequences(*probe)

    def __call__(self, *texts: Tokens) -> Framed:
        """The row; its texts stand in it as they are given."""
        rest = iter(texts)
        marks = zip(self._special, self._ids, strict=True)
        pieces = [Tokens.of([number]) if special else next(rest) for special, number in marks]
        ids, word_starts = (np.concatenate(columns) for columns in zip(*pieces, strict=True))
        return Framed(Tokens(ids, word_starts), np.repeat(self._types, [len(piece.ids) for piece in pieces]))

    def room(self, length: int, least: int) -> int:
        """How many tokens of texts a row of ``length`` has room for; raises `InputError` for less than ``least``."""
        special = sum(self._special)
        if length - special < least:
            raise InputError(f"length={length}: must be at least {special + least}, for {special} tokens are special")
        return length - special


class Frame(NamedTuple):
    """What stands around a text: special tokens, and a prefix."""

    before: Ids
    behind: Ids

    @staticmethod
    def of(tokenizer: Tokenizer) -> "Frame":
        """Those of a tokenizer."""
        row = tokenizer.build_inputs_with_special_tokens([-1])
        place = row.index(-1)
        return Frame(np.asarray(row[:place], dtype=np.int64), np.asarray(row[place + 1 :], dtype=np.int64))

    def room(self, length: int, option: str) -> int:
        """How many tokens of a text a row of ``length`` has room for; raises `InputError` for none."""
        room = length - len(self.before) - len(self.behind)
        if room < 1:
            raise InputError(
                f"{option}={length}: the prefix and special tokens around a text leave no room for it; it must be at "
                f"least {length - room + 1}"
            )
        return room

    def around(self, ids: Ids, length: int, option: str) -> Ids:
        """The ids between them, cut at the end to ``length`` in all; raises `InputError` where none is left."""
        return np.concatenate([self.before, ids[: self.room(length, option)], self.behind])
