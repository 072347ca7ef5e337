"""BERT's two objectives at once: hidden words, and whether a segment follows another (Devlin et al. 2019, §3.1)."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from tfx_core import Tokenizer
from tfx_core.errors import InputError
from tfx_core.fields import checked
from tfx_training.corpus import TokenCorpus
from tfx_training.objectives.segment_pairs import (
    FOLLOWS,
    OTHER,
    Pair,
    SegmentPairs,
    last_of,
    random_span,
    span_of,
    split,
    wanted_tokens,
)


class NextSentence(SegmentPairs):
    """Pairs of segments of at most ``length`` tokens; half of the time the second one is of another document.

    As in ``create_pretraining_data.py`` of google-research/bert: the pairs of a tenth of the documents (``short``) are
    shorter; sentences that a random segment displaces begin the next pair; where only one sentence is left the second
    segment is a random one; what has no room is cut at either end. A random segment is never of the same document,
    which that code gives up after ten tries. Raises `InputError` for a corpus of one document.
    """

    terms: ClassVar = {"masked words": 1.0, "next sentence": 1.0}
    second_term = "next sentence"
    label = "next_sentence_label"
    logits = "seq_relationship_logits"

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        length: int = 512,
        whole_words: bool = False,
        short: float = 0.1,
        share: float = 0.15,
    ) -> None:
        whole = checked(whole_words, bool, "whole_words", InputError)
        super().__init__(tokenizer, "words" if whole else "tokens", length=length, short=short, share=share)

    def check_corpus(self, corpus: TokenCorpus) -> None:
        """Raise `InputError` for one document, and where none has two sentences."""
        super().check_corpus(corpus)
        if len(corpus) == 1:
            raise InputError("the corpus is one document: a sentence that does not follow is taken from another one")

    def pairs(self, corpus: TokenCorpus, document: int, generator: np.random.Generator) -> Iterator[Pair]:
        """The pairs of a document, which begin with each of its sentences that is not in the pair before."""
        sentences = corpus.sentences_of(document)
        tokens, place = wanted_tokens(self._room, self.short, generator), sentences.start
        while place < sentences.stop:
            last = last_of(corpus, document, place, tokens)
            middle = split(place, last, generator)
            first = span_of(corpus, place, middle)
            if middle == last or generator.random() < 0.5:
                left = tokens - (first.end - first.begin)
                yield Pair(first, random_span(corpus, document, left, generator), OTHER)
                place = middle
            else:
                yield Pair(first, span_of(corpus, middle, last), FOLLOWS)
                place = last
