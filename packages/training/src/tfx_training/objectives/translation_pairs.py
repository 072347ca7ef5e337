"""Masked words in a sentence and its translation, each of which tells of the other (Lample, Conneau 2019, §3.3)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np

from tfx_core import Model, Tokenizer
from tfx_core.errors import InputError
from tfx_core.fields import Between, Rate, checked
from tfx_core.model.heads import IGNORED
from tfx_training.corpus import TokenCorpus, Tokens
from tfx_training.corpus.tokens import Places
from tfx_training.languages import check_groups, counted_languages, drawn_by_share, language_numbers
from tfx_training.objective import Batch, Example, Objective, padded
from tfx_training.objectives.masked_words import GuessingTrainee
from tfx_training.objectives.masking import Masking
from tfx_training.objectives.segment_pairs import cut_sizes
from tfx_training.rows import Rows
from tfx_training.special_tokens import role_id


class Pair(NamedTuple):
    """A sentence and its translation."""

    sides: tuple[Tokens, Tokens]

    languages: tuple[str, str]


class Pairs(Rows[Pair]):
    """Those documents of a corpus, by their numbers."""

    def __init__(self, corpus: TokenCorpus, documents: Places) -> None:
        self._corpus = corpus
        self._documents = documents

    def __len__(self) -> int:
        return len(self._documents)

    def row(self, number: int) -> Pair:
        """The pair."""
        one, other = self._corpus.sentences_of(int(self._documents[number]))
        return Pair(
            (self._corpus.sentence(one), self._corpus.sentence(other)),
            (self._corpus.group_of(one), self._corpus.group_of(other)),
        )


class TranslationPairs(Objective[TokenCorpus, Pair]):
    """A sentence and its translation in a row of at most ``length`` tokens, with words hidden on both sides.

    Each side stands between a first and an end token, has positions that begin at 0 and the number of its language, and
    all tokens see each other. Special tokens, and so the first one, are never hidden. Of a pair that is too long the
    longer side loses its end, and both do where each has more than half of the row.

    A row is a document of two sentences in two languages; other documents are left out. An epoch reads as many pairs as
    the corpus has, of each two languages in proportion to their share to the power of ``language_exponent``. The
    released models learned masked words of single texts in turn with these: that is the objective ``masked-words``,
    with which a model learns before or after this one.

    Source: Lample and Conneau 2019, https://arxiv.org/abs/1901.07291, §3.3 and §5.1; ``concat_batches`` of
    xlm/utils.py and ``mask_out`` of xlm/trainer.py of facebookresearch/XLM. There end tokens but the first are hidden
    as words are, and pairs with a side that is too long are left out.
    """

    roles: ClassVar = {"model": "masked-lm"}

    def __init__(
        self, tokenizer: Tokenizer, *, length: int = 256, share: float = 0.15, language_exponent: float = 0.7
    ) -> None:
        super().__init__(tokenizer)
        self.length = checked(length, Annotated[int, Between(6)], "length", InputError)
        self.language_exponent = checked(language_exponent, Rate, "language_exponent", InputError)
        self.languages = language_numbers(tokenizer)
        self._masking = Masking(tokenizer, share=share)
        self._padding = role_id(tokenizer, "pad_token")
        if not self.languages:
            raise InputError(
                "this tokenizer numbers no languages, which the tokens of translation pairs need: give "
                'tokenizer_config.json a lang2id, such as {"en": 0, "fr": 1}'
            )
        if tokenizer.cls_token_id is None or tokenizer.sep_token_id is None:
            raise InputError(
                "this tokenizer has no cls_token or no sep_token, between which each side stands; set both"
            )
        self._first, self._last = Tokens.of([tokenizer.cls_token_id]), Tokens.of([tokenizer.sep_token_id])

    def rows(self, corpus: TokenCorpus, generator: np.random.Generator) -> Pairs:
        """The pairs, those of rarer languages more than once."""
        check_groups(corpus, self.languages, "language")
        if len(corpus.group_names) == 1:
            raise InputError(
                f"the corpus is in one language, {corpus.group_names[0]!r}: translation pairs are documents of two "
                "texts, each with its language as its group"
            )
        pairs = _pairs_by_languages(corpus)
        if not pairs:
            raise InputError("no document of the corpus is a pair: two sentences, the one in another language")
        read = drawn_by_share([len(each) for each in pairs], self.language_exponent, generator)
        return Pairs(corpus, np.concatenate([each[numbers] for each, numbers in zip(pairs, read, strict=True)]))

    def example(self, row: Pair, generator: np.random.Generator) -> Example:
        """Both sides in a row, some of their tokens hidden."""
        one, other = row.sides
        kept = cut_sizes(len(one.ids), len(other.ids), self.length - 4)
        sides = [self._first + side.between(0, size) + self._last for side, size in zip(row.sides, kept, strict=True)]
        lengths = [len(side.ids) for side in sides]
        masked = self._masking(sides[0] + sides[1], generator)
        return {
            "input_ids": masked.ids,
            "labels": masked.labels,
            "attention_mask": np.ones(len(masked.ids), dtype=np.int64),
            "position_ids": np.concatenate([np.arange(length) for length in lengths]),
            "langs": np.repeat([self.languages[name] for name in row.languages], lengths),
        }

    def batch(self, examples: Sequence[Example]) -> Batch:
        """Columns ``(B, n)``, filled up; with a mask, positions that begin anew are not taken for another text's."""
        fill = {"input_ids": self._padding, "labels": IGNORED, "attention_mask": 0, "position_ids": 0, "langs": 0}
        return padded(examples, fill)

    def trainee(self, models: Mapping[str, Model]) -> GuessingTrainee:
        """The model; raises `InputError` for one that is told no languages."""
        self.check_roles(models)
        config: Any = models["model"].config
        if "langs" not in models["model"].input_names:
            raise InputError(f"{config.model_type}: this model does not take langs, the language of each token")
        needed = max(self.languages.values()) + 1
        if not config.speaks or config.n_langs < needed:
            raise InputError(
                f"n_langs={config.n_langs}, use_lang_emb={config.use_lang_emb}: the tokenizer numbers languages up to "
                f"{needed - 1}, each of which needs a vector: n_langs={needed}, use_lang_emb=true"
            )
        return GuessingTrainee(models)

    def of_tokenizer(self) -> Mapping[str, Any]:
        """The size of the vocabulary, and the number of languages."""
        return {**super().of_tokenizer(), **counted_languages(self.languages)}


def _pairs_by_languages(corpus: TokenCorpus) -> list[Places]:
    """The numbers of the documents that are pairs, those of the same two languages together."""
    ends = np.asarray(corpus.document_ends)
    pairs = np.flatnonzero(np.diff(ends, prepend=0) == 2)
    first, second = (np.asarray(corpus.groups)[ends[pairs] - back].astype(np.int64) for back in (2, 1))
    count = len(corpus.group_names)
    kinds = np.minimum(first, second) * count + np.maximum(first, second)
    different = first != second
    return [pairs[different & (kinds == kind)] for kind in np.unique(kinds[different])]
