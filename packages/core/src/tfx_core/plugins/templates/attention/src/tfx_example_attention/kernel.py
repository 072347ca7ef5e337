"""The kernel: what every attention layer computes, once queries, keys and values are there."""

import torch
from tfx_core.nn import Bias, Observer, repeat_key_heads
from torch import Tensor, nn

MOST = 16
"""How many keys a query looks at."""


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Bias | None,
    *,
    scale: float,
    dropout: float,
    observer: Observer | None = None,
) -> Tensor:
    """Attend to the keys with the highest scores; a `tfx_core.nn.AttentionKernel`.

    Queries ``(B, H, T, d)``, keys and values ``(B, G, S, d)`` of as many heads or fewer; gives ``(B, H, T, d)``.
    """
    key, value = repeat_key_heads(query, key, value)  # (B, H, S, d)
    scores = query @ key.transpose(-1, -2) * scale  # (B, H, T, S)
    if bias is not None:  # it hides padding and the future, and holds the positions of some models: never leave it out
        scores = scores + bias.dense(query, key)
    weakest = scores.topk(min(MOST, scores.shape[-1])).values[..., -1:]
    scores = scores.masked_fill(scores < weakest, float("-inf"))
    weights = scores.softmax(dim=-1, dtype=torch.promote_types(scores.dtype, torch.float32)).to(query.dtype)
    weights = nn.functional.dropout(weights, dropout, training=dropout > 0)  # 0 where the model does not learn
    if observer is not None:  # somebody asks for attentions, or masks heads
        weights = observer(weights)
    return weights @ value
