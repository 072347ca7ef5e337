"""XLNet's heads: what they compute, and the names of their tensors."""

from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.model import Backbone, HeadPlan, ModelOutput
from tfx_core.model.heads import (
    LanguageHead,
    LMHead,
    question_answering,
    sequence_summary,
    span_beam,
    summary_choice,
    summary_classification,
    token_classification,
    token_loss,
)
from tfx_decoders.xlnet.config import XLNetConfig


class PermutationLMHead(LanguageHead):
    """Predicts the tokens at the places that ``target_mapping`` names, or at every place."""

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """``labels`` ``(B, M)`` are the tokens at the targets, not shifted; logits ``(B, M, V)``."""
        logits = self.predictions(states.last_hidden_state)
        return states.updated(logits=logits, loss=token_loss(logits, labels, states.token_mask))


def _causal_lm(config: XLNetConfig, backbone: Backbone) -> PermutationLMHead:
    return PermutationLMHead(LMHead(nn.Linear(config.d_model, config.vocab_size)))


PREDICTIONS = (Rename("lm_loss.{p}", "head.predictions.decoder.{p}"),)
SUMMARY = (
    Rename("sequence_summary.summary.{p}", "head.summary.project.{p}"),
    Rename("logits_proj.{p}", "head.classifier.{p}"),
)
TIES = (("head.predictions.decoder.weight", "backbone.token.weight"),)

HEADS: dict[str, HeadPlan[XLNetConfig]] = {
    "causal-lm": HeadPlan(_causal_lm, rules={"predictions": PREDICTIONS}, ties=TIES),
    "sequence-classification": summary_classification(sequence_summary, SUMMARY),
    "token-classification": token_classification(),
    "multiple-choice": summary_choice(sequence_summary, SUMMARY),
    "question-answering": question_answering(),
    "question-answering-beam": span_beam(),
}
