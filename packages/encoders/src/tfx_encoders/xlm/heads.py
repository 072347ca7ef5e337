"""The heads of XLM and FlauBERT: what they compute, and the names of their tensors."""

from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.model import Backbone, HeadPlan, ModelOutput
from tfx_core.model.heads import (
    LanguageHead,
    LMHead,
    MaskedLMHead,
    SequenceSummary,
    SummaryChoiceHead,
    SummaryClassificationHead,
    question_answering,
    sequence_summary,
    span_beam,
    token_classification,
    token_loss,
)
from tfx_encoders.heads import TIES
from tfx_encoders.xlm.config import XLMConfig


class MaskedWritingHead(LanguageHead):
    """Predicts the token at each position; a text is written by predicting what a mask behind it stands for."""

    next_token = False

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """``labels`` ``(B, S)`` are the tokens at these positions, not shifted; logits ``(B, S, V)``."""
        logits = self.predictions(states.last_hidden_state)
        return states.updated(logits=logits, loss=token_loss(logits, labels, states.token_mask))


class AdaptivePredictions(nn.Module):
    """States to log-probabilities, by clusters of rarer tokens (Grave et al. 2017)."""

    def __init__(self, softmax: nn.AdaptiveLogSoftmaxWithLoss) -> None:
        super().__init__()
        self.softmax = softmax

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, V)``."""
        log_probabilities: Tensor = self.softmax.log_prob(x.flatten(0, -2))
        return log_probabilities.view(*x.shape[:-1], -1)


def _predictions(config: XLMConfig) -> nn.Module:
    if not config.asm:
        return LMHead(nn.Linear(config.emb_dim, config.vocab_size))
    return AdaptivePredictions(
        nn.AdaptiveLogSoftmaxWithLoss(
            config.emb_dim, config.vocab_size, config.asm_cutoffs, config.asm_div_value, head_bias=True
        )
    )


def _summary(config: XLMConfig, width: int) -> SequenceSummary:
    for key in ("summary_use_proj", "summary_proj_to_labels"):
        config.require(getattr(config, key), key, "true: the projection is what classifies")
    return sequence_summary(config, width)


def _classification(config: XLMConfig, backbone: Backbone) -> SummaryClassificationHead:
    return SummaryClassificationHead(_summary(config, backbone.width), nn.Identity(), config)


def _choice(config: XLMConfig, backbone: Backbone) -> SummaryChoiceHead:
    return SummaryChoiceHead(_summary(config, backbone.width), nn.Linear(config.num_labels, 1))


def _ties(config: XLMConfig) -> tuple[tuple[str, str], ...]:
    return () if config.asm else TIES


PREDICTIONS = (
    Rename("pred_layer.proj.head.{p}", "head.predictions.softmax.head.{p}"),
    Rename("pred_layer.proj.tail.{i}.{j}.weight", "head.predictions.softmax.tail.{i}.{j}.weight"),
    Rename("pred_layer.proj.{p}", "head.predictions.decoder.{p}"),
)
SUMMARY = (Rename("sequence_summary.summary.{p}", "head.summary.project.{p}"),)

HEADS: dict[str, HeadPlan[XLMConfig]] = {
    "masked-lm": HeadPlan(
        lambda config, backbone: MaskedLMHead(_predictions(config)), rules={"predictions": PREDICTIONS}, ties=_ties
    ),
    "causal-lm": HeadPlan(
        lambda config, backbone: MaskedWritingHead(_predictions(config)),
        rules={"predictions": PREDICTIONS},
        ties=_ties,
        shares_class="masked-lm",
        is_meant=lambda config: config.causal,
    ),
    "sequence-classification": HeadPlan(_classification, rules={"summary": SUMMARY}),
    "token-classification": token_classification(lambda config: config.dropout),
    "question-answering": question_answering(),
    "question-answering-beam": span_beam("qa_outputs."),
    "multiple-choice": HeadPlan(
        _choice, rules={"summary": SUMMARY, "choice": (Rename("logits_proj.{p}", "head.classifier.{p}"),)}
    ),
}
