"""Tiny models: inputs that an architecture accepts, and noise for its parameters."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

import tfx_core
from tfx_core.model import Model
from tfx_testing.cases import ArchitectureCase, Inputs

_Module = TypeVar("_Module", bound=nn.Module)


def tiny_model(case: ArchitectureCase, head: str, **changes: object) -> Model:
    """A tiny model with every parameter perturbed, norms and biases included; ``changes`` are keys of its config."""
    made = tfx_core.new_model(case.model_type, head=head, seed=1, **{**case.tiny, **changes}).eval()
    return perturbed(made, 2, 0.1)


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


def random_ids(case: ArchitectureCase, rows: int, length: int, seed: int = 0) -> Tensor:
    """Token ids ``(rows, length)`` without the smallest, which are often special."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, case.tiny["vocab_size"] - 1, (rows, length), generator=generator)
    if case.end_token is not None:
        ids[:, -1] = case.end_token
    return ids


def target_ids(case: ArchitectureCase, head: str, rows: int) -> Inputs:
    """What the decoder of an encoder-decoder reads, where the head does not take the source for it."""
    if head not in case.target_heads:
        return {}
    return {"decoder_input_ids": random_ids(case, 1, 4, seed=99).expand(rows, 4)}


def each_stream(value: Tensor, tokens: int) -> Sequence[Tensor]:
    """A result, or where there are several states for each token, ``(B, n·T, D)`` or ``(B, n, T, V)``, each."""
    if value.dim() == 4 and value.shape[2] == tokens:
        return value.unbind(1)
    several = value.dim() == 3 and value.shape[1] > tokens and value.shape[1] % tokens == 0
    return value.chunk(value.shape[1] // tokens, dim=1) if several else [value]
