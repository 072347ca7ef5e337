"""One text from another: supervised tasks as T5 was trained on, with a prefix that names each; and translation."""

from collections.abc import Mapping
from copy import copy
from typing import Any, NamedTuple

import numpy as np

from tfx_core import Tokenizer
from tfx_core.errors import InputError, shown
from tfx_core.fields import Size, checked
from tfx_training.corpus import TokenCorpus
from tfx_training.corpus.tokens import Ids
from tfx_training.framing import Frame
from tfx_training.objective import Example
from tfx_training.objectives.targets import Writing
from tfx_training.rows import Rows
from tfx_training.special_tokens import role_id


class Pair(NamedTuple):
    """A source and its target, without special tokens."""

    source: Ids
    target: Ids
    groups: tuple[str, str]
    """Of both, the language or task; empty where it has none."""


class Pairs(Rows[Pair]):
    """The documents of a corpus, each of two sides; raises `InputError` for one that is no pair."""

    def __init__(self, corpus: TokenCorpus) -> None:
        self._corpus = corpus
        sides = np.diff(corpus.document_ends, prepend=0)
        wrong = np.flatnonzero(sides != 2)
        if len(wrong):
            raise InputError(
                f"document {wrong[0]} has {sides[wrong[0]]} parts or sentences; each must have two parts, a source and "
                "its target, of one sentence each"
            )

    def __len__(self) -> int:
        return len(self._corpus)

    def row(self, number: int) -> Pair:
        """A pair."""
        source, target = self._corpus.sentences_of(number)
        sides = (self._corpus.sentence(source).ids, self._corpus.sentence(target).ids)
        return Pair(*sides, (self._corpus.group_of(source), self._corpus.group_of(target)))


class TextToText(Writing[TokenCorpus, Pair]):
    """Pairs of a corpus, each cut to ``length`` and ``target_length`` tokens, special ones included.

    ``prefix`` is put before every source; in it ``{source}`` and ``{target}`` stand for the groups of both sides:
    ``"translate {source} to {target}: "``, or ``"{source}: "`` where the group of a source is its task (Raffel et al.
    2020, §2.4 and appendix D; ``translate`` in ``t5/data/preprocessors.py``). Special tokens are those that the
    tokenizer puts around sources and targets; where it tells languages, the groups are their names, or else they are
    what its ``src_lang`` and ``tgt_lang`` say.
    """

    def __init__(self, tokenizer: Tokenizer, *, length: int = 512, target_length: int = 512, prefix: str = "") -> None:
        super().__init__(tokenizer)
        self.length = checked(length, Size, "length", InputError)
        self.target_length = checked(target_length, Size, "target_length", InputError)
        self.prefix = checked(prefix, str, "prefix", InputError)
        _filled_in(self.prefix, ("", ""))
        self._framings: dict[tuple[str, str], tuple[Frame, Frame]] = {}

    def rows(self, corpus: TokenCorpus, generator: np.random.Generator) -> Pairs:
        """All pairs, in order; nothing is drawn.

        Raises `InputError` for languages that the tokenizer does not know, and for lengths without room for a text.
        """
        pairs = Pairs(corpus)
        for names in np.unique(corpus.groups.reshape(-1, 2), axis=0):
            source, target = self._framing((corpus.group_names[names[0]], corpus.group_names[names[1]]))
            source.room(self.length, "length")
            target.room(self.target_length, "target_length")
        return pairs

    def example(self, row: Pair, generator: np.random.Generator) -> Example:
        """``input_ids`` and ``attention_mask`` ``(S,)`` of the source, ``labels`` ``(T,)`` of the target."""
        source, target = self._framing(row.groups)
        ids = source.around(row.source, self.length, "length")
        labels = target.around(row.target, self.target_length, "target_length")
        return {"input_ids": ids, "attention_mask": np.ones_like(ids), "labels": labels}

    def of_tokenizer(self) -> Mapping[str, Any]:
        """The target begins after the padding token, as in the released T5 and Marian."""
        return {**super().of_tokenizer(), "decoder_start_token_id": role_id(self.tokenizer, "pad_token")}

    def _framing(self, groups: tuple[str, str]) -> tuple[Frame, Frame]:
        """What stands around a source and a target of these groups."""
        if groups not in self._framings:
            directed = copy(self.tokenizer)
            if directed.languages:
                directed.direction = directed.directed(*(group or None for group in groups))
            source = Frame.of(directed)
            prefix = self.tokenizer(_filled_in(self.prefix, groups), add_special_tokens=False)["input_ids"]
            source = source._replace(before=np.append(source.before, np.asarray(prefix, dtype=np.int64)))
            self._framings[groups] = source, Frame.of(directed.as_target())
        return self._framings[groups]


def _filled_in(prefix: str, groups: tuple[str, str]) -> str:
    try:
        return prefix.format(source=groups[0], target=groups[1])
    except (KeyError, IndexError, ValueError, AttributeError):
        raise InputError(
            f"prefix={shown(prefix)}: in braces may stand {{source}} and {{target}}, the groups of a pair, and nothing "
            "else; a brace itself is written twice"
        ) from None
