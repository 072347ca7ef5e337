"""Llama's heads: what each builds, and the names of its tensors in a checkpoint."""

from collections.abc import Mapping
from dataclasses import replace

from torch import nn

from tfx_core import Backbone
from tfx_core.checkpoint import Rename
from tfx_core.model import HeadPlan
from tfx_core.model.heads import (
    CausalLMHead,
    LMHead,
    last_token_classification,
    question_answering,
    token_classification,
)
from tfx_llama.config import LlamaConfig


def _causal_lm(config: LlamaConfig, backbone: Backbone) -> CausalLMHead:
    return CausalLMHead(LMHead(nn.Linear(backbone.width, config.vocab_size, bias=False)))


HEADS: Mapping[str, HeadPlan[LlamaConfig]] = {
    "causal-lm": HeadPlan(
        _causal_lm,
        rules={"predictions": (Rename("lm_head.weight", "head.predictions.decoder.weight"),)},
        ties=(("head.predictions.decoder.weight", "backbone.embeddings.token.weight"),),
    ),
    "sequence-classification": last_token_classification(),
    "token-classification": token_classification(lambda config: 0.1, name="score"),
    "question-answering": replace(question_answering(), prefix="transformer."),
}
