"""From texts to rows of model input, within the length that the model takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Literal

from tfx_core.errors import InputError

if TYPE_CHECKING:
    from tfx_core.model.model import Model
    from tfx_core.text import Batch, Tokenizer


class ItemError(InputError):
    """An input that a task cannot process; ``index`` counts from 0, ``reason`` says what is wrong and the cure."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"inputs[{index}]: {reason}")
        self.index = index
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TextWindow:
    """One row of model input: a text, or the part of a long text that one forward pass sees."""

    features: Mapping[str, Sequence[int]]
    """What the model is given, ``input_ids`` first of all, each as long as the window."""

    offsets: Sequence[tuple[int, int]] = ()
    """First and past-the-last character of each token in its text (its word, where the text came as words).

    White space is no part of a token, and every other character is part of one: see `word_characters`.
    """

    special: Sequence[int] = ()
    """1 for each token that the tokenizer added."""

    words: Sequence[int | None] = ()
    """Number of the word that each token is part of; None for a token that was added."""

    sequences: Sequence[int | None] = ()
    """0 for tokens of the text, 1 for those of its pair, None for those that were added."""

    def __len__(self) -> int:
        return len(self.features["input_ids"])

    def behind(self, prefix: int) -> "TextWindow":
        """The same of what follows the first characters of the text: their tokens count as added ones."""
        special = [
            int(bool(each) or end <= prefix > 0) for each, (_, end) in zip(self.special, self.offsets, strict=True)
        ]
        within = replace(self, special=special, offsets=[(max(start, prefix), end) for start, end in self.offsets])
        return within.moved(-prefix)

    def moved(self, characters: int) -> "TextWindow":
        """The same as a part of a text in which it begins so many characters later."""
        return replace(self, offsets=[(start + characters, end + characters) for start, end in self.offsets])


def check_text(value: object, name: str = "a text") -> str:
    """``value`` if it is a string of valid Unicode; `InputError` otherwise."""
    if not isinstance(value, str):
        raise InputError(f"{name} must be a string, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{name} is not valid Unicode: character {error.start} is {value[error.start]!a}, half of a surrogate pair "
            "or a byte that was not UTF-8"
        ) from None
    return value


def length_limit(
    model: "Model", tokenizer: "Tokenizer", max_length: int | None = None, option: str = "max_length"
) -> int | None:
    """Tokens to which a text is cut: ``max_length``, else what tokenizer and model take; None when nothing limits it.

    Raises `InputError` for a ``max_length`` that the model cannot take; ``option`` is what it calls it.
    """
    from tfx_core.text.lengths import is_unlimited  # not before there is a tokenizer

    positions = model.max_positions
    if max_length is not None:
        if positions is not None and max_length > positions:
            raise InputError(f"{option}={max_length}: the model takes at most {positions} tokens")
        return max_length
    limits = [limit for limit in (positions, tokenizer.model_max_length) if limit is not None]
    return min((limit for limit in limits if not is_unlimited(limit)), default=None)


def tokenize(
    model: "Model",
    tokenizer: "Tokenizer",
    texts: Sequence[str | list[str]],
    text_pairs: Sequence[str] | None = None,
    *,
    truncation: bool | Literal["only_first"] = False,
    max_length: int | None = None,
    details: bool = False,
) -> list[TextWindow]:
    """One window for each text, or for each text and its pair; a text may be a list of words.

    A text with more tokens than the model takes is cut to fit when ``truncation`` or a ``max_length`` asks for it (with
    ``"only_first"`` its pair stays whole), and is an `ItemError` that names the limit otherwise. So is a text of which
    the tokenizer makes no tokens. ``details`` fills the fields of `TextWindow` beside ``features``.
    """
    limit = length_limit(model, tokenizer, max_length)
    cut = limit is not None and (truncation or max_length is not None)
    batch = tokenizer(
        list(texts),
        None if text_pairs is None else list(text_pairs),
        truncation=cut,
        max_length=limit if cut else None,
        return_offsets_mapping=details,
        return_special_tokens_mask=details,
        is_split_into_words=_as_words(texts),
    )
    windows = [window_of(model, batch, row, details, _sources(texts, text_pairs, row)) for row in range(len(texts))]
    for index, window in enumerate(windows):
        check_length(model, index, window)
    return windows


