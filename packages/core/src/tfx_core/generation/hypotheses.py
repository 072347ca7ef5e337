"""The finished texts of one group of beams, as transformers 4.51 keeps them for group and constrained beam search."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tfx_core.generation.options import GenerationOptions
from tfx_core.generation.output import Decoded

if TYPE_CHECKING:
    from tfx_core.generation.beam import Beams


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A finished text."""

    score: float
    tokens: Tensor
    """The new tokens ``(t,)``."""
    origins: Tensor
    """``(t,)``: the row of the result's ``scores`` that each was chosen from."""


class Hypotheses:
    """The ``capacity`` best finished texts of one group.

    ``longest`` is the greatest number of new tokens that a text may have. A search sets ``done`` once it is `complete`.
    """

    def __init__(self, options: GenerationOptions, capacity: int, longest: int) -> None:
        self.options = options
        self.capacity = capacity
        self.longest = longest
        self.texts: list[Hypothesis] = []
        self.done = False

    def add(self, beams: "Beams", place: int, rank: int) -> None:
        """Keep the beam ``rank`` of the source at ``place``, if it is among the best."""
        tokens = beams.rows.new_tokens(place * beams.scores.shape[1] + rank)
        score = float(beams.scores[place, rank]) / len(tokens) ** self.options.length_penalty
        if len(self.texts) == self.capacity:
            worst = min(self.texts, key=lambda text: text.score)
            if not score > worst.score:
                return
            self.texts.remove(worst)
        self.texts.append(Hypothesis(score, tokens, beams.origins[place, rank]))

    def complete(self, best_total: float, length: int) -> bool:
        """Whether nothing better can be expected of beams with ``length`` new tokens, the best of ``best_total``."""
        if len(self.texts) < self.capacity:
            return False
        if self.options.early_stopping is True:
            return True
        if self.options.early_stopping == "never" and self.options.length_penalty > 0:
            length = self.longest
        possible = best_total / length**self.options.length_penalty
        worst = min(text.score for text in self.texts)
        return bool(worst >= possible)


def best_of(groups: list[Hypotheses], count: int) -> list[Hypothesis]:
    """The ``count`` best texts of all groups; of equal ones the latest."""
    texts = [text for group in groups for text in group.texts]
    return sorted(texts, key=lambda text: text.score)[::-1][:count]


def decoded(best: list[list[Hypothesis]], count: int, device: torch.device) -> Decoded:
    """The result with these texts for each source.

    Where there are fewer than ``count``, empty ones of the score minus infinity stand for the others, with a warning.
    """
    fewer = [source for source, texts in enumerate(best) if len(texts) < count]
    if fewer:
        warnings.warn(
            f"row {fewer[0]}: there are only {len(best[fewer[0]])} texts, where {count} are asked for; empty ones "
            "stand for the others",
            stacklevel=2,
        )
    nothing = torch.zeros(0, dtype=torch.long, device=device)
    missing = Hypothesis(float("-inf"), nothing, nothing)
    texts = [text for source in best for text in (*source, *[missing] * (count - len(source)))]
    scores = torch.tensor([text.score for text in texts], device=device)
    return Decoded([text.tokens for text in texts], scores, [text.origins for text in texts])
