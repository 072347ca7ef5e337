"""Attention kernels: one signature, so that everything above them has a single path."""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from tfx_core.nn.bias import Bias, Causal
from tfx_core.nn.blocks import banded
from tfx_core.nn.observer import Observer


class AttentionKernel(Protocol):
    """Scaled dot-product attention.

    ``query`` is ``(B, H, T, d)``, ``key`` and ``value`` are ``(B, G, S, d)``: each of ``G`` heads serves ``H / G``
    queries, see `repeat_key_heads`. ``bias`` is added to the scaled scores: ``bias.dense(query, key)`` is broadcastable
    to ``(B, H, T, S)``. Returns ``(B, H, T, d)``.
    """

    def __call__(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        bias: Bias | None,
        *,
        scale: float,
        dropout: float,
        observer: Observer | None,
    ) -> Tensor:
        """Attend; ``dropout`` is the probability of dropping an attention weight in this call.

        Where there is an ``observer``, it is shown the weights ``(B, H, T, S)`` and gives back those to use.
        """
        ...


def sdpa(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Bias | None,
    *,
    scale: float,
    dropout: float,
    observer: Observer | None = None,
) -> Tensor:
    """Torch's fused attention, in blocks where the bias bounds it (`banded`); observed, it takes the steps apart."""
    if observer is not None:
        return eager(query, key, value, bias, scale=scale, dropout=dropout, observer=observer)
    causal = False
    if isinstance(bias, Causal) and query.shape[2] == key.shape[2]:  # a branch, for compiled sizes compare to a symbol
        causal, bias = True, None
    in_blocks = banded(query, key, value, bias, scale=scale, dropout=dropout)
    if in_blocks is not None:
        return in_blocks
    return F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=None if bias is None else bias.dense(query, key),
        is_causal=causal,
        dropout_p=dropout,
        scale=scale,
        enable_gqa=bool(query.shape[1] != key.shape[1]),  # no bool while torch.jit.trace records
    )


def eager(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Bias | None,
    *,
    scale: float,
    dropout: float,
    observer: Observer | None = None,
) -> Tensor:
    """Attention in separate steps."""
    key, value = repeat_key_heads(query, key, value)
    scores = query @ key.transpose(-1, -2) * scale  # (B, H, T, S)
    if bias is not None:
        scores = scores + bias.dense(query, key)
    # never in a narrower type: what hides all keys of a query would be infinite in it
    weights = scores.softmax(dim=-1, dtype=torch.promote_types(scores.dtype, torch.float32)).to(query.dtype)
    weights = F.dropout(weights, dropout, training=dropout > 0)
    return (weights if observer is None else observer(weights)) @ value


def repeat_key_heads(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values ``(B, G, S, d)`` for each head of the queries ``(B, H, T, d)``: ``(B, H, S, d)``."""
    times = query.shape[1] // key.shape[1]
    if times == 1:
        return key, value
    return key.repeat_interleave(times, dim=1), value.repeat_interleave(times, dim=1)
