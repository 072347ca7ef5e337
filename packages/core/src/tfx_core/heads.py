"""Heads that any backbone with the named outputs can carry, each with its loss; an architecture adds its own."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.config import ProblemType
from tfx_core.errors import InputError
from tfx_core.nn import last_tokens
from tfx_core.outputs import ModelOutput

IGNORED = -100
"""Label of a token that does not count in a loss."""


class Head(nn.Module):
    """What turns a backbone's states into results.

    A subclass's ``forward`` takes the backbone's output first and names every other input that it uses, labels
    included: `tfx_core.Model` passes each by name, as the caller gave it, and refuses the rest.
    """

    generates = False
    """Whether the head predicts the next token, by a module ``predictions`` from states ``(…, D)`` to ``(…, V)``."""

    def arrange(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The call's inputs as the backbone shall see them; by default unchanged."""
        return inputs


class NoHead(Head):
    """The backbone alone."""

    def forward(self, states: ModelOutput) -> ModelOutput:
        """The states unchanged."""
        return states


class LMHead(nn.Module):
    """States to vocabulary logits: ``decoder(transform(x))``; ``decoder`` is often tied to the input embeddings."""

    def __init__(self, decoder: nn.Linear, transform: nn.Module | None = None) -> None:
        super().__init__()
        self.transform = nn.Identity() if transform is None else transform
        self.decoder = decoder

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, V)``."""
        logits: Tensor = self.decoder(self.transform(x))
        return logits


class MaskedLMHead(Head):
    """Predicts the token at each position."""

    def __init__(self, predictions: nn.Module) -> None:
        super().__init__()
        self.predictions = predictions

    def forward(
        self, states: ModelOutput, *, labels: Tensor | None = None, logits_positions: Tensor | None = None
    ) -> ModelOutput:
        """``labels`` ``(B, S)``, `IGNORED` where a token does not count; logits ``(B, S, V)``.

        ``logits_positions`` ``(N, 2)``, row and place, computes only those logits, ``(N, V)``; all by default.
        """
        x = states.last_hidden_state
        if logits_positions is not None:
            if labels is not None:
                raise InputError("logits_positions: a loss needs the logits of all positions")
            x = x[logits_positions.unbind(-1)]
        logits = self.predictions(x)
        return states.updated(logits=logits, loss=token_loss(logits, labels))


class CausalLMHead(Head):
    """Predicts the token after each position."""

    generates = True

    def __init__(self, predictions: nn.Module) -> None:
        super().__init__()
        self.predictions = predictions

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None, logits_to_keep: int = 0) -> ModelOutput:
        """``labels`` ``(B, S)`` are the inputs themselves, shifted here; logits ``(B, S, V)``.

        ``logits_to_keep`` computes only that many of the last positions, all by default.
        """
        if logits_to_keep and labels is not None:
            raise InputError(f"logits_to_keep={logits_to_keep}: a loss needs the logits of all positions")
        logits = self.predictions(states.last_hidden_state[:, -logits_to_keep:])
        return states.updated(logits=logits, loss=next_token_loss(logits, labels))


class SequenceClassificationHead(Head):
    """Classifies or scores a whole text from its pooled state."""

    def __init__(self, classifier: nn.Module, problem_type: ProblemType | None = None) -> None:
        super().__init__()
        self.classifier = classifier
        self.problem_type = problem_type

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """``labels`` ``(B,)`` classes or values, ``(B, C)`` for several at once; logits ``(B, C)``."""
        logits = self.classifier(states.pooler_output)
        return states.updated(logits=logits, loss=classification_loss(logits, labels, self.problem_type))


class LastTokenClassificationHead(Head):
    """Classifies a text by the state of its last token; where there is no mask, the last that is not padding."""

    def __init__(self, score: nn.Module, pad_token_id: int | None, problem_type: ProblemType | None) -> None:
        super().__init__()
        self.score = score
        self.pad_token_id = pad_token_id
        self.problem_type = problem_type

    def forward(
        self,
        states: ModelOutput,
        *,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> ModelOutput:
        """``labels`` as for sequence classification; logits ``(B, C)``."""
        if attention_mask is None and input_ids is not None and self.pad_token_id is not None:
            attention_mask = input_ids != self.pad_token_id
        logits = self.score(last_tokens(states.last_hidden_state, attention_mask))
        return states.updated(logits=logits, loss=classification_loss(logits, labels, self.problem_type))


class TokenClassificationHead(Head):
    """Classifies every token."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """``labels`` ``(B, S)``, `IGNORED` where a token does not count; logits ``(B, S, C)``."""
        logits = self.classifier(states.last_hidden_state)
        return states.updated(logits=logits, loss=token_loss(logits, labels))


class QuestionAnsweringHead(Head):
    """Scores every token as the start and as the end of the answer."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(
        self,
        states: ModelOutput,
        *,
        attention_mask: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
    ) -> ModelOutput:
        """Positions ``(B,)``, ignored where they lie beyond the text; both logits ``(B, S)``, lowest on padding."""
        logits = self.classifier(states.last_hidden_state)
        if attention_mask is not None and attention_mask.dim() == 2:
            # else the loss, a softmax over the text, would depend on the amount of padding
            logits = logits.masked_fill(~attention_mask.bool()[..., None], torch.finfo(logits.dtype).min)
        start_logits, end_logits = logits.unbind(-1)
        loss = span_loss(start_logits, end_logits, start_positions, end_positions)
        return states.updated(start_logits=start_logits, end_logits=end_logits, loss=loss)


