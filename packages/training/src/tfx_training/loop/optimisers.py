"""The optimisers, and how their rate goes."""

import math
from collections.abc import Iterator

import torch
from torch import nn

from tfx_core.errors import InputError
from tfx_training.loop import bfloat16
from tfx_training.settings import TrainingSettings


def optimisers_of(trainee: nn.Module, settings: TrainingSettings) -> list[torch.optim.Optimizer]:
    """One optimiser or two for all parameters that are trained; raises `InputError` where torch has none of its name.

    AdamW (Loshchilov & Hutter 2019), or Muon (Jordan et al. 2024) for the matrices of the layers, which needs torch
    2.9, and AdamW for embeddings, outputs tied to them, and vectors. Only what has two dimensions or more decays: no
    bias and no norm does.
    """
    matrices = list(_matrices_of_layers(trainee)) if settings.optimiser == "muon" else []
    taken = set(map(id, matrices))
    others = [each for each in trainee.parameters() if each.requires_grad and id(each) not in taken]
    groups = [
        {"params": [each for each in others if each.dim() >= 2], "weight_decay": settings.weight_decay},
        {"params": [each for each in others if each.dim() < 2], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(
        [group for group in groups if group["params"]], settings.rate, settings.betas, settings.epsilon, fused=True
    )
    return [adamw, _muon(matrices, settings)] if matrices else [adamw]


def _matrices_of_layers(trainee: nn.Module) -> Iterator[nn.Parameter]:
    """The weights of linear maps that are not tied to an embedding and do not score a vocabulary."""
    embeddings = {id(each.weight) for each in trainee.modules() if isinstance(each, nn.Embedding)}
    widest = max((each.num_embeddings for each in trainee.modules() if isinstance(each, nn.Embedding)), default=0)
    for name, parameter in trainee.named_parameters():
        is_table = id(parameter) in embeddings or "embedding" in name or widest in parameter.shape[:1]
        if parameter.requires_grad and parameter.dim() == 2 and not is_table:
            yield parameter


def _muon(matrices: list[nn.Parameter], settings: TrainingSettings) -> torch.optim.Optimizer:
    kind = getattr(torch.optim, "Muon", None)
    if kind is None:
        raise InputError(
            f"optimiser='muon': torch {torch.__version__} has no torch.optim.Muon; "
            "install torch 2.9 or later, or train with optimiser='adamw'"
        )
    if matrices[0].device.type == "cpu" and bfloat16.is_emulated():
        from tfx_training.loop.muon import Float32Muon

        kind = Float32Muon
    muon: torch.optim.Optimizer = kind(
        matrices, lr=settings.rate, weight_decay=settings.weight_decay, adjust_lr_fn="match_rms_adamw"
    )
    return muon


def rate_of(settings: TrainingSettings, step: int, done: float, warmed: float) -> float:
    """The rate of an update, after ``step`` others.

    ``done`` is the share of the training that is over, and ``warmed`` what it was when the warm-up was.

    It rises by equal steps to ``rate`` and falls after the warm-up: ``linear`` to 0 (Devlin et al. 2019), ``cosine``
    likewise (Radford et al. 2018), ``inverse-sqrt`` as √(warmup / step), or 1 / √step (Raffel et al. 2020).
    """
    if step < settings.warmup:
        return settings.rate * (step + 1) / settings.warmup
    if settings.schedule == "inverse-sqrt":
        return settings.rate * math.sqrt(max(1, settings.warmup) / (step + 1))
    left = (1 - done) / (1 - warmed)
    if settings.schedule == "cosine":
        return settings.rate * (1 - math.cos(math.pi * left)) / 2
    return settings.rate * (left if settings.schedule == "linear" else 1.0)
