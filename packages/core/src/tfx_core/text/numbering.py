"""Tokens that one file cuts texts into and another numbers: a SentencePiece model beside a ``vocab.json``.

A token is then looked up by its text, which is what an unknown run of characters is as well; what the vocabulary lacks
has the id of its unknown token.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

from tokenizers import Encoding, models
from tokenizers import Tokenizer as Backend


class Numbered(NamedTuple):
    """What a recipe makes of two such files."""

    numbers: Backend
    """Knows the ids of tokens and writes texts of them: a `tokenizers.models.WordLevel` with a token for unknown ones.

    It has the post-processor that ``cutter`` has.
    """

    cutter: Backend
    """Cuts texts; its own ids count for nothing."""


@dataclass(frozen=True)
class Cutter:
    """What cuts the texts of a vocabulary, and the ids that this gives to the tokens."""

    backend: Backend
    numbers: Mapping[str, int]
    unknown: int

    added: Mapping[int, int]
    """Its own ids of added tokens -> those that count, for tokens that are found with blanks, or in another form."""

    written: Mapping[int, str]
    """Its own ids of added tokens that are found in another form than they are written in -> the tokens."""

    unspelled: int | None
    """Its own id of an unknown run of characters where its model, a BPE, gives that in the place of the run."""

    @classmethod
    def of(cls, numbered: Numbered) -> "Cutter":
        """That of what a recipe made."""
        model = numbered.numbers.model
        assert isinstance(model, models.WordLevel)
        numbers = numbered.numbers.get_vocab(with_added_tokens=True)
        unknown = numbers[model.unk_token]
        tokens = numbered.cutter.get_added_tokens_decoder()
        added = {own: numbers.get(token.content, unknown) for own, token in tokens.items()}
        written = {own: token.content for own, token in tokens.items() if token.normalized}
        return cls(numbered.cutter, numbers, unknown, added, written, _unspelled(numbered.cutter))

    def spelled(self, rows: list[Encoding], items: Sequence[object]) -> list[Encoding]:
        """The rows that texts, or pairs of them, were cut into, whose tokens are what stands there, unknown or not."""
        if self.unspelled is None:
            return rows
        return [self._spelled(row, item) for row, item in zip(rows, items, strict=True)]

    def _spelled(self, row: Encoding, item: object) -> Encoding:
        if not any(self.unspelled in each.ids for each in (row, *row.overflowing)):
            return row
        state = json.loads(row.__getstate__())
        ids, tokens, sides, words, offsets = row.ids, row.tokens, row.sequence_ids, row.word_ids, row.offsets
        for place, side in enumerate(sides):
            if ids[place] == self.unspelled and side is not None:
                text = item[side] if isinstance(item, tuple) else item
                if not isinstance(text, str):
                    assert isinstance(text, list)
                    text = text[words[place]]
                tokens[place] = self._run(text, *offsets[place]) or tokens[place]
        state["tokens"] = tokens
        state["overflowing"] = [json.loads(self._spelled(each, item).__getstate__()) for each in row.overflowing]
        return _with_state(state)

    def _run(self, text: str, begin: int, end: int) -> str:
        """The unknown characters of what stands at a place, as the model sees them."""
        while end < len(text) and _joins(text[end]):  # a place is that of the character that others are composed with
            end += 1
        seen, normalizer = text[begin:end], self.backend.normalizer
        seen = seen if normalizer is None else normalizer.normalize_str(seen)
        unknown = [at for at, character in enumerate(seen) if self.backend.token_to_id(character) is None]
        return seen[unknown[0] : unknown[-1] + 1] if unknown else ""

    def ids(self, encoding: Encoding) -> list[int]:
        """The ids of the tokens of a row."""
        numbers, added, unknown = self.numbers, self.added, self.unknown
        own = zip(encoding.ids, encoding.tokens, strict=True)
        return [numbers[token] if token in numbers else added.get(place, unknown) for place, token in own]

    def renumbered(self, encoding: Encoding) -> Encoding:
        """A row with these ids."""
        state = json.loads(encoding.__getstate__())
        own = zip(encoding.ids, encoding.tokens, strict=True)
        state["ids"] = self.ids(encoding)
        state["tokens"] = [self.written.get(place, token) for place, token in own]
        state["overflowing"] = [json.loads(self.renumbered(each).__getstate__()) for each in encoding.overflowing]
        return _with_state(state)


def _joins(character: str) -> bool:
    """Whether a character may be composed with the one before it: a mark, or a vowel or an end in Korean."""
    return unicodedata.category(character)[0] == "M" or "\u1160" <= character <= "\u11ff"


def _unspelled(cutter: Backend) -> int | None:
    model = cutter.model
    if not isinstance(model, models.BPE) or model.unk_token is None:
        return None
    number: int | None = cutter.token_to_id(model.unk_token)
    return number


def _with_state(state: Mapping[str, object]) -> Encoding:
    encoding = Encoding()
    encoding.__setstate__(json.dumps(state).encode("utf-8"))
    return encoding


class Renumbered(Sequence[Encoding]):
    """Rows with these ids, each of them made when it is asked for: most batches go to a model and are never asked."""

    def __init__(self, rows: Sequence[Encoding], cutter: Cutter) -> None:
        self._rows = list(rows)
        self._cutter = cutter
        self._made: set[int] = set()

    def __reduce__(self) -> tuple[object, ...]:
        return list, ([*self],)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Encoding: ...
    @overload
    def __getitem__(self, place: slice) -> list[Encoding]: ...
    def __getitem__(self, place: int | slice) -> Encoding | list[Encoding]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        if place not in self._made:
            self._rows[place] = self._cutter.renumbered(self._rows[place])
            self._made.add(place)
        return self._rows[place]
