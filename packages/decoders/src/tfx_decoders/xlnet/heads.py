"""XLNet's heads."""

from typing import Any

from torch import Tensor, nn

from tfx_core.model import ModelOutput, ProblemType
from tfx_core.model.heads import (
    AnswerClassifier,
    EndScorer,
    Head,
    LMHead,
    QuestionAnsweringHead,
    SequenceSummary,
    SpanBeamHead,
    TokenClassificationHead,
    classification_loss,
    flatten_choices,
    token_loss,
)
from tfx_core.nn import ActivationFunction
from tfx_decoders.xlnet.config import XLNetConfig
from tfx_decoders.xlnet.model import real_tokens


class PermutationLMHead(Head):
    """Predicts the tokens at the places that ``target_mapping`` names, or at every place."""

    generates = True

    def __init__(self, predictions: nn.Module) -> None:
        super().__init__()
        self.predictions = predictions

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """``labels`` ``(B, M)`` are the tokens at the targets, not shifted; logits ``(B, M, V)``."""
        logits = self.predictions(states.last_hidden_state)
        return states.updated(logits=logits, loss=token_loss(logits, labels))


class SummaryClassificationHead(Head):
    """Classifies or scores a text by its summary."""

    def __init__(self, summary: nn.Module, classifier: nn.Module, problem_type: ProblemType | None) -> None:
        super().__init__()
        self.summary = summary
        self.classifier = classifier
        self.problem_type = problem_type

    def forward(
        self,
        states: ModelOutput,
        *,
        attention_mask: Tensor | None = None,
        input_mask: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> ModelOutput:
        """``labels`` as for sequence classification; logits ``(B, C)``."""
        mask = real_tokens(attention_mask, input_mask)
        logits = self.classifier(self.summary(states.last_hidden_state, mask))
        return states.updated(logits=logits, loss=classification_loss(logits, labels, self.problem_type))


class SummaryChoiceHead(Head):
    """Scores the choices of each example, ``(B, choices, S)``, by their summaries."""

    def __init__(self, summary: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.summary = summary
        self.classifier = classifier

    def arrange(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Make every choice a row of the batch: ``(B, choices, …) -> (B·choices, …)``."""
        arranged = flatten_choices(inputs)
        if "input_mask" in inputs:
            arranged["input_mask"] = inputs["input_mask"].flatten(0, 1)
        return arranged

    def forward(
        self,
        states: ModelOutput,
        *,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        attention_mask: Tensor | None = None,
        input_mask: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> ModelOutput:
        """``labels`` ``(B,)`` are the right choices; logits ``(B, choices)``."""
        given = input_ids if input_ids is not None else inputs_embeds
        assert given is not None  # the backbone has refused a call without either
        mask = real_tokens(attention_mask, input_mask)
        summary = self.summary(states.last_hidden_state, None if mask is None else mask.flatten(0, 1))
        logits = self.classifier(summary).view(given.shape[:2])
        return states.updated(logits=logits, loss=token_loss(logits, labels))


class XLNetQuestionAnsweringHead(QuestionAnsweringHead):
    """Start and end scores, with either kind of mask."""

    def forward(
        self,
        states: ModelOutput,
        *,
        attention_mask: Tensor | None = None,
        input_mask: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
    ) -> ModelOutput:
        """As `QuestionAnsweringHead`."""
        return super().forward(
            states,
            attention_mask=real_tokens(attention_mask, input_mask),
            start_positions=start_positions,
            end_positions=end_positions,
        )


class XLNetSpanBeamHead(SpanBeamHead):
    """Starts and ends by beam, with either kind of mask."""

    def forward(
        self,
        states: ModelOutput,
        *,
        attention_mask: Tensor | None = None,
        input_mask: Tensor | None = None,
        p_mask: Tensor | None = None,
        cls_index: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        is_impossible: Tensor | None = None,
    ) -> ModelOutput:
        """As `SpanBeamHead`."""
        return super().forward(
            states,
            attention_mask=real_tokens(attention_mask, input_mask),
            p_mask=p_mask,
            cls_index=cls_index,
            start_positions=start_positions,
            end_positions=end_positions,
            is_impossible=is_impossible,
        )


def causal_lm(config: XLNetConfig) -> PermutationLMHead:
    """The permutation language model."""
    return PermutationLMHead(LMHead(nn.Linear(config.d_model, config.vocab_size)))


def sequence_classification(config: XLNetConfig) -> SummaryClassificationHead:
    """A classifier of texts."""
    return SummaryClassificationHead(
        _summary(config), nn.Linear(config.d_model, config.num_labels), config.problem_type
    )


def multiple_choice(config: XLNetConfig) -> SummaryChoiceHead:
    """A score for each choice."""
    return SummaryChoiceHead(_summary(config), nn.Linear(config.d_model, 1))


def token_classification(config: XLNetConfig) -> TokenClassificationHead:
    """A classifier of every token."""
    return TokenClassificationHead(nn.Linear(config.d_model, config.num_labels))


def question_answering(config: XLNetConfig) -> XLNetQuestionAnsweringHead:
    """Start and end scores of every token."""
    return XLNetQuestionAnsweringHead(nn.Linear(config.d_model, 2))


def question_answering_beam(config: XLNetConfig) -> XLNetSpanBeamHead:
    """Starts, ends that depend on them, and whether there is an answer."""
    width = config.d_model
    return XLNetSpanBeamHead(
        nn.Linear(width, 1),
        EndScorer(nn.Linear(2 * width, width), nn.LayerNorm(width, eps=config.layer_norm_eps), nn.Linear(width, 1)),
        AnswerClassifier(nn.Linear(2 * width, width), nn.Linear(width, 1, bias=False)),
        start_n_top=config.start_n_top,
        end_n_top=config.end_n_top,
    )


def _summary(config: XLNetConfig) -> SequenceSummary:
    return SequenceSummary(
        config.summary_type,
        nn.Linear(config.d_model, config.d_model) if config.summary_use_proj else nn.Identity(),
        nn.Identity() if config.summary_activation is None else ActivationFunction(config.summary_activation),
        config.summary_first_dropout,
        config.summary_last_dropout,
    )
