"""ALBERT's heads: what they compute, what they need, and the names of their tensors."""

from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.model import Backbone, HeadPlan, ModelOutput
from tfx_core.model.heads import LMHead, question_answering, token_classification
from tfx_encoders.albert.config import AlbertConfig
from tfx_encoders.heads import (
    TIES,
    SegmentPretrainingHead,
    build_predictions,
    head_dropout,
    masked_lm,
    pooled_choice,
    pooled_classification,
    prediction_rules,
)


class PretrainingHead(SegmentPretrainingHead):
    """Masked tokens and the order of two segments together."""

    def forward(
        self,
        states: ModelOutput,
        *,
        labels: Tensor | None = None,
        sentence_order_label: Tensor | None = None,
        logits_positions: Tensor | None = None,
    ) -> ModelOutput:
        """``labels`` ``(B, S)`` and ``sentence_order_label`` ``(B,)``, 1 if swapped; a loss asks for both.

        ``logits_positions`` is that of `MaskedLMHead`; the logits of the segments are there anyhow.
        """
        names = {"label_name": "sentence_order_label", "logits_name": "sop_logits"}
        return self.related(states, labels, sentence_order_label, logits_positions, **names)


def _predictions(config: AlbertConfig) -> LMHead:
    return build_predictions(
        config.hidden_size, config.embedding_size, config.vocab_size, config.hidden_act, config.layer_norm_eps
    )


def _pretraining(config: AlbertConfig, backbone: Backbone) -> PretrainingHead:
    order = nn.Sequential(nn.Dropout(config.head_dropout), nn.Linear(backbone.width, config.num_labels))
    return PretrainingHead(_predictions(config), order)


PREDICTIONS = prediction_rules("predictions.dense", "predictions.LayerNorm", "predictions.decoder", "predictions.bias")

HEADS: dict[str, HeadPlan[AlbertConfig]] = {
    "masked-lm": masked_lm(_predictions, PREDICTIONS),
    "pretraining": HeadPlan(
        _pretraining,
        rules={
            "predictions": PREDICTIONS,
            "order": (Rename("sop_classifier.classifier.{p}", "head.relationship.1.{p}"),),
        },
        parts={"pooler"},
        ties=TIES,
    ),
    "sequence-classification": pooled_classification(head_dropout),
    "token-classification": token_classification(head_dropout),
    "question-answering": question_answering(),
    "multiple-choice": pooled_choice(head_dropout),
}
