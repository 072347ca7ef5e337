"""BERT's heads: what they compute, what they need, and the names of their tensors."""

from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.model import Backbone, HeadPlan, ModelOutput
from tfx_core.model.heads import Head, LMHead, question_answering, token_classification, token_loss
from tfx_encoders.bert.config import BertConfig
from tfx_encoders.heads import (
    TIES,
    SegmentPretrainingHead,
    build_predictions,
    causal_lm,
    head_dropout,
    masked_lm,
    pooled_choice,
    pooled_classification,
    prediction_rules,
)


class NextSentenceHead(Head):
    """Tells whether the second segment follows the first in the corpus: class 0 if it does."""

    def __init__(self, relationship: nn.Module) -> None:
        super().__init__()
        self.relationship = relationship

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """``labels`` ``(B,)``; logits ``(B, 2)``."""
        logits = self.relationship(states.pooler_output)
        return states.updated(logits=logits, loss=token_loss(logits, labels))


class PretrainingHead(SegmentPretrainingHead):
    """Masked tokens and next sentence together."""

    def forward(
        self,
        states: ModelOutput,
        *,
        labels: Tensor | None = None,
        next_sentence_label: Tensor | None = None,
        logits_positions: Tensor | None = None,
    ) -> ModelOutput:
        """``labels`` ``(B, S)`` and ``next_sentence_label`` ``(B,)``; a loss asks for both.

        ``logits_positions`` is that of `MaskedLMHead`; the logits of the segments are there anyhow.
        """
        names = {"label_name": "next_sentence_label", "logits_name": "seq_relationship_logits"}
        return self.related(states, labels, next_sentence_label, logits_positions, **names)


def _predictions(config: BertConfig) -> LMHead:
    width = config.hidden_size
    return build_predictions(width, width, config.vocab_size, config.hidden_act, config.layer_norm_eps)


def _next_sentence(config: BertConfig, backbone: Backbone) -> NextSentenceHead:
    return NextSentenceHead(nn.Linear(backbone.width, 2))


def _pretraining(config: BertConfig, backbone: Backbone) -> PretrainingHead:
    return PretrainingHead(_predictions(config), nn.Linear(backbone.width, 2))


PREDICTIONS = prediction_rules(
    "cls.predictions.transform.dense",
    "cls.predictions.transform.LayerNorm",
    "cls.predictions.decoder",
    "cls.predictions.bias",
)
RELATIONSHIP = (Rename("cls.seq_relationship.{p}", "head.relationship.{p}"),)

HEADS: dict[str, HeadPlan[BertConfig]] = {
    "masked-lm": masked_lm(_predictions, PREDICTIONS),
    "causal-lm": causal_lm(_predictions, PREDICTIONS),
    "next-sentence": HeadPlan(_next_sentence, rules={"relationship": RELATIONSHIP}, parts={"pooler"}),
    "pretraining": HeadPlan(
        _pretraining,
        rules={"predictions": PREDICTIONS, "relationship": RELATIONSHIP},
        parts={"pooler"},
        ties=TIES,
    ),
    "sequence-classification": pooled_classification(head_dropout),
    "token-classification": token_classification(head_dropout),
    "question-answering": question_answering(),
    "multiple-choice": pooled_choice(head_dropout),
}
