"""Heads that classify texts, tokens and choices, and how most architectures have them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.errors import InputError
from tfx_core.model.backbone import Inputs
from tfx_core.model.config import ModelConfig
from tfx_core.model.heads.base import Head
from tfx_core.model.heads.losses import classification_loss, token_loss
from tfx_core.model.heads.plan import C, HeadPlan
from tfx_core.model.outputs import ModelOutput
from tfx_core.nn import last_tokens


class SequenceClassificationHead(Head):
    """Classifies or scores a whole text from its pooled state."""

    def __init__(self, classifier: nn.Module, config: ModelConfig) -> None:
        super().__init__()
        self.classifier = classifier
        self.config = config

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """``labels`` ``(B,)`` classes or values, ``(B, C)`` for several at once; logits ``(B, C)``."""
        logits = self.classifier(self.pooled(states))
        return states.updated(logits=logits, loss=classification_loss(logits, labels, self.config.problem_type))

    def pooled(self, states: ModelOutput) -> Tensor:
        """What is classified, ``(B, D)``; by default what the backbone pools."""
        state: Tensor = states.pooler_output
        return state


class LastTokenClassificationHead(Head):
    """Classifies a text by the state of its last token; where there is no mask, the last that is not padding."""

    def __init__(self, score: nn.Module, config: ModelConfig) -> None:
        super().__init__()
        self.score = score
        self.config = config

    def forward(
        self,
        states: ModelOutput,
        *,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> ModelOutput:
        """``labels`` as for sequence classification; logits ``(B, C)``."""
        mask = states.token_mask
        if attention_mask is None and input_ids is not None and self.config.pad_token_id is not None:
            mask = input_ids != self.config.pad_token_id
        logits = self.score(last_tokens(states.last_hidden_state, mask))
        return states.updated(logits=logits, loss=classification_loss(logits, labels, self.config.problem_type))


class TokenClassificationHead(Head):
    """Classifies every token."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """``labels`` ``(B, S)``, `IGNORED` where a token does not count; logits ``(B, S, C)``."""
        logits = self.classifier(states.last_hidden_state)
        return states.updated(logits=logits, loss=token_loss(logits, labels, states.token_mask))


class MultipleChoiceHead(Head):
    """Scores the choices of each example: inputs are ``(B, choices, S)``."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def arrange(self, inputs: Inputs) -> Inputs:
        """Make every choice a row of the batch: ``(B, choices, …) -> (B·choices, …)``."""
        return flatten_choices(inputs)

    def forward(
        self,
        states: ModelOutput,
        *,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> ModelOutput:
        """``labels`` ``(B,)`` are the right choices; logits ``(B, choices)``."""
        logits = self.classifier(self.pooled(states)).view(choices_shape(input_ids, inputs_embeds))
        return states.updated(logits=logits, loss=token_loss(logits, labels))

    def pooled(self, states: ModelOutput) -> Tensor:
        """What is scored, ``(B·choices, D)``; by default what the backbone pools."""
        state: Tensor = states.pooler_output
        return state


def flatten_choices(inputs: Inputs) -> Inputs:
    """Make every choice a row of the batch, ``(B, choices, …) -> (B·choices, …)``; raises `InputError` for less."""
    arranged = dict(inputs)
    masks = ("attention_mask", "global_attention_mask")
    for name in ("input_ids", *masks, "token_type_ids", "position_ids", "langs", "inputs_embeds"):
        value = inputs.get(name)
        if value is None:
            continue
        if value.dim() != (4 if name == "inputs_embeds" else 3):
            raise InputError(f"{name} of shape {tuple(value.shape)}: multiple choice takes (batch, choices, …)")
        arranged[name] = value.flatten(0, 1)
    return arranged


def choices_shape(input_ids: Tensor | None, inputs_embeds: Tensor | None) -> torch.Size:
    """``(B, choices)``, of inputs as they were before `flatten_choices`."""
    given = input_ids if input_ids is not None else inputs_embeds
    assert given is not None  # the backbone has refused a call without either
    return given.shape[:2]


def last_token_classification() -> HeadPlan[C]:
    """A classifier of the last token, without a bias."""
    return HeadPlan(
        lambda config, backbone: LastTokenClassificationHead(
            nn.Linear(backbone.width, config.num_labels, bias=False), config
        ),
        rules={"score": (Rename("score.weight", "head.score.weight"),)},
    )


def token_classification(dropout: Callable[[C], float] = lambda config: 0.0, name: str = "classifier") -> HeadPlan[C]:
    """A classifier of every token, after a dropout that the config says; ``name`` is how a checkpoint calls it."""
    return HeadPlan(
        lambda config, backbone: TokenClassificationHead(
            nn.Sequential(nn.Dropout(dropout(config)), nn.Linear(backbone.width, config.num_labels))
        ),
        rules={"token-classifier": (Rename(name + ".{p}", "head.classifier.1.{p}"),)},
    )
