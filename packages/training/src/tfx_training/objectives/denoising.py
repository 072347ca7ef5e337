"""Texts out of what noise left of them (Lewis et al. 2020; in many languages Liu et al. 2020)."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np

from tfx_core import Tokenizer
from tfx_core.errors import InputError, shown
from tfx_core.fields import Above, Between, NotEmpty, Rate, checked
from tfx_training.corpus import TokenCorpus, Tokens
from tfx_training.framing import Frame
from tfx_training.objective import Example
from tfx_training.objectives.masking import usual_ids
from tfx_training.objectives.noises import Masks, deleted, infilled, masked, permuted, rotated
from tfx_training.objectives.targets import Writing
from tfx_training.passages import Passage, Passages, balanced
from tfx_training.rows import Picked
from tfx_training.special_tokens import role_id
from tfx_training.word_starts import WordStarts

Noise: TypeAlias = Literal["permutation", "masking", "deletion", "infilling", "rotation"]

_PARTLY = Annotated[float, Above(0, 1)]


class Denoising(Writing[TokenCorpus, Passage]):
    """Whole sentences of a document up to ``length`` tokens, to be written as they were before the ``noises``.

    These go in this order, whatever the order that they are named in: sentences are permuted; of ``rate`` of the words
    (of the tokens without ``whole_words``) the tokens are masked, or deleted, or in spans of ``mean_span`` words filled
    in for by one mask each; and the text is rotated. A share ``random`` of the masks is any other token. What stands
    around a text is neither noised nor counted. A text of one sentence stays in order. Masks of no words may make a
    text longer than it was; it is cut at its end to ``length`` (the original's grows, and its models have room).

    Words are `WordStarts`. In the languages of ``tokens_in``, which put no blanks between words, so that a sentence
    would be one, tokens are hidden one by one; by default they are those that fairseq's own scripts name, and Burmese.

    Defaults are those of the released models: 30 % of the words, spans of 3.5 words (the paper: 3), a tenth of the
    masks random (of which the paper says nothing), no rotation. With a tokenizer that tells languages it is mBART's:
    35 %, sentences end with the end token (which is a word as any other), each text stands in the language of its
    group, and languages are drawn by their share to the power of ``exponent``.
    Source: fairseq, ``fairseq/data/denoising_dataset.py`` and in ``fairseq/tasks`` ``denoising.py`` and
    ``multilingual_denoising.py`` (there ``--no-whole-word-mask-langs``).
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        length: int = 512,
        noises: Sequence[Noise] = ("permutation", "infilling"),
        rate: float | None = None,
        mean_span: float = 3.5,
        random: float = 0.1,
        whole_words: bool = True,
        tokens_in: Sequence[str] = ("ja_XX", "km_KH", "my_MM", "th_TH", "zh_CN", "zh_TW"),
        exponent: float = 0.7,
    ) -> None:
        super().__init__(tokenizer)
        self.length = checked(length, Annotated[int, Between(8)], "length", InputError)
        self.noises = checked(noises, Annotated[tuple[Noise, ...], NotEmpty()], "noises", InputError)
        self.rate = checked(self._published(rate), _PARTLY, "rate", InputError)
        self.mean_span = checked(mean_span, Annotated[float, Between(0.1)], "mean_span", InputError)
        self.whole_words = checked(whole_words, bool, "whole_words", InputError)
        self.tokens_in = checked(tokens_in, tuple[str, ...], "tokens_in", InputError)
        self.exponent = checked(exponent, Rate, "exponent", InputError)
        others = usual_ids(tokenizer)
        self._masks = Masks(role_id(tokenizer, "mask_token"), others, checked(random, Rate, "random", InputError))
        self._word_starts = WordStarts(tokenizer)
        self._end = role_id(tokenizer, "eos_token")
        self._between = Tokens.of([self._end] if tokenizer.languages else [])
        self._frames: dict[str, Frame] = {}

    def _published(self, rate: float | None) -> float:
        return rate if rate is not None else 0.35 if self.tokenizer.languages else 0.3

    def rows(self, corpus: TokenCorpus, generator: np.random.Generator) -> Picked[Passage]:
        """Passages, of languages as they are drawn.

        Raises `InputError` where sentences are to be permuted and none follows another, and for a language that the
        tokenizer does not tell.
        """
        groups = [corpus.group_names[group] for group in np.unique(corpus.groups)]
        around = max(len(before) + len(behind) for before, behind in map(self._around, groups))
        passages = Passages(corpus, self.length - around, between=len(self._between.ids))
        if "permutation" in self.noises and passages.counts.max() < 2:
            raise InputError(
                f"noises={shown(self.noises)}: no text of the corpus has two sentences in {self.length} tokens, so "
                "that there is nothing to permute: read the corpus with its sentences, or leave 'permutation' out"
            )
        exponent = self.exponent if self.tokenizer.languages else 1.0
        return Picked(passages, balanced(passages.groups, exponent, generator))

    def example(self, row: Passage, generator: np.random.Generator) -> Example:
        """``input_ids``, what noise left of the text, and ``labels``, the text."""
        frame = self._around(row.group)
        ids = frame.around(self.noised(row, generator).ids, self.length, "length")
        labels = frame.around(self._joined(row.sentences).ids, self.length, "length")
        return {"input_ids": ids, "attention_mask": np.ones_like(ids), "labels": labels}

    def noised(self, row: Passage, generator: np.random.Generator) -> Tokens:
        """What noise leaves of a text, without what stands around it."""
        sentences = permuted(row.sentences, generator) if "permutation" in self.noises else row.sentences
        tokens = self._joined(sentences)
        by_words = self.whole_words and row.group not in self.tokens_in
        tokens = Tokens(tokens.ids, self._word_starts(tokens)) if by_words else Tokens.of(tokens.ids.tolist())
        if "masking" in self.noises:
            tokens = masked(tokens, self._masks, generator, rate=self.rate)
        if "deletion" in self.noises:
            tokens = deleted(tokens, generator, rate=self.rate)
        if "infilling" in self.noises and len(tokens.ids):
            tokens = infilled(tokens, self._masks, generator, rate=self.rate, mean_span=self.mean_span)
        return rotated(tokens, generator) if "rotation" in self.noises else tokens

    def of_tokenizer(self) -> Mapping[str, Any]:
        """BART's decoder begins with the end token, too."""
        return {**super().of_tokenizer(), "decoder_start_token_id": self._end}

    def _joined(self, sentences: Sequence[Tokens]) -> Tokens:
        text = sentences[0]
        for sentence in sentences[1:]:
            text = text + self._between + sentence
        return text

    def _around(self, group: str) -> Frame:
        """What stands around a text of a language; of a tokenizer that tells none, of any."""
        if group not in self._frames:
            self._frames[group] = Frame.of(self._in_language(group))
        return self._frames[group]

    def _in_language(self, group: str) -> Tokenizer:
        languages = self.tokenizer.languages
        if not languages:
            return self.tokenizer
        if group not in languages:
            raise InputError(
                f"group={shown(group)}: a text's language is not told, or not known; the corpus must name it for each "
                f"text, as one of {', '.join(languages)}"
            )
        tokenizer = copy(self.tokenizer)
        tokenizer.direction = tokenizer.directed(src_lang=group)
        return tokenizer
