"""A third party's head: a linear-chain CRF over the states of tokens, for every architecture that has these."""

import torch
from torch import nn

from tfx_core import HeadSpec, ModelConfig, ModelOutput, hookimpl
from tfx_core.checkpoint import Rename
from tfx_core.model import Backbone, HeadPlan
from tfx_core.model.heads import Head


class CRFHead(Head):
    """Labels the tokens of a text together: the logits are highest on the path with the best sum of scores."""

    def __init__(self, classifier: nn.Linear) -> None:
        super().__init__()
        self.classifier = classifier
        self.transitions = nn.Parameter(torch.empty(classifier.out_features, classifier.out_features))

    def forward(self, states: ModelOutput) -> ModelOutput:
        """Logits ``(B, S, C)``."""
        scores = self.classifier(states.last_hidden_state)
        best, back = scores[:, 0], []
        for place in range(1, scores.shape[1]):  # Viterbi
            best, previous = (best[:, :, None] + self.transitions).max(dim=1)
            best = best + scores[:, place]
            back.append(previous)
        path = [best.argmax(dim=-1)]
        for previous in reversed(back):
            path.append(previous.gather(1, path[-1][:, None])[:, 0])
        labels = torch.stack(path[::-1], dim=1)
        return states.updated(logits=nn.functional.one_hot(labels, scores.shape[-1]).to(scores.dtype))


def _build(config: ModelConfig, backbone: Backbone) -> CRFHead:
    return CRFHead(nn.Linear(backbone.width, config.num_labels))


def _initialise(path: str, module: nn.Module, config: ModelConfig, generator: torch.Generator | None) -> None:
    """Every label follows the one before it in the cycle, whatever the token."""
    for parameter in module.parameters(recurse=False):
        nn.init.zeros_(parameter)
    if isinstance(module, CRFHead):
        with torch.no_grad():
            module.transitions.copy_(torch.eye(config.num_labels).roll(1, dims=1) * 5)


CRF: HeadPlan[ModelConfig] = HeadPlan(
    _build,
    rules={"crf": (Rename("crf.{p}", "head.{p}"), Rename("crf.emissions.{p}", "head.classifier.{p}"))},
    initialise=_initialise,
)


class Plugin:
    """Provides the head under three names: as what stands in for a token classifier, by itself, and out of reach."""

    @hookimpl
    def tfx_heads(self) -> list[HeadSpec]:
        target = f"{__name__}:CRF"
        return [
            HeadSpec("crf", target=target, serves=("token-classification",)),
            HeadSpec("shy-crf", target=target),
            HeadSpec("seeing-crf", target=target, capability="image-state"),
        ]
