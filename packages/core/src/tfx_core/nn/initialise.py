"""How new models are filled."""

import torch
from torch import Tensor, nn

from tfx_core.nn.embeddings import SinusoidalPositions
from tfx_core.nn.norms import RMSNorm


@torch.no_grad()
def initialise_normal(
    module: nn.Module, std: float, generator: torch.Generator | None = None, *, truncated: bool = False
) -> None:
    """Fill a linear layer, an embedding or a norm: weights normal with mean 0 and ``std``, biases 0, norm weights 1.

    ``truncated`` is as for `fill_normal`; the row of an embedding's padding token is zero. A table of sines is filled
    with these.
    """
    if isinstance(module, SinusoidalPositions):
        module.reset_parameters()
    elif isinstance(module, nn.Linear | nn.Embedding):
        fill_normal(module.weight, std, generator, truncated=truncated)
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            module.weight[module.padding_idx].zero_()
    elif isinstance(module, nn.LayerNorm | nn.RMSNorm | RMSNorm):
        module.weight.fill_(1.0)
    bias = getattr(module, "bias", None)
    if isinstance(bias, Tensor):
        bias.zero_()


@torch.no_grad()
def fill_normal(
    weight: Tensor, std: float, generator: torch.Generator | None = None, *, truncated: bool = False
) -> None:
    """Fill a tensor with normal numbers of mean 0 and ``std``.

    ``truncated`` cuts the distribution at two standard deviations (BERT, Devlin et al. 2019, the released code).
    """
    if truncated and std:
        nn.init.trunc_normal_(weight, 0.0, std, -2 * std, 2 * std, generator=generator)
    else:
        weight.normal_(0.0, std, generator=generator)