class MultipleChoiceHead(Head):
    """Scores the choices of each example: inputs are ``(B, choices, S)``."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def arrange(self, inputs: dict[str, Any]) -> dict[str, Any]:
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
        given = input_ids if input_ids is not None else inputs_embeds
        assert given is not None  # the backbone has refused a call without either
        logits = self.classifier(states.pooler_output).view(given.shape[:2])
        return states.updated(logits=logits, loss=token_loss(logits, labels))


def flatten_choices(inputs: dict[str, Any]) -> dict[str, Any]:
    """Make every choice a row of the batch, ``(B, choices, …) -> (B·choices, …)``; raises `InputError` for less."""
    arranged = dict(inputs)
    for name in ("input_ids", "attention_mask", "token_type_ids", "position_ids", "inputs_embeds"):
        value = inputs.get(name)
        if value is None:
            continue
        if value.dim() != (4 if name == "inputs_embeds" else 3):
            raise InputError(f"{name} of shape {tuple(value.shape)}: multiple choice takes (batch, choices, …)")
        arranged[name] = value.flatten(0, 1)
    return arranged


def token_loss(logits: Tensor, labels: Tensor | None) -> Tensor | None:
    """Mean cross-entropy of ``(…, C)`` against ``(…)``, without labels `IGNORED`; ``None`` without labels."""
    if labels is None:
        return None
    if logits.shape[:-1] != labels.shape:
        raise InputError(f"labels of shape {tuple(labels.shape)}: the logits ask for {tuple(logits.shape[:-1])}")
    return F.cross_entropy(logits.float().flatten(0, -2), labels.flatten(), ignore_index=IGNORED)


def next_token_loss(logits: Tensor, labels: Tensor | None) -> Tensor | None:
    """Mean cross-entropy of each position's logits ``(B, S, V)`` against the next position's label ``(B, S)``."""
    return None if labels is None else token_loss(logits[:, :-1], labels[:, 1:])


def classification_loss(
    logits: Tensor, labels: Tensor | None, problem_type: ProblemType | None = None
) -> Tensor | None:
    """Loss of ``(B, C)`` scores; without a problem type: one class is regression, whole-number labels are classes."""
    if labels is None:
        return None
    if problem_type is None:
        single = not labels.is_floating_point() and logits.shape[-1] > 1
        problem_type = "single_label_classification" if single else "multi_label_classification"
        problem_type = "regression" if logits.shape[-1] == 1 else problem_type
    if problem_type == "single_label_classification":
        return token_loss(logits, labels)
    wanted = logits.squeeze(-1) if labels.dim() < logits.dim() else logits
    if wanted.shape != labels.shape:
        raise InputError(f"labels of shape {tuple(labels.shape)}: {problem_type} asks for {tuple(wanted.shape)}")
    loss = F.mse_loss if problem_type == "regression" else F.binary_cross_entropy_with_logits
    return loss(wanted.float(), labels.float())


def span_loss(
    start_logits: Tensor, end_logits: Tensor, start_positions: Tensor | None, end_positions: Tensor | None
) -> Tensor | None:
    """Mean of the two cross-entropies ``(B, S)``; a position outside the text does not count."""
    if start_positions is None and end_positions is None:
        return None
    if start_positions is None or end_positions is None:
        raise InputError("start_positions and end_positions go together; only one of them was given")
    length = start_logits.shape[1]
    losses = (
        F.cross_entropy(logits.float(), positions.view(-1).clamp(0, length), ignore_index=length)
        for logits, positions in ((start_logits, start_positions), (end_logits, end_positions))
    )
    start_loss, end_loss = losses
    return (start_loss + end_loss) / 2
