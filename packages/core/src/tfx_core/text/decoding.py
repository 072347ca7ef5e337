"""Ids and tokens back to text."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from tokenizers import Tokenizer as Backend

from tfx_core.errors import InputError, TextError, shown
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


def decode_rows(
    backend: Backend,
    own_texts: Mapping[str, int],
    rows: Sequence[Sequence[int]],
    skip_special_tokens: bool,
    clean: bool,
) -> list[str]:
    """The text of each row of ids, cleaned up if so wished; ``own_texts`` are those of `changed_tokens`.

    Raises `TextError` that names row and position of an id that no token has.
    """
    try:
        known = all(_has_token(number, backend) for number in set(chain.from_iterable(rows)))
    except TypeError:  # of something that is not even hashable
        known = False
    if not known:
        for i, row in enumerate(rows):
            for j, number in enumerate(row):
                if not _has_token(number, backend):
                    raise TextError(f"row {i}, position {j}: {_what_is_wrong(number, backend)}")
    with guarded("these ids make no text"):
        texts = list(backend.decode_batch(rows, skip_special_tokens=skip_special_tokens))
        if clean:
            texts = [clean_up(text) for text in texts]
        changed = set(own_texts.values())
        for i, row in enumerate(rows):
            if not changed.isdisjoint(row):
                tokens = _tokens(backend, row, skip_special_tokens)
                texts[i] = _with_own_texts(backend, own_texts, tokens, clean, texts[i])
    return texts


def decode_tokens(backend: Backend, own_texts: Mapping[str, int], tokens: Sequence[str]) -> str:
    """The text of tokens; ``own_texts`` are those of `changed_tokens`."""
    with guarded("these tokens make no text"):
        text = _joined(backend, tokens)
        if own_texts.keys().isdisjoint(tokens):
            return text
        return _with_own_texts(backend, own_texts, tokens, False, text)


def changed_tokens(backend: Backend) -> dict[str, int]:
    """Token -> id of the added tokens that decoding turns into something else, as bytes, ends of words or pieces.

    One that the model has too is a piece like others: its id also comes of texts in which it was not added.
    """
    added = {token.content: number for number, token in backend.get_added_tokens_decoder().items()}
    with guarded("the added tokens cannot be decoded"):
        return {
            token: number
            for token, number in added.items()
            if backend.model.id_to_token(number) is None
            and not all(token in clean_up(_joined(backend, tokens)) for tokens in ([token], ["a", token, "a"]))
        }


def _with_own_texts(
    backend: Backend, own_texts: Mapping[str, int], tokens: Sequence[str], clean: bool, otherwise: str
) -> str:
    """The text of tokens, with a sign decoded in place of those that decoding would change, and then exchanged."""
    own = [token for token in tokens if token in own_texts]
    for sign in _SIGNS:
        text = _joined(backend, [sign if token in own_texts else token for token in tokens])
        first, *rest = (clean_up(text) if clean else text).split(sign)
        if len(rest) == len(own):  # the sign stands for nothing else
            return first + "".join(chain.from_iterable(zip(own, rest, strict=True)))
    return otherwise


def _joined(backend: Backend, tokens: Sequence[str]) -> str:
    return " ".join(tokens) if backend.decoder is None else str(backend.decoder.decode(list(tokens)))


def _tokens(backend: Backend, row: Sequence[int], skip_special_tokens: bool) -> list[str]:
    tokens = [backend.id_to_token(number) for number in row]
    if not skip_special_tokens:
        return tokens
    special = {token.content for token in backend.get_added_tokens_decoder().values() if token.special}
    return [token for token in tokens if token not in special]


def _has_token(number: object, backend: Backend) -> bool:
    return _is_id(number) and backend.id_to_token(number) is not None


def _is_id(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**32


def _what_is_wrong(number: object, backend: Backend) -> str:
    if _is_id(number):
        size = backend.get_vocab_size(with_added_tokens=True)
        cure = "use the tokenizer that belongs to the model, or keep to these ids where the model has more"
        return f"no token has the id {number}, the vocabulary has {size}; {cure}"
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
        raise InputError("the ids of several texts; use batch_decode for them")
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
