"""Attention masks: Boolean while they are combined, additive once per stack."""

import torch
from torch import Tensor


def padding_mask(attention_mask: Tensor) -> Tensor:
    """Which keys may be seen, ``(B, S)`` or ``(B, T, S)`` of zeros and ones -> Boolean ``(B, 1, 1|T, S)``."""
    allowed = attention_mask.bool()
    return allowed[:, None, None, :] if allowed.dim() == 2 else allowed[:, None, :, :]


def causal_mask(queries: int, keys: int, device: torch.device) -> Tensor:
    """Boolean ``(1, 1, T, S)``: the ``queries`` are the last of the ``keys``, each sees itself and what came before."""
    ones = torch.ones(queries, keys, dtype=torch.bool, device=device)
    return ones.tril(keys - queries)[None, None]


def additive(allowed: Tensor, dtype: torch.dtype) -> Tensor:
    """Zero where attention is allowed, else half the lowest number of ``dtype``.

    Not minus infinity: a query that may see nothing, such as padding under a causal mask, would become NaN. Half, so
    that neither a bias nor autocast's narrower type makes it infinite.
    """
    lowest = torch.finfo(dtype).min / 2
    return torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill(~allowed, lowest)


def positions_of(attention_mask: Tensor) -> Tensor:
    """Position ``(B, S)`` of each real token among its row's real tokens, so that padding moves nothing."""
    return (attention_mask.long().cumsum(-1) - 1).clamp(min=0)


def first_tokens(states: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The state of each row's first real token, ``(B, S, D) -> (B, D)``, whichever side is padded."""
    if attention_mask is None or attention_mask.dim() != 2:
        return states[:, 0]
    places = attention_mask.long().argmax(dim=-1)
    return states[torch.arange(len(states), device=states.device), places]


def last_tokens(states: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The state of each row's last real token, ``(B, S, D) -> (B, D)``, whichever side is padded."""
    if attention_mask is None or attention_mask.dim() != 2:
        return states[:, -1]
    places = attention_mask.shape[1] - 1 - attention_mask.long().flip(-1).argmax(dim=-1)
    return states[torch.arange(len(states), device=states.device), places]


def mean_tokens(states: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The mean state of each row's real tokens, ``(B, S, D) -> (B, D)``."""
    if attention_mask is None or attention_mask.dim() != 2:
        return states.mean(dim=1)
    weights = attention_mask.to(states.dtype)[..., None]
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
