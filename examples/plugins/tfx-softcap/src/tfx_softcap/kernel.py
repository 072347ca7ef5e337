"""The kernel: scores, cap, bias, softmax, values."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.fields import Positive, checked
from tfx_core.nn import AttentionKernel, Bias, Observer, repeat_key_heads


def softcap(cap: float) -> AttentionKernel:
    """``softcap(50)``: scores as ``50 · tanh(scores / 50)``; raises `InputError` for what is no positive number."""
    cap = checked(cap, Positive, "softcap: cap", InputError)
    if cap == 0:
        raise InputError("softcap: cap=0.0: must be above 0; nothing would be left of the scores")
    return Softcap(cap)


@dataclass(frozen=True)
class Softcap:
    """Attention with capped scores: a `tfx_core.nn.AttentionKernel`.

    A class of a module, not a function made in `softcap`, so that a model that has it can be pickled.
    """

    cap: float

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
        """Queries ``(B, H, T, d)``, keys and values ``(B, G, S, d)`` -> ``(B, H, T, d)``."""
        key, value = repeat_key_heads(query, key, value)  # (B, H, S, d)
        scores = self.cap * torch.tanh(query @ key.transpose(-1, -2) * (scale / self.cap))  # (B, H, T, S)
        if bias is not None:
            scores = scores + bias.dense(query, key)  # after the cap: what is hidden stays hidden
        weights = scores.softmax(dim=-1, dtype=torch.promote_types(scores.dtype, torch.float32)).to(query.dtype)
        weights = F.dropout(weights, dropout, training=dropout > 0)
        return (weights if observer is None else observer(weights)) @ value
