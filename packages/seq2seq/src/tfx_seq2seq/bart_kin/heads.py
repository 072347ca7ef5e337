"""The heads of BART and its relatives: what they compute, what they need, and the names of their tensors."""

from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.model import Backbone, HeadPlan
from tfx_core.model.heads import LMHead, output_rows
from tfx_seq2seq.backbone import Shift, after_start_token
from tfx_seq2seq.bart_kin.config import BartKinConfig
from tfx_seq2seq.heads import ConditionalGenerationHead, DecoderLMHead


class BiasedPredictions(nn.Module):
    """States to vocabulary logits, with a stored bias that is not trained."""

    def __init__(self, decoder: nn.Linear) -> None:
        super().__init__()
        self.decoder = decoder
        self.logits_bias = nn.Parameter(torch.zeros(1, decoder.out_features), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, V)``."""
        logits: Tensor = self.decoder(x)
        if logits.requires_grad:  # what hooks the layer may hold them
            return logits + self.logits_bias
        logits += self.logits_bias  # in place: the logits are most of what a step of decoding writes
        return logits

    def only(self, tokens: Tensor) -> "BiasedPredictions":
        """The same for these tokens ``(n,)``: ``(…, D) -> (…, n)``."""
        few = BiasedPredictions(output_rows(self.decoder, tokens))
        few.logits_bias = nn.Parameter(self.logits_bias[:, tokens], requires_grad=False)
        return few


def _conditional_generation(shift: Shift, config: BartKinConfig, backbone: Backbone) -> ConditionalGenerationHead:
    return ConditionalGenerationHead(BiasedPredictions(_output_layer(config)), config, shift)


def _causal_lm(config: BartKinConfig, backbone: Backbone) -> DecoderLMHead:
    return DecoderLMHead(LMHead(_output_layer(config)))


def _output_layer(config: BartKinConfig) -> nn.Linear:
    return nn.Linear(config.d_model, config.target_vocab_size, bias=False)


C = TypeVar("C", bound=BartKinConfig)

PREDICTIONS = (Rename("lm_head.weight", "head.predictions.decoder.weight"),)
LOGITS_BIAS = (Rename("final_logits_bias", "head.predictions.logits_bias"),)


def conditional_generation(shift: Shift = after_start_token) -> HeadPlan[C]:
    """The whole model that writes a target; ``shift`` makes what its decoder reads, of labels."""
    return HeadPlan(
        partial(_conditional_generation, shift),
        rules={"predictions": PREDICTIONS, "logits-bias": LOGITS_BIAS},
        optional={"logits-bias"},
        parts={"encoder"},
        ties=(("head.predictions.decoder.weight", "backbone.decoder.embeddings.token.weight"),),
    )


def causal_lm() -> HeadPlan[C]:
    """The decoder alone, a language model."""
    return HeadPlan(
        _causal_lm,
        rules={"predictions": PREDICTIONS},
        ties=(("head.predictions.decoder.weight", "backbone.embeddings.token.weight"),),
        adapt=lambda config: config.alone(),
    )
