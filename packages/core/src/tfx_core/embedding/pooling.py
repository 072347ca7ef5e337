"""Pooling: one vector for a text from the states of its tokens."""

from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from tfx_core.model import ModelOutput
from tfx_core.nn import first_tokens, last_tokens, mean_tokens

Pooling: TypeAlias = Literal["cls", "max", "mean", "mean_sqrt_len", "weightedmean", "lasttoken"]

POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


def real_states(output: ModelOutput, attention_mask: Tensor) -> Tensor:
    """Which of the last states are real, ``(B, S)``, 1 or 0: as the output says, which may have fewer than tokens."""
    return (attention_mask if output.token_mask is None else output.token_mask).long()


def pool(states: Tensor, mask: Tensor, how: Pooling, *, skip: int = 0) -> Tensor:
    """States (B, S, D) and mask (B, S), 1 for a token, to vectors (B, D) float32, whatever side the padding is on.

    ``skip`` leaves out the first tokens of every text (a prompt). ``weightedmean`` weighs a token by its position,
    counted from 1 and from the first token even when that is left out, as SGPT does (Muennighoff 2022, section 4).
    """
    states = states.float()
    position = mask.cumsum(-1)  # (B, S), from 1
    used = (mask > 0) & (position > skip)
    if how == "cls":
        return first_tokens(states, used)
    if how == "lasttoken":
        return last_tokens(states, used)
    if how == "max":
        return states.masked_fill(~used.unsqueeze(-1), -torch.inf).amax(1)
    # what stands at padding may be anything, and nan times 0 is nan
    states = states.masked_fill(~used.unsqueeze(-1), 0)
    if how == "mean":
        return mean_tokens(states, used)
    weights = (used * position if how == "weightedmean" else used).unsqueeze(-1).float()  # (B, S, 1)
    total = weights.sum(1).clamp(min=1)
    return (states * weights).sum(1) / (total.sqrt() if how == "mean_sqrt_len" else total)
