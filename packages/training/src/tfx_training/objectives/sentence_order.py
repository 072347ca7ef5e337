"""ALBERT's two objectives at once: hidden n-grams, and the order of two segments (Lan et al. 2020, §3.1)."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from tfx_core import Tokenizer
from tfx_training.corpus import TokenCorpus
from tfx_training.objectives.segment_pairs import (
    FOLLOWS,
    OTHER,
    Pair,
    SegmentPairs,
    last_of,
    span_of,
    split,
    wanted_tokens,
)
from tfx_training.word_starts import WordStarts, begins_word_of_albert


class SentenceOrder(SegmentPairs):
    """Pairs of consecutive segments of a document, of at most ``length`` tokens, swapped half of the time.

    As in ``create_pretraining_data.py`` of google-research/albert: the pairs of a tenth of the documents (``short``)
    are shorter; one to three words in a row are hidden together, words being those of `begins_word_of_albert` where
    pieces are sentencepiece's; what has no room is cut at either end. Each pair has two sentences at least. A sentence
    that is left alone at the end of a document is in none: that code joins it to some of another document and calls
    that swapped, which is what the paper does without.
    """

    terms: ClassVar = {"masked words": 1.0, "sentence order": 1.0}
    second_term = "sentence order"
    label = "sentence_order_label"
    logits = "sop_logits"

    def __init__(self, tokenizer: Tokenizer, *, length: int = 512, short: float = 0.1, share: float = 0.15) -> None:
        words = WordStarts(tokenizer, begins_word_of_albert)
        super().__init__(tokenizer, "n-grams", length=length, short=short, share=share, words=words)

    def pairs(self, corpus: TokenCorpus, document: int, generator: np.random.Generator) -> Iterator[Pair]:
        """The pairs of a document, one after the other."""
        sentences = corpus.sentences_of(document)
        tokens, place = wanted_tokens(self._room, self.short, generator), sentences.start
        while place < sentences.stop:
            last = min(max(last_of(corpus, document, place, tokens), place + 2), sentences.stop)
            middle = split(place, last, generator)
            if middle < last:
                segments = span_of(corpus, place, middle), span_of(corpus, middle, last)
                swapped = generator.random() < 0.5
                yield Pair(*segments[::-1], OTHER) if swapped else Pair(*segments, FOLLOWS)
            place = last
