"""The head: what turns a backbone's states into results, and what its tensors are called in a checkpoint."""

import torch
from tfx_core import Backbone, ModelConfig, ModelOutput
from tfx_core.checkpoint import Rename
from tfx_core.model import HeadPlan
from tfx_core.model.heads import Head, classification_loss
from torch import Tensor, nn


class ExampleHead(Head):
    """Classifies a text by a weighted mean of the states of its tokens; how much each weighs is learnt."""

    def __init__(self, score: nn.Linear, classifier: nn.Linear, config: ModelConfig) -> None:
        super().__init__()
        self.score = score
        self.classifier = classifier
        self.config = config

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """``labels`` ``(B,)`` classes or values; logits ``(B, C)``.

        Name every input that the head uses, as ``labels`` here: the model refuses all others.
        """
        tokens = states.last_hidden_state  # (B, S, D)
        scores = self.score(tokens)  # (B, S, 1)
        if states.token_mask is not None:  # neither results nor losses may depend on padding, whatever stands there
            padding = ~states.token_mask[..., None]
            scores = scores.masked_fill(padding, torch.finfo(scores.dtype).min)
            tokens = tokens.masked_fill(padding, 0)
        pooled = (scores.softmax(dim=1) * tokens).sum(dim=1)  # (B, D)
        logits = self.classifier(pooled)
        return states.updated(logits=logits, loss=classification_loss(logits, labels, self.config.problem_type))


def _build(config: ModelConfig, backbone: Backbone) -> ExampleHead:
    score, classifier = nn.Linear(backbone.width, 1), nn.Linear(backbone.width, config.num_labels)
    return ExampleHead(score, classifier, config)


_NAMES = Rename("example_head.{module:score|classifier}.{p}", "head.{module}.{p}")
"""What the tensors are called in a checkpoint, then here: one rule or several, and every tensor in one of them."""

PLAN: HeadPlan[ModelConfig] = HeadPlan(
    _build,
    rules={"example-head": (_NAMES,)},
    # the architecture fills new linear layers; a parameter of another kind needs initialise= here
)
