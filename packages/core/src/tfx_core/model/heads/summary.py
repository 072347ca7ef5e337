"""One vector for a text out of the states of its tokens, and the heads that read it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from tfx_core.checkpoint import Rule
from tfx_core.fields import Rate
from tfx_core.model.config import ModelConfig
from tfx_core.model.heads.classification import MultipleChoiceHead, SequenceClassificationHead
from tfx_core.model.heads.plan import C, HeadPlan
from tfx_core.model.outputs import ModelOutput
from tfx_core.nn import Activation, ActivationFunction, first_tokens, last_tokens, mean_tokens

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


@dataclass(kw_only=True)
class SummaryConfig(ModelConfig):
    """Keys of the configs that describe their `SequenceSummary`."""

    summary_type: SummaryKind = "first"
    """Which state the heads that classify texts or choices read; ``cls_index`` is the last one, too."""
    summary_use_proj: bool = True
    """Whether that state is projected."""
    summary_activation: Activation | None = None
    """Activation after the projection."""
    summary_proj_to_labels: bool = False
    """Whether the projection gives the logits of the classes, without a classifier behind it."""
    summary_first_dropout: Rate = 0.0
    """Dropout before the projection."""
    summary_last_dropout: Rate = 0.0
    """Dropout after the activation."""


def sequence_summary(config: SummaryConfig, width: int) -> SequenceSummary:
    """What a config describes, of states ``width`` wide."""
    classes = config.num_labels if config.summary_proj_to_labels else width
    return SequenceSummary(
        config.summary_type,
        nn.Linear(width, classes) if config.summary_use_proj else nn.Identity(),
        nn.Identity() if config.summary_activation is None else ActivationFunction(config.summary_activation),
        config.summary_first_dropout,
        config.summary_last_dropout,
    )


class SummaryClassificationHead(SequenceClassificationHead):
    """Classifies or scores a text by its summary."""

    def __init__(self, summary: nn.Module, classifier: nn.Module, config: ModelConfig) -> None:
        super().__init__(classifier, config)
        self.summary = summary

    def pooled(self, states: ModelOutput) -> Tensor:
        """The summary ``(B, D)``."""
        summary: Tensor = self.summary(states.last_hidden_state, states.token_mask)
        return summary


class SummaryChoiceHead(MultipleChoiceHead):
    """Scores the choices of each example, ``(B, choices, S)``, by their summaries."""

    def __init__(self, summary: nn.Module, classifier: nn.Module) -> None:
        super().__init__(classifier)
        self.summary = summary

    def pooled(self, states: ModelOutput) -> Tensor:
        """The summaries ``(B·choices, D)``."""
        summary: Tensor = self.summary(states.last_hidden_state, states.token_mask)
        return summary


def summary_classification(
    summary: Callable[[C, int], SequenceSummary], rules: Sequence[Rule], part: str = "summary"
) -> HeadPlan[C]:
    """A classifier of texts by a summary, made of the config and the width of the states, as wide as they are."""
    return HeadPlan(
        lambda config, backbone: SummaryClassificationHead(
            summary(config, backbone.width), nn.Linear(backbone.width, config.num_labels), config
        ),
        rules={part: rules},
    )


def summary_choice(
    summary: Callable[[C, int], SequenceSummary], rules: Sequence[Rule], part: str = "summary"
) -> HeadPlan[C]:
    """A score of each choice by its summary, made as for `summary_classification`."""
    return HeadPlan(
        lambda config, backbone: SummaryChoiceHead(summary(config, backbone.width), nn.Linear(backbone.width, 1)),
        rules={part: rules},
    )
