"""Processors: what changes the scores of the next token before one is chosen.

A processor is called with the scores ``(R, V)`` in float32, logits or with beams log-probabilities, and the `Rows`
that they continue. It returns scores, which may be the same tensor, written into. All state is in the rows, so that
beams can be reordered and texts may have different lengths.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.generation.filters import warped
from tfx_core.generation.options import GenerationOptions
from tfx_core.generation.prompts import Prompts
from tfx_core.generation.repetition import (
    BANNED,
    EncoderRepetitionPenalty,
    NoEncoderRepeats,
    NoRepeats,
    RepetitionPenalty,
    SequenceBias,
)
from tfx_core.generation.rows import Rows

AllowedTokens = Callable[[int, Tensor], Sequence[int]]
"""``(row of the batch, its tokens so far)`` -> the tokens that may follow."""


class Processor(Protocol):
    """What may stand in ``logits_processor``."""

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """The scores ``(R, V)`` to go on with."""
        ...


def build_processors(
    options: GenerationOptions,
    source: Prompts | None,
    allowed: AllowedTokens | None = None,
    added: Sequence[Processor] = (),
) -> tuple[Processor, ...]:
    """The processors that the options ask for, in the order in which the reference library applies them.

    ``source`` is the encoder's input, or the prompts; ``added`` stand behind all but what prepares the choice.
    """
    return (
        *_biases(options),
        *_repetition(options, source),
        *_words_and_lengths(options, allowed),
        *_begin_and_end(options),
        *added,
        *_choice(options),
    )


def first_processors(options: GenerationOptions) -> tuple[Processor, ...]:
    """The processors that change the model's own logits, before beams make log-probabilities of these."""
    if options.penalized_sampling == 1:
        return ()
    ignores_prompt = options.repetition_penalty_ignores_prompt
    return (RepetitionPenalty(options.penalized_sampling, ignores_prompt, by_sign=False),)


def _biases(options: GenerationOptions) -> Iterator[Processor]:
    if options.biases:
        yield SequenceBias(options.biases, "sequence_bias")
    if options.diversity_penalty:
        yield Diversity(options.diversity_penalty)


def _repetition(options: GenerationOptions, source: Prompts | None) -> Iterator[Processor]:
    if options.encoder_repetition_penalty != 1:
        yield EncoderRepetitionPenalty(options.encoder_repetition_penalty, _known(source, "repetition_penalty"))
    if options.repetition_penalty != 1:
        yield RepetitionPenalty(options.repetition_penalty, options.repetition_penalty_ignores_prompt)
    if options.no_repeat_ngram_size:
        yield NoRepeats(options.no_repeat_ngram_size)
    if options.encoder_no_repeat_ngram_size:
        yield NoEncoderRepeats(options.encoder_no_repeat_ngram_size, _known(source, "no_repeat_ngram_size"))


def _words_and_lengths(options: GenerationOptions, allowed: AllowedTokens | None) -> Iterator[Processor]:
    eos = options.eos_ids
    if options.bad_words_ids is not None:
        # ending a text is never a bad word
        words = [tuple(word) for word in options.bad_words_ids if not (len(word) == 1 and word[0] in eos)]
        yield SequenceBias(dict.fromkeys(words, BANNED), "bad_words_ids")
    if eos and (options.min_length or options.min_new_tokens):
        yield LeastLength(eos, options.min_length, options.min_new_tokens)
    if allowed is not None:
        yield OnlyAllowed(allowed)


def _begin_and_end(options: GenerationOptions) -> Iterator[Processor]:
    if options.forced_bos_token_id is not None:
        yield ForcedSecond(options.forced_bos_token_id)
    if options.forced_eos_ids:
        yield ForcedLast(options.forced_eos_ids)
    if options.remove_invalid_values:
        yield replace_invalid
    if options.exponential_decay_length_penalty is not None and options.eos_ids:
        start, factor = options.exponential_decay_length_penalty
        yield EndMoreLikely(options.eos_ids, int(start), float(factor))
    if options.suppress_tokens:
        yield Suppressed(tuple(options.suppress_tokens))
    if options.begin_suppress_tokens:
        yield SuppressedAtBegin(tuple(options.begin_suppress_tokens), options.forced_bos_token_id is not None)


def _choice(options: GenerationOptions) -> Iterator[Processor]:
    """Filters and normalisation, where they are not left to the sampler or are of no effect on what is chosen."""
    beams = options.strategy.is_beam
    if options.do_sample and (beams or options.output_scores):
        # beams must be able to go on when the best tokens end a text
        yield Warper(options, keep=max(2, len(options.eos_ids) + 1) if beams else 1)
    if options.renormalize_logits and (beams or options.output_scores):
        yield renormalise


