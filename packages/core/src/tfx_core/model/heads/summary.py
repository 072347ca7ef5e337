"""One vector for a text out of the states of its tokens."""

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from tfx_core.nn import first_tokens, last_tokens, mean_tokens

SummaryKind: TypeAlias = Literal["last", "first", "mean", "cls_index"]
"""``summary_type`` of config files."""


class SequenceSummary(nn.Module):
    """One state of a text, projected: the last, first or mean one, or that of the token at an index."""

    def __init__(
        self,
        kind: SummaryKind,
        project: nn.Module,
        activation: nn.Module,
        first_dropout: float = 0.0,
        last_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.project = project
        self.activation = activation
        self.first_dropout = nn.Dropout(first_dropout)
        self.last_dropout = nn.Dropout(last_dropout)

    def forward(self, states: Tensor, mask: Tensor | None, index: Tensor | None = None) -> Tensor:
        """States ``(B, S, D)``, mask ``(B, S)``, index ``(B,)`` -> ``(B, C)``; without an index, the last token."""
        if self.kind == "first":
            state = first_tokens(states, mask)
        elif self.kind == "mean":
            state = mean_tokens(states, mask)
        elif self.kind == "last" or index is None:
            state = last_tokens(states, mask)
        else:
            state = states[torch.arange(len(states), device=states.device), index]
        summary: Tensor = self.last_dropout(self.activation(self.project(self.first_dropout(state))))
        return summary
