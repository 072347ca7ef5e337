"""BART's heads."""

import torch
from torch import Tensor, nn

from tfx_core.model.heads import LMHead, QuestionAnsweringHead
from tfx_seq2seq.bart.config import BartConfig
from tfx_seq2seq.heads import ConditionalGenerationHead, DecoderLMHead, EndTokenClassificationHead, end_token_classifier


class BiasedPredictions(nn.Module):
    """States to vocabulary logits, with a stored bias that is not trained."""

    def __init__(self, decoder: nn.Linear) -> None:
        super().__init__()
        self.decoder = decoder
        self.logits_bias = nn.Parameter(torch.zeros(1, decoder.out_features), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, V)``."""
        logits: Tensor = self.decoder(x)
        logits += self.logits_bias  # in place: the logits are most of what a step of decoding writes
        return logits


def conditional_generation(config: BartConfig) -> ConditionalGenerationHead:
    """The language model over the decoder's states."""
    return ConditionalGenerationHead(
        BiasedPredictions(_output_layer(config)), config.decoder_start_token_id, config.pad_token_id
    )


def causal_lm(config: BartConfig) -> DecoderLMHead:
    """The language model of the decoder alone."""
    return DecoderLMHead(LMHead(_output_layer(config)))


def sequence_classification(config: BartConfig) -> EndTokenClassificationHead:
    """A classifier of the end token."""
    return end_token_classifier(config, config.d_model, config.classifier_dropout)


def question_answering(config: BartConfig) -> QuestionAnsweringHead:
    """Start and end scores of every token."""
    return QuestionAnsweringHead(nn.Linear(config.d_model, 2))


def _output_layer(config: BartConfig) -> nn.Linear:
    return nn.Linear(config.d_model, config.vocab_size, bias=False)
