"""XLNet's heads: what they compute, and the names of their tensors."""

from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.model import Backbone, HeadPlan, Inputs, ModelOutput
from tfx_core.model.heads import (
    AnswerClassifier,
    EndScorer,
    Head,
    LanguageHead,
    LMHead,
    SequenceSummary,
    SpanBeamHead,
    choices_shape,
    classification_loss,
    flatten_choices,
    question_answering,
    token_classification,
    token_loss,
)
from tfx_core.nn import ActivationFunction
from tfx_decoders.xlnet.config import XLNetConfig


class PermutationLMHead(LanguageHead):
    """Predicts the tokens at the places that ``target_mapping`` names, or at every place."""

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """``labels`` ``(B, M)`` are the tokens at the targets, not shifted; logits ``(B, M, V)``."""
        logits = self.predictions(states.last_hidden_state)
        return states.updated(logits=logits, loss=token_loss(logits, labels, states.token_mask))


class SummaryClassificationHead(Head):
    """Classifies or scores a text by its summary."""

    def __init__(self, summary: nn.Module, classifier: nn.Module, config: XLNetConfig) -> None:
        super().__init__()
        self.summary = summary
        self.classifier = classifier
        self.config = config

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """``labels`` as for sequence classification; logits ``(B, C)``."""
        logits = self.classifier(self.summary(states.last_hidden_state, states.token_mask))
        return states.updated(logits=logits, loss=classification_loss(logits, labels, self.config.problem_type))


class SummaryChoiceHead(Head):
    """Scores the choices of each example, ``(B, choices, S)``, by their summaries."""

    def __init__(self, summary: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.summary = summary
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
        summary = self.summary(states.last_hidden_state, states.token_mask)
        logits = self.classifier(summary).view(choices_shape(input_ids, inputs_embeds))
        return states.updated(logits=logits, loss=token_loss(logits, labels))


def _causal_lm(config: XLNetConfig, backbone: Backbone) -> PermutationLMHead:
    return PermutationLMHead(LMHead(nn.Linear(config.d_model, config.vocab_size)))


def _sequence_classification(config: XLNetConfig, backbone: Backbone) -> SummaryClassificationHead:
    return SummaryClassificationHead(_summary(config), nn.Linear(backbone.width, config.num_labels), config)


def _multiple_choice(config: XLNetConfig, backbone: Backbone) -> SummaryChoiceHead:
    return SummaryChoiceHead(_summary(config), nn.Linear(backbone.width, 1))


def _question_answering_beam(config: XLNetConfig, backbone: Backbone) -> SpanBeamHead:
    width = backbone.width
    return SpanBeamHead(
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


PREDICTIONS = (Rename("lm_loss.{p}", "head.predictions.decoder.{p}"),)
SUMMARY = (
    Rename("sequence_summary.summary.{p}", "head.summary.project.{p}"),
    Rename("logits_proj.{p}", "head.classifier.{p}"),
)
BEAM = (
    Rename("start_logits.dense.{p}", "head.start.{p}"),
    Rename("end_logits.dense_0.{p}", "head.end.join.{p}"),
    Rename("end_logits.LayerNorm.{p}", "head.end.norm.{p}"),
    Rename("end_logits.dense_1.{p}", "head.end.score.{p}"),
    Rename("answer_class.dense_0.{p}", "head.answer.join.{p}"),
    Rename("answer_class.dense_1.{p}", "head.answer.score.{p}"),
)
TIES = (("head.predictions.decoder.weight", "backbone.token.weight"),)

HEADS: dict[str, HeadPlan[XLNetConfig]] = {
    "causal-lm": HeadPlan(_causal_lm, rules={"predictions": PREDICTIONS}, ties=TIES),
    "sequence-classification": HeadPlan(_sequence_classification, rules={"summary": SUMMARY}),
    "token-classification": token_classification(),
    "multiple-choice": HeadPlan(_multiple_choice, rules={"summary": SUMMARY}),
    "question-answering": question_answering(),
    "question-answering-beam": HeadPlan(_question_answering_beam, rules={"beam": BEAM}),
}
