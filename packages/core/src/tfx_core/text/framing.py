"""What a tokenizer puts around ids: the special tokens and token types of a row, as of a text."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from tfx_core.errors import TextError
from tfx_core.text.known_tokens import KnownTokens
from tfx_core.text.vocabulary import Vocabulary

_PROBE = "a"
"""A text of at least one token; what stands around does not depend on it."""


class Framed(NamedTuple):
    """One token of a row."""

    number: int
    token_type: int
    special: int


class Framing(KnownTokens):
    """Rows of ids that were made without special tokens, with those of one text or of a pair."""

    @property
    def framed(self) -> Vocabulary:
        """The tokens, with what stands around a text."""
        return self.vocabulary

    def build_inputs_with_special_tokens(
        self, token_ids_0: Sequence[int], token_ids_1: Sequence[int] | None = None
    ) -> list[int]:
        """The ids of a text, or of a text and its pair, with the special tokens around them."""
        return [token.number for token in self._framed(token_ids_0, token_ids_1)]

    def create_token_type_ids_from_sequences(
        self, token_ids_0: Sequence[int], token_ids_1: Sequence[int] | None = None
    ) -> list[int]:
        """The token types of that row."""
        return [token.token_type for token in self._framed(token_ids_0, token_ids_1)]

    def get_special_tokens_mask(
        self,
        token_ids_0: Sequence[int],
        token_ids_1: Sequence[int] | None = None,
        already_has_special_tokens: bool = False,
    ) -> list[int]:
        """1 for each special token of that row; with ``already_has_special_tokens`` of the ids as they are."""
        if not already_has_special_tokens:
            return [token.special for token in self._framed(token_ids_0, token_ids_1)]
        special = set(self.all_special_ids)
        return [int(number in special) for number in (*token_ids_0, *(token_ids_1 or ()))]

    def _framed(self, first: Sequence[int], second: Sequence[int] | None) -> list[Framed]:
        pair = None if second is None else _PROBE
        encoding = self.framed.backend.encode(_PROBE, pair)
        if 0 not in encoding.sequence_ids:
            raise TextError("this tokenizer makes no token of 'a', so that it does not show what stands around ids")
        row: list[Framed] = []
        for sequence, places in groupby(range(len(encoding)), lambda place: encoding.sequence_ids[place]):
            if sequence is None:
                row += [Framed(encoding.ids[place], encoding.type_ids[place], 1) for place in places]
            else:
                kind = encoding.type_ids[next(places)]
                row += [Framed(number, kind, 0) for number in ((first, second)[sequence] or ())]
        return row
