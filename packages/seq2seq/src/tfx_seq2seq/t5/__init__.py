"""T5 (Raffel et al. 2020)."""

import torch
from torch import nn

from tfx_core.model import Architecture
from tfx_core.nn import RMSNorm
from tfx_seq2seq.decoding import seq2seq_decoding
from tfx_seq2seq.t5.config import T5Config
from tfx_seq2seq.t5.heads import HEADS
from tfx_seq2seq.t5.model import build_backbone
from tfx_seq2seq.t5.text import RECIPE
from tfx_seq2seq.t5.weights import backbone_rules

__all__ = ["ARCHITECTURE", "T5Config"]


@torch.no_grad()
def _initialise(path: str, module: nn.Module, config: T5Config, generator: torch.Generator | None) -> None:
    """As in the released code: deviations of ``1/√fan-in``, queries also by ``1/√d`` since scores are not scaled."""
    factor = config.initializer_factor
    if isinstance(module, RMSNorm):
        module.weight.fill_(factor)
    elif isinstance(module, nn.Embedding):
        of_positions = path.endswith("position_bias.table")
        module.weight.normal_(0.0, factor * (config.d_model**-0.5 if of_positions else 1.0), generator=generator)
    elif isinstance(module, nn.Linear):
        std = factor if path == "head.predictions.decoder" else factor * module.in_features**-0.5
        module.weight.normal_(0.0, std, generator=generator)
        if path.endswith(("projections.qkv", "projections.queries")):
            module.weight[: config.num_heads * config.d_kv] *= config.d_kv**-0.5
        if "bias" in dict(module.named_parameters()):
            module.bias.zero_()


ARCHITECTURE = Architecture(
    config=T5Config,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=_initialise,
    parts={"decoder"},
    capabilities={"token-states": ()},
    text=RECIPE,
    decoding=seq2seq_decoding,
)