def in_groups(sizes: Sequence[int], make: Callable[[], Sequence[TextWindow]]) -> list[list[TextWindow]]:
    """The windows that ``make`` has for the rows of all items, as many for each as ``sizes`` say.

    An `ItemError` of a row becomes that of its item.
    """
    try:
        windows = iter(make())
    except ItemError as error:
        items = [item for item, size in enumerate(sizes) for _ in range(size)]
        raise ItemError(items[error.index], error.reason) from None
    return [list(islice(windows, size)) for size in sizes]


def check_length(model: "Model", index: int, window: TextWindow) -> None:
    """Raise `ItemError` for a window that the model cannot take, as the window of the item ``index``."""
    if not len(window):
        raise ItemError(index, "the tokenizer makes no tokens of this text")
    if model.max_positions is not None and len(window) > model.max_positions:
        raise ItemError(
            index,
            f"{len(window)} tokens, but the model takes at most {model.max_positions}; "
            "truncation=True (--truncation) cuts the text to fit",
        )


def window_of(
    model: "Model", batch: "Batch", row: int, details: bool, sources: Sequence[str | list[str]] = ()
) -> TextWindow:
    """One row of an unpadded batch; ``details`` needs its offsets, special-tokens mask and ``sources``, its texts."""
    features = {name: values[row] for name, values in batch.items() if name in model.input_names}
    if not details:
        return TextWindow(features)
    words, sequences = batch.word_ids(row), batch.sequence_ids(row)
    offsets: list[tuple[int, int]] = []
    before: tuple[int | None, object, int] = (None, None, 0)
    for (start, end), word, sequence in zip(batch["offset_mapping"][row], words, sequences, strict=True):
        if sequence is None:
            offsets.append((start, end))
            continue
        source = sources[sequence]
        text, place = (source, None) if isinstance(source, str) else (source[word or 0], word)
        first = before[2] if before[:2] == (sequence, place) else start
        offsets.append(word_characters(text, start, end, first))
        before = (sequence, place, end)
    return TextWindow(features, offsets, batch["special_tokens_mask"][row], words, sequences)


def word_characters(text: str, start: int, end: int, first: int | None = None) -> tuple[int, int]:
    """A stretch of a text without the white space at its ends.

    Tokenizers count the blank before a word, or the one that they set there themselves in place of its first character:
    what lies between ``first``, where the token before ended, and ``start`` is in no token, and belongs to this one.
    """
    while first is not None and start > first and not text[start - 1].isspace():
        start -= 1
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def tokenize_in_windows(
    model: "Model",
    tokenizer: "Tokenizer",
    texts: Sequence[str | list[str]],
    text_pairs: Sequence[str] | None = None,
    *,
    stride: int,
    max_length: int | None = None,
    truncation: Literal["longest_first", "only_first", "only_second"] = "longest_first",
) -> list[list[TextWindow]]:
    """As many windows for each text, or text and pair, as it takes for each window to fit.

    Neighbouring windows share ``stride`` tokens. ``truncation`` says which part of a pair is spread over windows.
    """
    limit = length_limit(model, tokenizer, max_length)
    batch = tokenizer(
        list(texts),
        None if text_pairs is None else list(text_pairs),
        truncation=truncation if limit is not None else False,
        max_length=limit,
        stride=stride if limit is not None else 0,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
        is_split_into_words=_as_words(texts),
    )
    windows: list[list[TextWindow]] = [[] for _ in texts]
    for row, index in enumerate(batch["overflow_to_sample_mapping"]):
        windows[index].append(window_of(model, batch, row, True, _sources(texts, text_pairs, index)))
        check_length(model, index, windows[index][-1])
    return windows


def _sources(
    texts: Sequence[str | list[str]], text_pairs: Sequence[str] | None, index: int
) -> tuple[str | list[str], ...]:
    return (texts[index],) if text_pairs is None else (texts[index], text_pairs[index])


def _as_words(texts: Sequence[str | list[str]]) -> bool:
    return len(texts) > 0 and not isinstance(texts[0], str)
