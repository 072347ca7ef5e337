"""BART's heads: what they compute, what they need, and the names of their tensors."""

import torch
from torch import Tensor, nn

from tfx_core.checkpoint import Rename
from tfx_core.model import Backbone, HeadPlan
from tfx_core.model.heads import LMHead, question_answering
from tfx_seq2seq.bart.config import BartConfig
from tfx_seq2seq.heads import ConditionalGenerationHead, DecoderLMHead, end_token_classification


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


def _conditional_generation(config: BartConfig, backbone: Backbone) -> ConditionalGenerationHead:
    return ConditionalGenerationHead(BiasedPredictions(_output_layer(config)), config)


def _causal_lm(config: BartConfig, backbone: Backbone) -> DecoderLMHead:
    return DecoderLMHead(LMHead(_output_layer(config)))


def _output_layer(config: BartConfig) -> nn.Linear:
    return nn.Linear(config.d_model, config.vocab_size, bias=False)


PREDICTIONS = (Rename("lm_head.weight", "head.predictions.decoder.weight"),)
LOGITS_BIAS = (Rename("final_logits_bias", "head.predictions.logits_bias"),)

HEADS: dict[str, HeadPlan[BartConfig]] = {
    "conditional-generation": HeadPlan(
        _conditional_generation,
        rules={"predictions": PREDICTIONS, "logits-bias": LOGITS_BIAS},
        optional={"logits-bias"},
        parts={"encoder"},
        ties=(("head.predictions.decoder.weight", "backbone.decoder.embeddings.token.weight"),),
    ),
    "sequence-classification": end_token_classification(lambda config: config.classifier_dropout, parts={"encoder"}),
    "question-answering": question_answering(parts={"encoder"}),
    "causal-lm": HeadPlan(
        _causal_lm,
        rules={"predictions": PREDICTIONS},
        ties=(("head.predictions.decoder.weight", "backbone.embeddings.token.weight"),),
        adapt=lambda config: config.replace(is_decoder=True, is_encoder_decoder=False),
    ),
}
