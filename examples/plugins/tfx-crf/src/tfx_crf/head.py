"""The head: scores of single labels from a linear layer, scores of neighbours from a table."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core import Backbone, ModelConfig, ModelOutput
from tfx_core.checkpoint import Rename
from tfx_core.model import HeadPlan
from tfx_core.model.heads import IGNORED, Head, mean_of_counted, whole_labels
from tfx_core.nn import at_least_float32, check_range, initialise_normal
from tfx_crf.chain import best_through, log_partition

BARRED = -1e30
"""Score of a label that a token does not have; finite, for the gradient of a sum of nothing but infinities is NaN."""


class CRFHead(Head):
    """Labels the tokens of a text together.

    A labelling is worth the sum of its labels' scores, of their transitions, and of its first and last label. A token
    whose label is `IGNORED`, such as the rest of a word, is part of the chain all the same, with any label: what is
    learned is then how likely the labels are that were given. So a model is asked for just what it was trained on.
    """

    def __init__(self, emissions: nn.Linear) -> None:
        super().__init__()
        labels = emissions.out_features
        self.emissions = emissions
        self.transitions = nn.Parameter(torch.empty(labels, labels))
        """From a label to the one after it."""
        self.start = nn.Parameter(torch.empty(labels))
        self.end = nn.Parameter(torch.empty(labels))

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """``labels`` ``(B, S)``, `IGNORED` where a label is not known; logits ``(B, S, C)``.

        The logits of a token are the scores of the best labellings with each of its labels. The loss is the negative
        log-likelihood of the labels, by their number, so that it compares with that of single tokens.
        """
        scores = at_least_float32(self.emissions(states.last_hidden_state))  # (B, S, C)
        mask = states.token_mask
        mask = torch.ones_like(scores[..., 0], dtype=torch.bool) if mask is None else mask
        transitions, start, end = (at_least_float32(each) for each in (self.transitions, self.start, self.end))
        chain = transitions, start, end
        logits = best_through(scores, mask, *chain)
        if labels is None:
            return states.updated(logits=logits)
        labels = whole_labels(labels, mask.shape).masked_fill(~mask, IGNORED)
        known = labels != IGNORED
        check_range(labels.masked_fill(~known, 0), scores.shape[-1], "labels")
        possible = F.one_hot(labels.masked_fill(~known, 0), scores.shape[-1]).bool() | ~known[..., None]
        of_these = log_partition(scores.masked_fill(~possible, BARRED), mask, *chain)
        of_all = log_partition(scores, mask, *chain)
        return states.updated(logits=logits, loss=mean_of_counted((of_all - of_these).sum(), known))


def _build(config: ModelConfig, backbone: Backbone) -> CRFHead:
    return CRFHead(nn.Linear(backbone.width, config.num_labels))


def _initialise(path: str, module: nn.Module, config: ModelConfig, generator: torch.Generator | None) -> None:
    """A small linear layer, and transitions of which none is better than another."""
    initialise_normal(module, 0.02, generator)
    if isinstance(module, CRFHead):
        for parameter in module.parameters(recurse=False):
            nn.init.zeros_(parameter)


CRF: HeadPlan[ModelConfig] = HeadPlan(
    _build,
    rules={"crf": (Rename("crf.{x}", "head.{x}"),)},
    initialise=_initialise,
)
