"""Spans of a text to be written, in the order of the marks that stand for them: how T5 and mT5 were pretrained."""

from collections.abc import Mapping, Sequence
from itertools import count, takewhile
from typing import Annotated, Any

import numpy as np

from tfx_core import Tokenizer
from tfx_core.errors import InputError
from tfx_core.fields import Above, Between, Positive, Size, checked
from tfx_training.corpus import TokenCorpus, Tokens
from tfx_training.corpus.tokens import Ids
from tfx_training.languages import documents_by_group, drawn_by_share
from tfx_training.objective import Example
from tfx_training.objectives.spans import random_spans, raw_length, span_counts, without_spans
from tfx_training.objectives.targets import Writing
from tfx_training.rows import Blocks, Rows
from tfx_training.special_tokens import role_id


class DrawnRows(Rows[Tokens]):
    """Those rows of several languages that an epoch reads."""

    def __init__(self, blocks: Sequence[Blocks], numbers: Sequence[Ids]) -> None:
        self._blocks = blocks
        self._of_language = np.repeat(np.arange(len(blocks)), [len(each) for each in numbers])
        self._numbers = np.concatenate(numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def row(self, number: int) -> Tokens:
        """A row."""
        row: Tokens = self._blocks[int(self._of_language[number])][int(self._numbers[number])]
        return row


class SpanCorruption(Writing[TokenCorpus, Tokens]):
    """Rows of as many tokens as make an input of ``length``, of which ``density`` are hidden in spans.

    Documents follow one another with nothing between them, as in the released code; what is left at the end of the
    corpus, less than a row, is not learnt from in that epoch. Each epoch cuts at other places. Where the texts are of
    several groups, languages, a row is of one, and they are drawn by their share to the power of ``language_exponent``;
    one with fewer tokens than a row has none (Raffel et al. 2020, §3.1.4; Xue et al. 2021, §3.1 and §3.2;
    ``span_corruption`` in ``t5/data/preprocessors.py`` of google-research/text-to-text-transfer-transformer).
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        length: int = 512,
        density: float = 0.15,
        mean_span: float = 3.0,
        language_exponent: float = 0.3,
    ) -> None:
        super().__init__(tokenizer)
        self.length = checked(length, Size, "length", InputError)
        self.density = checked(density, Annotated[float, Above(0, 0.9)], "density", InputError)
        self.mean_span = checked(mean_span, Annotated[float, Between(1)], "mean_span", InputError)
        self.language_exponent = checked(language_exponent, Positive, "language_exponent", InputError)
        self.raw_length, self.target_length = raw_length(self.length, self.density, self.mean_span)
        self._end = [role_id(tokenizer, "eos_token")]
        self._sentinels = sentinels_of(tokenizer)
        needed = span_counts(self.raw_length, self.density, self.mean_span).spans
        if needed > len(self._sentinels):
            raise InputError(
                f"this tokenizer has {len(self._sentinels)} sentinels <extra_id_…>, but length={length} hides {needed} "
                "spans; add some with tokenizer.add_special_tokens and give the model as many rows, or make length "
                "smaller or mean_span greater"
            )

    def rows(self, corpus: TokenCorpus, generator: np.random.Generator) -> "DrawnRows":
        """Rows of ``raw_length`` tokens, from any place of the first row of each language on."""
        documents = documents_by_group(corpus) if len(corpus.group_names) > 1 else [np.arange(len(corpus))]
        sizes = np.diff(corpus.sentence_ends[corpus.document_ends - 1], prepend=0)
        enough = [numbers for numbers in documents if sizes[numbers].sum() >= self.raw_length]
        if not enough:
            raise InputError(
                f"length={self.length}: a row is made of {self.raw_length} tokens of one language, and the corpus has "
                f"only {max(sizes[numbers].sum() for numbers in documents)}; make length smaller"
            )
        blocks = [Blocks(corpus, self.raw_length, begin=generator, documents=numbers) for numbers in enough]
        return DrawnRows(blocks, drawn_by_share([len(each) for each in blocks], self.language_exponent, generator))

    def example(self, row: Tokens, generator: np.random.Generator) -> Example:
        """``input_ids`` ``(length,)`` with marks, ``labels`` ``(target_length,)`` with what they stand for."""
        hidden = random_spans(len(row.ids), self.density, self.mean_span, generator)
        return {
            "input_ids": np.append(without_spans(row.ids, hidden, self._sentinels), self._end),
            "labels": np.append(without_spans(row.ids, ~hidden, self._sentinels), self._end),
        }

    def of_tokenizer(self) -> Mapping[str, Any]:
        """The target begins after the padding token, as in the released models."""
        return {**super().of_tokenizer(), "decoder_start_token_id": role_id(self.tokenizer, "pad_token")}


def sentinels_of(tokenizer: Tokenizer) -> list[int]:
    """The ids of the marks for spans, ``<extra_id_0>`` first; mT5's are pieces of its vocabulary, with ``▁`` before."""
    known = tokenizer.get_vocab()
    numbers = (known.get(f"<extra_id_{number}>", known.get(f"▁<extra_id_{number}>")) for number in count())
    return [number for number in takewhile(lambda number: number is not None, numbers) if number is not None]
