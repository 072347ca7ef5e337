"""CTRL's heads: what they compute, what they need, and the names of their tensors."""

from torch import nn

from tfx_core.checkpoint import Rename
from tfx_core.model import Backbone, HeadPlan
from tfx_core.model.heads import CausalLMHead, LMHead, last_token_classification
from tfx_decoders.ctrl.config import CTRLConfig


def _causal_lm(config: CTRLConfig, backbone: Backbone) -> CausalLMHead:
    return CausalLMHead(LMHead(nn.Linear(backbone.width, config.vocab_size)))


HEADS: dict[str, HeadPlan[CTRLConfig]] = {
    "causal-lm": HeadPlan(
        _causal_lm,
        rules={"predictions": (Rename("lm_head.{p}", "head.predictions.decoder.{p}"),)},
        ties=(("head.predictions.decoder.weight", "backbone.embeddings.token.weight"),),
    ),
    "sequence-classification": last_token_classification("classifier"),
}
