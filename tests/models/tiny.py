"""Tiny models: the config of any architecture, inputs that it accepts, and noise for its parameters."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from tests.cases import Inputs, case_of

_Module = TypeVar("_Module", bound=nn.Module)


def tiny_config(model_type: str) -> dict[str, Any]:
    """Keys of its ``config.json``: small sizes, no dropout."""
    return dict(case_of(model_type).tiny)


def perturbed(model: _Module, seed: int, scale: float | Callable[[str], float]) -> _Module:
    """The model, with noise of this deviation added to every parameter; ``scale`` may depend on its name."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            deviation = scale if isinstance(scale, float) else scale(name)
            parameter.add_(torch.randn(parameter.shape, generator=generator) * deviation)
    return model


def texts_differ(name: str) -> float:
    """Noise with which a model writes something of its own after each text.

    Little of it in norms: one that ends the model would say alone what is written.
    """
    return 0.1 if "norm" in name else 0.3


def random_ids(model_type: str, rows: int, length: int, seed: int = 0) -> Tensor:
    """Token ids ``(rows, length)`` without the smallest, which are often special."""
    case = case_of(model_type)
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, case.tiny["vocab_size"] - 1, (rows, length), generator=generator)
    if case.end_token is not None:
        ids[:, -1] = case.end_token
    return ids


def target_ids(model_type: str, head: str, rows: int) -> Inputs:
    """What the decoder of an encoder-decoder reads, where the head does not take the source for it."""
    if head not in case_of(model_type).target_heads:
        return {}
    return {"decoder_input_ids": random_ids(model_type, 1, 4, seed=99).expand(rows, 4)}


def each_stream(value: Tensor, tokens: int) -> Sequence[Tensor]:
    """A result, or where there are several states for each token, ``(B, n·T, D)`` or ``(B, n, T, V)``, each."""
    if value.dim() == 4 and value.shape[2] == tokens:
        return value.unbind(1)
    several = value.dim() == 3 and value.shape[1] > tokens and value.shape[1] % tokens == 0
    return value.chunk(value.shape[1] // tokens, dim=1) if several else [value]
