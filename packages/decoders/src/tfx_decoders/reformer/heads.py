"""Reformer's heads: what they compute, what they need, and the names of their tensors. States are ``2·D`` wide."""

import torch
from torch import Tensor, nn

from tfx_core.checkpoint import Rename, Same
from tfx_core.model import Backbone, HeadPlan
from tfx_core.model.heads import (
    CausalLMHead,
    LMHead,
    MaskedLMHead,
    SequenceSummary,
    SummaryClassificationHead,
    question_answering,
)
from tfx_decoders.reformer.config import ReformerConfig


class ChunkedLMHead(LMHead):
    """Logits of so many tokens at a time."""

    def __init__(self, decoder: nn.Linear, tokens: int) -> None:
        super().__init__(decoder)
        self.tokens = tokens

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, V)``."""
        if x.dim() < 3 or x.shape[1] <= self.tokens:
            return super().forward(x)
        return torch.cat(
            [super(ChunkedLMHead, self).forward(part) for part in torch.split(x, self.tokens, dim=1)], dim=1
        )


def _predictions(config: ReformerConfig, backbone: Backbone) -> LMHead:
    decoder = nn.Linear(backbone.width, config.vocab_size)
    return ChunkedLMHead(decoder, config.chunk_size_lm_head) if config.chunk_size_lm_head else LMHead(decoder)


def _causal_lm(config: ReformerConfig, backbone: Backbone) -> CausalLMHead:
    config.require(
        config.is_decoder, "is_decoder", "true for causal-lm: else every token sees the ones that it has to predict"
    )
    for kind in sorted(set(config.attn_layers)):
        key = {"lsh": "lsh_num_chunks_after", "local": "local_num_chunks_after"}[kind]
        config.require(getattr(config, key) == 0, key, "0 for causal-lm: no token sees a chunk that follows")
    return CausalLMHead(_predictions(config, backbone))


def _masked_lm(config: ReformerConfig, backbone: Backbone) -> MaskedLMHead:
    config.require(
        not config.is_decoder, "is_decoder", "false for masked-lm: a token is told from what follows it, too"
    )
    return MaskedLMHead(_predictions(config, backbone))


def _classification(config: ReformerConfig, backbone: Backbone) -> SummaryClassificationHead:
    given, width = config.classifier_dropout, config.hidden_size
    dropout = config.hidden_dropout_prob if given is None else given
    summary = SequenceSummary("first", nn.Linear(backbone.width, width), nn.Tanh(), dropout, dropout)
    return SummaryClassificationHead(summary, nn.Linear(width, config.num_labels), config)


PREDICTIONS = (
    Rename("lm_head.decoder.weight", "head.predictions.decoder.weight"),
    Same("lm_head.decoder.bias", "lm_head.bias", written=True, blank=True),
    Rename("lm_head.bias", "head.predictions.decoder.bias"),
)
CLASSIFIER = (
    Rename("classifier.dense.{p}", "head.summary.project.{p}"),
    Rename("classifier.out_proj.{p}", "head.classifier.{p}"),
)

HEADS: dict[str, HeadPlan[ReformerConfig]] = {
    "causal-lm": HeadPlan(
        _causal_lm, rules={"predictions": PREDICTIONS}, adapt=lambda config: config.replace(is_decoder=True)
    ),
    "masked-lm": HeadPlan(
        _masked_lm, rules={"predictions": PREDICTIONS}, adapt=lambda config: config.replace(is_decoder=False)
    ),
    "sequence-classification": HeadPlan(_classification, rules={"sequence-classifier": CLASSIFIER}),
    "question-answering": question_answering(),
}
