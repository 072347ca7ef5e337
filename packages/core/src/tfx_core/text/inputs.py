"""The texts of a call: one or many, with or without a pair, as strings or as words; checked before they are read."""

from collections.abc import Sequence
from dataclasses import dataclass

from tfx_core.errors import InputError, TextError

Text = str | Sequence[str]
"""One text: a string, or its words where a call says ``is_split_into_words``."""

Texts = Text | Sequence[Text] | Sequence[tuple[str, str]]
"""One text or a batch of them; a batch can also be of (text, pair)."""


@dataclass(frozen=True)
class CheckedTexts:
    """Checked texts in the form that the `tokenizers` library takes."""

    items: Sequence[object]
    """A text or a pair of texts each; a text is a string or a list of words."""

    batched: bool
    paired: bool


def check_texts(text: object, pair: object, words: bool, name: str = "text") -> CheckedTexts:
    """Check the texts of a call.

    Raises `TextError` that names position and type for what is not text, `InputError` for a batch and pairs of
    different length.
    """
    batched = isinstance(text, list | tuple) and (not words or (len(text) > 0 and isinstance(text[0], list | tuple)))
    if not batched:
        first = _one(text, words, name)
        if pair is None:
            return CheckedTexts([first], batched=False, paired=False)
        return CheckedTexts([(first, _one(pair, words, f"{name}_pair"))], batched=False, paired=True)
    assert isinstance(text, list | tuple)
    if pair is None and not words and text and isinstance(text[0], list | tuple):
        return CheckedTexts([_couple(item, f"{name}[{i}]") for i, item in enumerate(text)], batched=True, paired=True)
    texts = _many(text, words, name)
    if pair is None:
        return CheckedTexts(texts, batched=True, paired=False)
    if not isinstance(pair, list | tuple):
        raise InputError(
            f"{name} is a batch of {len(text)}, so {name}_pair must be a list of {len(text)} texts as well"
        )
    if len(pair) != len(text):
        raise InputError(f"{name} has {len(text)} texts, but {name}_pair has {len(pair)}")
    return CheckedTexts(list(zip(texts, _many(pair, words, f"{name}_pair"), strict=True)), batched=True, paired=True)


def lone_surrogate(inputs: CheckedTexts, name: str = "text") -> TextError | None:
    """The error that names where a text holds half of a surrogate pair, which is no character; None when none does."""
    for row, item in enumerate(inputs.items):
        for side, text in enumerate(item if inputs.paired and isinstance(item, tuple) else (item,)):
            for string in [text] if isinstance(text, str) else text:
                bad = next((i for i, character in enumerate(string) if "\ud800" <= character <= "\udfff"), None)
                if bad is not None:
                    where = (name if side == 0 else f"{name}_pair") + (f"[{row}]" if inputs.batched else "")
                    return TextError(
                        f"{where} holds the lone surrogate {string[bad]!r} at character {bad}, which no encoding can "
                        "express; decode the text with errors='replace'"
                    )
    return None


def _one(text: object, words: bool, where: str) -> object:
    if words:
        if not isinstance(text, list | tuple):
            raise TextError(f"{where} is {_kind(text)}; with is_split_into_words=True it must be a list of words")
        return _many(text, False, where)
    if not isinstance(text, str):
        raise TextError(f"{where} is {_kind(text)}; it must be a string, or a list of strings for a batch")
    return text


def _many(texts: Sequence[object], words: bool, where: str) -> Sequence[object]:
    if not words and all(isinstance(text, str) for text in texts):
        return list(texts)
    wanted = "a list of words" if words else "a string"
    for i, text in enumerate(texts):
        if not isinstance(text, list | tuple) if words else not isinstance(text, str):
            raise TextError(f"{where}[{i}] is {_kind(text)}; it must be {wanted}")
    return [_many(text, False, f"{where}[{i}]") for i, text in enumerate(texts) if isinstance(text, list | tuple)]


def _couple(item: object, where: str) -> tuple[object, object]:
    if not isinstance(item, list | tuple) or len(item) != 2 or not all(isinstance(text, str) for text in item):
        raise TextError(
            f"{where} is {_kind(item)}; in a batch of pairs it must be (text, pair), "
            "and a batch of words needs is_split_into_words=True"
        )
    return item[0], item[1]


def _kind(value: object) -> str:
    if value is None:
        return "None"
    kind = type(value).__name__
    hint = "; decode them first" if isinstance(value, bytes | bytearray) else ""
    if isinstance(value, list | tuple):
        kind = f"{kind} of {len(value)}"
    return f"of type {kind}{hint}"
