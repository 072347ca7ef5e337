"""Ids and tokens back to text."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from tokenizers import Tokenizer as Backend

from tfx_core.errors import InputError, TextError, shown
from tfx_core.habits import hint
from tfx_core.text.guard import guarded

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

Row: TypeAlias = "Sequence[int] | NDArray[np.integer[Any]] | torch.Tensor"
"""Token ids of one text, as lists, arrays or tensors."""

_ENGLISH_SPACING = (
    *((f" {mark}", mark) for mark in ".?!,"),
    (" ' ", "'"),
    *((f" {ending}", ending) for ending in ("n't", "'m", "'s", "'ve", "'re")),
)
"""What the reference's ``clean_up_tokenization_spaces`` replaces, in its order."""


_UNSETTLED = 8

_SIGNS = "\U000f0000\U000f5a5a\U000fa5a5\U000ffffd"
"""Characters for private use, which no byte is written as and which no decoder looks for."""


def clean_up(text: str) -> str:
    """The text without the blanks that English does not write before punctuation and in contractions."""
    for spaced, joined in _ENGLISH_SPACING:
        text = text.replace(spaced, joined)
    return text


class Decoder:
    """Turns the ids and tokens of one vocabulary back into text.

    An added token comes back as it is written, also where the library would take it for bytes, for the end of a word or
    for a piece with a blank. One that the model has too is a piece like others: its id also comes of texts in which it
    was not added.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._known: set[int] = set()  # ids that were looked up, which takes longer than to decode them
        self._changed: dict[str, int] | None = None

    def rows(self, rows: Sequence[Sequence[int]], skip_special_tokens: bool, clean: bool) -> list[str]:
        """The text of each row of ids, cleaned up if so wished.

        Raises `TextError` that names row and position of an id that no token has.
        """
        self._check(rows)
        with guarded("these ids make no text"):
            texts = list(self._backend.decode_batch(rows, skip_special_tokens=skip_special_tokens))
            if clean:
                texts = [clean_up(text) for text in texts]
            changed = set(self.changed.values())
            for i, row in enumerate(rows if changed else ()):
                if not changed.isdisjoint(row):
                    texts[i] = self._with_own_texts(self._tokens(row, skip_special_tokens), clean, texts[i])
        return texts

    def tokens(self, tokens: Sequence[str]) -> str:
        """The text of tokens."""
        with guarded("these tokens make no text"):
            text = self._joined(tokens)
            return text if self.changed.keys().isdisjoint(tokens) else self._with_own_texts(tokens, False, text)

    @property
    def changed(self) -> dict[str, int]:
        """Token -> id of the added tokens that the library, or cleaning up, would turn into something else."""
        if self._changed is None:
            added = {token.content: number for number, token in self._backend.get_added_tokens_decoder().items()}
            self._changed = {
                token: number
                for token, number in added.items()
                if self._backend.model.id_to_token(number) is None
                and not all(token in clean_up(self._joined(tokens)) for tokens in ([token], ["a", token, "a"]))
            }
        return self._changed

    def _check(self, rows: Sequence[Sequence[int]]) -> None:
        numbers = list(chain.from_iterable(rows))
        if {*map(type, numbers)} <= {int} and self._known.issuperset(numbers):
            return
        for i, row in enumerate(rows):
            for j, number in enumerate(row):
                if not _has_token(number, self._backend):
                    raise TextError(f"row {i}, position {j}: {_what_is_wrong(number, self._backend)}")
        self._known.update(numbers)

    def _with_own_texts(self, tokens: Sequence[str], clean: bool, otherwise: str) -> str:
        """The text of tokens, with a sign decoded in place of those that would be changed, and then exchanged."""
        own = [token for token in tokens if token in self.changed]
        for sign in _SIGNS:
            text = self._joined([sign if token in self.changed else token for token in tokens])
            first, *rest = (clean_up(text) if clean else text).split(sign)
            if len(rest) == len(own):  # the sign stands for nothing else
                return first + "".join(chain.from_iterable(zip(own, rest, strict=True)))
        return otherwise

    def _joined(self, tokens: Sequence[str]) -> str:
        decoder = self._backend.decoder
        return " ".join(tokens) if decoder is None else str(decoder.decode(list(tokens)))

    def _tokens(self, row: Sequence[int], skip_special_tokens: bool) -> list[str]:
        tokens = [self._backend.id_to_token(number) for number in row]
        if not skip_special_tokens:
            return tokens
        special = {token.content for token in self._backend.get_added_tokens_decoder().values() if token.special}
        return [token for token in tokens if token not in special]


def _has_token(number: object, backend: Backend) -> bool:
    return _is_id(number) and backend.id_to_token(number) is not None


def _is_id(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**32


def _what_is_wrong(number: object, backend: Backend) -> str:
    if _is_id(number):
        size = backend.get_vocab_size(with_added_tokens=True)
        return f"no token has the id {number}, the vocabulary has {size}; {hint('tokenizer', 'tok.decode([10**6])')}"
    return f"{shown(number)} is not a token id{'; replace it by pad_token_id' if number == -100 else ''}"


def unsettled_tokens(backend: Backend) -> int:
    """How many tokens at the end of a text may look different once others follow, beyond an unfinished character.

    None, unless a decoder goes over the joined text with regular expressions, as that of Moses' words does ("1 @,@" is
    "1," before "000"), or is written in Python: then as many as the longest of our own look at, twice.
    """
    try:
        state = b"" if backend.decoder is None else backend.decoder.__getstate__()
    except Exception:  # the library has no narrower one for a part in Python
        return _UNSETTLED
    return _UNSETTLED if b'"Regex"' in state else 0


def ids_of(value: object) -> list[int]:
    """The ids of one text as a list; raises `InputError` for those of several."""
    value = _plain(value)
    if isinstance(value, int):
        return [value]
    if not isinstance(value, list | tuple):
        raise InputError(f"token ids of type {type(value).__name__}; give a list, array or tensor of whole numbers")
    numbers = [_plain(number) for number in value]
    if any(isinstance(number, list | tuple) for number in numbers):
        raise InputError(str(hint("tokenizer", "tok.decode(rows)")))
    return numbers


def rows_of(values: object) -> list[list[int]]:
    """The ids of several texts as lists."""
    values = _plain(values)
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(f"batch_decode takes a sequence of ids for each text, not {type(values).__name__}")
    return [ids_of(row) for row in values]


def _plain(value: Any) -> Any:
    """Python numbers and lists in place of numpy's and torch's."""
    return value.tolist() if hasattr(value, "tolist") else value
