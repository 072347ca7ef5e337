"""What a tokenizer returns: the model's inputs, and which characters and words the tokens came from."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tokenizers import Encoding

from tfx_core.errors import InputError, TextError
from tfx_core.text.columns import TensorKind
from tfx_core.text.lengths import Padding

if TYPE_CHECKING:
    import torch


class CharSpan(NamedTuple):
    """First and past-the-last character of a token or word in its text."""

    start: int
    end: int


class TokenSpan(NamedTuple):
    """First and past-the-last token of a word in its row."""

    start: int
    end: int


class Batch(dict[str, Any]):
    """Model inputs by name, also as attributes: ``batch.input_ids`` is ``batch["input_ids"]``.

    Values are lists, numpy arrays or torch tensors of shape (rows, length), or lists of one row where a single text was
    given and no tensors were asked for. The methods that map tokens, words and characters count positions in the rows
    as they are, padding included; given only one index, they mean the first row. Words are those of
    ``is_split_into_words``, else what the tokenizer splits a text into before it looks up pieces.
    """

    def __init__(
        self,
        columns: Mapping[str, Any],
        encodings: Sequence[Encoding] = (),
        padding: Padding | None = None,
        length: int = 0,
    ) -> None:
        super().__init__(columns)
        self._encodings = encodings
        self._padding = padding
        self._length = length

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # pickle and copy ask before there is anything to find
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the batch has no {name!r}; it has {', '.join(self)}") from None

    def __reduce__(self) -> tuple[Any, ...]:
        return Batch, (dict(self), self._encodings, self._padding, self._length)

    def __getitem__(self, key: str | int) -> Any:
        """The input of this name; with a number, the `tokenizers.Encoding` of that row."""
        return self._row(key) if isinstance(key, int) else super().__getitem__(key)

    @property
    def data(self) -> dict[str, Any]:
        """The columns by name, as a plain dict."""
        return dict(self)

    def convert_to_tensors(self, tensor_type: TensorKind = None) -> "Batch":
        """Make tensors of the columns; gives the batch itself. Raises `InputError` where rows differ in length."""
        from tfx_core.text.padding import pad_columns  # which makes batches

        batched = not self["input_ids"] or isinstance(self["input_ids"][0], list)
        columns = dict(self) if batched else {name: [values] for name, values in self.items()}
        self.update(pad_columns(columns, None, tensor_type, batched))
        return self

    @property
    def rows(self) -> int:
        """How many rows were made of texts; 0 where the batch was made of ids."""
        return len(self._encodings)

    @property
    def encodings(self) -> list[Encoding]:
        """The rows as the `tokenizers` library describes them, padded like the columns."""
        return [self._row(i) for i in range(len(self._encodings))]

    def to(self, device: "str | torch.device", *, non_blocking: bool = False) -> "Batch":
        """Move the tensors of this batch to a device; gives the batch itself, as in transformers."""
        import torch

        if not any(isinstance(value, torch.Tensor) for value in self.values()):
            raise InputError("the batch holds no tensors to move; call the tokenizer with return_tensors='pt'")
        for name, value in self.items():
            if isinstance(value, torch.Tensor):
                self[name] = value.to(device, non_blocking=non_blocking)
        return self

    def tokens(self, row: int = 0) -> list[str]:
        """The tokens of a row, as text."""
        return list(self._row(row).tokens)

    def word_ids(self, row: int = 0) -> list[int | None]:
        """For each token of a row the number of its word in its text, None for tokens that were added."""
        return list(self._row(row).word_ids)

    def sequence_ids(self, row: int = 0) -> list[int | None]:
        """For each token of a row 0 for the text, 1 for its pair, None for tokens that were added."""
        return list(self._row(row).sequence_ids)

    def offsets(self, row: int = 0) -> list[tuple[int, int]]:
        """For each token of a row its first and past-the-last character; (0, 0) for tokens that were added."""
        return list(self._row(row).offsets)

    def token_to_sequence(self, row_or_token: int, token: int | None = None) -> int | None:
        """0 for a token of the text, 1 for one of its pair, None for an added one."""
        encoding, token = self._place(row_or_token, token)
        sequence: int | None = encoding.token_to_sequence(token)
        return sequence

    def token_to_word(self, row_or_token: int, token: int | None = None) -> int | None:
        """The number of the word that a token is part of, None for an added token."""
        encoding, token = self._place(row_or_token, token)
        word: int | None = encoding.token_to_word(token)
        return word

    def token_to_chars(self, row_or_token: int, token: int | None = None) -> CharSpan | None:
        """The characters that a token stands for, None for an added token."""
        encoding, token = self._place(row_or_token, token)
        span = encoding.token_to_chars(token)
        return None if span is None else CharSpan(*span)

    def char_to_token(self, row_or_char: int, char: int | None = None, sequence_index: int = 0) -> int | None:
        """The token that a character of the text (of its pair: ``sequence_index=1``) is in, None for one in none."""
        encoding, char = self._place(row_or_char, char)
        token: int | None = encoding.char_to_token(char, sequence_index)
        return token

    def char_to_word(self, row_or_char: int, char: int | None = None, sequence_index: int = 0) -> int | None:
        """The word that a character of the text (of its pair: ``sequence_index=1``) is in, None for one in none."""
        encoding, char = self._place(row_or_char, char)
        word: int | None = encoding.char_to_word(char, sequence_index)
        return word

    def word_to_tokens(self, row_or_word: int, word: int | None = None, sequence_index: int = 0) -> TokenSpan | None:
        """The tokens of a word of the text (of its pair: ``sequence_index=1``), None for one without any."""
        encoding, word = self._place(row_or_word, word)
        span = encoding.word_to_tokens(word, sequence_index)
        return None if span is None else TokenSpan(*span)

    def word_to_chars(self, row_or_word: int, word: int | None = None, sequence_index: int = 0) -> CharSpan | None:
        """The characters of a word of the text (of its pair: ``sequence_index=1``), None for one without tokens."""
        encoding, word = self._place(row_or_word, word)
        span = encoding.word_to_chars(word, sequence_index)
        return None if span is None else CharSpan(*span)

    def _row(self, row: int) -> Encoding:
        if not self._encodings:
            raise TextError("the batch was made of ids alone, so it does not know the text; call the tokenizer on it")
        encoding = self._encodings[row]
        if self._padding is not None:
            # In place, the second time without effect: most batches go to a model and are never asked.
            encoding.pad(
                self._length,
                direction=self._padding.side,
                pad_id=self._padding.token_id,
                pad_type_id=self._padding.token_type_id,
                pad_token=self._padding.token,
            )
        return encoding

    def _place(self, row_or_index: int, index: int | None) -> tuple[Encoding, int]:
        row, index = (0, row_or_index) if index is None else (row_or_index, index)
        encoding = self._row(row)
        if index < 0:
            index += len(encoding)
        if index < 0:
            raise IndexError(f"{index - len(encoding)} is before the first of {len(encoding)} tokens")
        return encoding, index
