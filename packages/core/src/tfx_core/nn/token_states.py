"""One state of a text out of those of its tokens: the first, the last or the mean one, whichever side is padded."""

import torch
from torch import Tensor


def first_tokens(states: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The state of each row's first real token, ``(B, S, D) -> (B, D)``, whichever side is padded."""
    if attention_mask is None or attention_mask.dim() != 2:
        return states[:, 0]
    places = attention_mask.long().argmax(dim=-1)
    return states[torch.arange(states.shape[0], device=states.device), places]


def last_tokens(states: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The state of each row's last real token, ``(B, S, D) -> (B, D)``, whichever side is padded."""
    if attention_mask is None or attention_mask.dim() != 2:
        return states[:, -1]
    places = attention_mask.shape[1] - 1 - attention_mask.long().flip(-1).argmax(dim=-1)
    return states[torch.arange(states.shape[0], device=states.device), places]


def mean_tokens(states: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The mean state of each row's real tokens, ``(B, S, D) -> (B, D)``."""
    if attention_mask is None or attention_mask.dim() != 2:
        return states.mean(dim=1)
    weights = attention_mask.to(states.dtype)[..., None]
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
