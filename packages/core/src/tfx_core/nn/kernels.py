"""Attention kernels: one signature, so that everything above them has a single path."""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class AttentionKernel(Protocol):
    """Scaled dot-product attention.

    ``query`` is ``(B, H, T, d)``, ``key`` and ``value`` are ``(B, H, S, d)``; ``bias``, broadcastable to
    ``(B, H, T, S)``, is added to the scaled scores and masks with very negative numbers. Returns ``(B, H, T, d)``.
    """

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, *, scale: float, dropout: float
    ) -> Tensor:
        """Attend; ``dropout`` is the probability of dropping an attention weight in this call."""
        ...


def sdpa(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, *, scale: float, dropout: float) -> Tensor:
    """Torch's fused attention."""
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout, scale=scale)


class EagerAttention:
    """Attention in separate steps, which can report its weights and switch heads off.

    ``head_mask``, broadcastable to ``(B, H, T, S)``, multiplies the weights; they are appended to ``record`` before
    that. An instance serves one layer of one call.
    """

    def __init__(self, record: list[Tensor] | None = None, head_mask: Tensor | None = None) -> None:
        self.record = record
        self.head_mask = head_mask

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, *, scale: float, dropout: float
    ) -> Tensor:
        """Attend, see `AttentionKernel`."""
        scores = query @ key.transpose(-1, -2) * scale  # (B, H, T, S)
        if bias is not None:
            scores = scores + bias
        weights = scores.softmax(dim=-1, dtype=torch.float32).to(query.dtype)
        weights = F.dropout(weights, dropout, training=dropout > 0)
        if self.head_mask is not None:
            weights = weights * self.head_mask
        if self.record is not None:
            self.record.append(weights)
        return weights @ value


def eager(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, *, scale: float, dropout: float) -> Tensor:
    """Attention in separate steps."""
    return EagerAttention()(query, key, value, bias, scale=scale, dropout=dropout)