@dataclass(frozen=True)
class Diversity:
    """Group beam search: tokens that earlier groups have chosen for this step become less likely."""

    penalty: float

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """Subtract the penalty once for every choice of a token."""
        counts = torch.zeros_like(scores).scatter_add_(
            1, rows.avoided.clamp(min=0), (rows.avoided >= 0).to(scores.dtype)
        )
        return scores - self.penalty * counts


@dataclass(frozen=True)
class LeastLength:
    """No end token before a length."""

    eos: tuple[int, ...]
    length: int
    new_tokens: int

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """Ban the end tokens in rows that are too short."""
        short = (rows.text_lengths < self.length) | (rows.new_lengths < self.new_tokens)
        known = [token for token in self.eos if token < scores.shape[1]]
        scores[:, known] = scores[:, known].masked_fill(short[:, None], BANNED)
        return scores


@dataclass(frozen=True)
class OnlyAllowed:
    """A function of the text so far says which tokens may follow (arXiv 2010.00904)."""

    allowed: AllowedTokens

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """Ban all other tokens; where none is allowed, the text cannot go on."""
        mask = torch.full_like(scores, BANNED)
        for row, source in enumerate(rows.sources.tolist()):
            tokens = [int(token) for token in self.allowed(source, rows.tokens(row))]
            check_vocabulary(tokens, scores, "prefix_allowed_tokens_fn")
            mask[row, tokens] = 0
        return scores + mask


@dataclass(frozen=True)
class ForcedSecond:
    """The second token of every text."""

    token: int

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """Leave only the token in rows of one token."""
        return _forced(scores, rows.text_lengths == 1, (self.token,), "forced_bos_token_id")


@dataclass(frozen=True)
class ForcedLast:
    """The last token of a text that reaches its greatest length."""

    tokens: tuple[int, ...]

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """Leave only these tokens in rows with room for one."""
        return _forced(scores, rows.lengths == rows.limits - 1, self.tokens, "forced_eos_token_id")


@dataclass(frozen=True)
class EndMoreLikely:
    """From a number of new tokens on, the end token's score rises exponentially."""

    eos: tuple[int, ...]
    start: int
    factor: float

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """Add ``|score| · (factor ** tokens beyond start - 1)``."""
        beyond = (rows.new_lengths - self.start).clamp(min=0).double()
        growth = (self.factor**beyond - 1).to(scores.dtype)[:, None]
        known = [token for token in self.eos if token < scores.shape[1]]
        before = scores[:, known]
        # a banned end token stays banned
        scores[:, known] = torch.where(before.isfinite(), before + before.abs() * growth, before)
        return scores


@dataclass(frozen=True)
class Suppressed:
    """Tokens that never occur."""

    tokens: tuple[int, ...]

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """Ban them."""
        check_vocabulary(self.tokens, scores, "suppress_tokens")
        scores[:, list(self.tokens)] = BANNED
        return scores


@dataclass(frozen=True)
class SuppressedAtBegin:
    """Tokens that are never the first new one; the one after a forced second token is meant where there is one."""

    tokens: tuple[int, ...]
    after_forced: bool

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """Ban them in rows that begin."""
        check_vocabulary(self.tokens, scores, "begin_suppress_tokens")
        begin = rows.prompt_lengths
        if self.after_forced:
            begin = begin + (begin + rows.vectors == 1)
        at_begin = rows.lengths == begin
        scores[:, list(self.tokens)] = scores[:, list(self.tokens)].masked_fill(at_begin[:, None], BANNED)
        return scores


@dataclass(frozen=True)
class Warper:
    """What a sample may not be drawn from is banned, but for the ``keep`` most probable tokens."""

    options: GenerationOptions
    keep: int

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """Temperature and all filters."""
        return warped(scores, self.options, self.keep)


def replace_invalid(scores: Tensor, rows: Rows) -> Tensor:
    """NaN becomes 0, infinite the greatest or least number."""
    return torch.nan_to_num(scores, nan=0.0)


def renormalise(scores: Tensor, rows: Rows) -> Tensor:
    """Log-probabilities of the scores."""
    return scores.log_softmax(-1)


def check_vocabulary(tokens: Sequence[int], scores: Tensor, what: str) -> None:
    """Raise `InputError` for a token that the scores lack."""
    wrong = next((token for token in tokens if not 0 <= token < scores.shape[1]), None)
    if wrong is not None:
        raise InputError(f"{what}: token {wrong} is outside the vocabulary of {scores.shape[1]} tokens")


def _forced(scores: Tensor, where: Tensor, tokens: tuple[int, ...], what: str) -> Tensor:
    check_vocabulary(tokens, scores, what)
    if not where.any():
        return scores
    forced = torch.full_like(scores[:1], BANNED)
    forced[:, list(tokens)] = 0
    return torch.where(where[:, None], forced, scores)


def _known(source: Prompts | None, what: str) -> Prompts:
    if source is None:
        raise InputError(f"encoder_{what}: needs input_ids, which this call does not have")
    return source
