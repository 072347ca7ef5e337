"""Processors that look for tokens and token sequences in what was written or read."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.generation.prompts import Prompts
from tfx_core.generation.rows import Rows

BANNED = float("-inf")


@dataclass(frozen=True)
class RepetitionPenalty:
    """Tokens of the text become less likely: positive scores are divided, negative ones multiplied."""

    penalty: float
    new_only: bool = False
    """Whether those of the prompt are left alone."""
    by_sign: bool = True
    """Whether negative scores are multiplied; else they are divided, too (Keskar et al. 2019, equation 3)."""

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """Penalise every token of each row once."""
        ids, inside = rows.ids[:, : rows.width], rows.inside()
        if not self.new_only:
            return _penalised(scores, _filled(ids, inside), self.penalty, self.by_sign)
        new = inside & (torch.arange(rows.width, device=ids.device) >= rows.prompt_lengths[:, None])
        last = rows.ids.gather(1, (rows.lengths[:, None] - 1).clamp(min=0))  # new, where anything is
        penalised = _penalised(scores.clone(), torch.where(new, ids, last), self.penalty, self.by_sign)
        return torch.where((rows.new_lengths > 0)[:, None], penalised, scores)


@dataclass(frozen=True)
class EncoderRepetitionPenalty:
    """Tokens of the source become more likely."""

    penalty: float
    source: Prompts

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """Favour every token of each row's source once."""
        tokens = _filled(self.source.ids, _inside(self.source))[rows.sources]
        return _penalised(scores, tokens, 1 / self.penalty)


@dataclass(frozen=True)
class NoRepeats:
    """No ``size`` tokens in a row occur twice."""

    size: int

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """Ban each token that would complete a sequence which the row has already."""
        return _without_repeats(scores, rows, self.size, rows.ids[:, : rows.width], rows.lengths)


@dataclass(frozen=True)
class NoEncoderRepeats:
    """No ``size`` tokens in a row of the source occur in the text."""

    size: int
    source: Prompts

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """Ban each token that would complete a sequence of the source."""
        ids, lengths = self.source.ids[rows.sources], self.source.lengths[rows.sources]
        return _without_repeats(scores, rows, self.size, ids, lengths)


class SequenceBias:
    """Adds a bias to the last token of a sequence where the text ends with the tokens before it.

    Infinitely negative biases ban sequences. ``biases``: sequence -> bias; ``what`` names the option in errors.
    """

    def __init__(self, biases: Mapping[tuple[int, ...], float], what: str) -> None:
        self.what = what
        self.greatest = max((token for sequence in biases for token in sequence), default=0)
        self.last = torch.tensor(sorted({sequence[-1] for sequence in biases}), dtype=torch.long)
        # sequences of one length are compared together: (their first tokens, their last token's place, their bias)
        self.by_length: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        for length in sorted({len(sequence) for sequence in biases}):
            sequences = torch.tensor([each for each in biases if len(each) == length])
            values = torch.tensor([bias for each, bias in biases.items() if len(each) == length])
            self.by_length[length] = sequences[:, :-1], torch.searchsorted(self.last, sequences[:, -1]), values

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """Add the biases of all sequences that the next token could complete."""
        if self.greatest >= scores.shape[1]:
            raise InputError(f"{self.what}: token {self.greatest} is outside the vocabulary of {scores.shape[1]}")
        total = scores.new_zeros(len(scores), len(self.last))  # no pass over a whole vocabulary
        for length, group in self.by_length.items():
            first, last, values = (each.to(scores.device) for each in group)
            ends, long_enough = rows.suffixes(length - 1)
            matches = (ends[:, None] == first).all(-1) & long_enough[:, None]  # (R, sequences)
            added = torch.where(matches, values, 0.0)
            total.scatter_add_(1, last.expand(len(scores), -1), added)
        return scores.scatter_add_(1, self.last.to(scores.device).expand(len(scores), -1), total)


def _without_repeats(scores: Tensor, rows: Rows, size: int, ids: Tensor, lengths: Tensor) -> Tensor:
    """Ban what would complete ``size`` tokens that occur in ``ids`` ``(R, S)`` of ``lengths`` ``(R,)``."""
    if ids.shape[1] < size:
        return scores
    ends, long_enough = rows.suffixes(size - 1)
    windows = ids.unfold(1, size, 1)  # (R, S - size + 1, size)
    matches = (windows[..., :-1] == ends[:, None]).all(-1) & long_enough[:, None]
    matches &= torch.arange(windows.shape[1], device=ids.device) + size <= lengths[:, None]
    where, which = matches.nonzero(as_tuple=True)
    scores[where, windows[where, which, -1]] = BANNED
    return scores


def _penalised(scores: Tensor, tokens: Tensor, penalty: float, by_sign: bool = True) -> Tensor:
    before = scores.gather(1, tokens)
    multiplied = (before < 0) & by_sign
    return scores.scatter_(1, tokens, torch.where(multiplied, before * penalty, before / penalty))


def _filled(ids: Tensor, inside: Tensor) -> Tensor:
    """The ids with the row's first one where no token is, which changes nothing for a set of tokens."""
    return torch.where(inside, ids, ids[:, :1])


def _inside(prompts: Prompts) -> Tensor:
    return torch.arange(prompts.ids.shape[1], device=prompts.ids.device) < prompts.lengths[:, None]
