"""A model of a few parameters with one of every rule, and a checkpoint for it."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tfx_core.checkpoint import (
    Drop,
    Fuse,
    Legacy,
    Rename,
    Reshape,
    Same,
    Transpose,
    WeightTable,
    load_weights,
    open_folder,
    read_tensors,
    replacing,
)
from tfx_core.checkpoint.safetensors_format import write_safetensors
from tfx_core.checkpoint.unfilled import unfilled_modules

TABLE = WeightTable(
    parts={
        "core": (
            Legacy("{x}.gamma", "{x}.weight"),
            Drop("{x}.position_ids"),
            Rename("bert.embeddings.weight", "backbone.embeddings.weight"),
            Same("bert.second.weight", "bert.embeddings.weight"),
            Fuse(("bert.h.{i}.q.{p}", "bert.h.{i}.k.{p}", "bert.h.{i}.v.{p}"), "backbone.layers.{i}.qkv.{p}"),
            Transpose("bert.h.{i}.out.{p}", "backbone.layers.{i}.out.{p}"),
            Reshape("bert.r", "backbone.r.weight", view=lambda weight: weight.t().unflatten(1, (2, 2))),
            Rename("bert.norm.{p}", "backbone.norm.{p}"),
        ),
        "pooler": (Rename("bert.pooler.{p}", "backbone.pooler.{p}"),),
        "predictions": (
            Rename("cls.decoder.weight", "head.decoder.weight"),
            Rename("cls.bias", "head.decoder.bias"),
            Same("cls.decoder.bias", "cls.bias"),
            Reshape("final_logits_bias", "head.logits_bias", view=lambda bias: bias.unsqueeze(0)),
        ),
        "sequence-classifier": (Rename("classifier.{p}", "head.classifier.{p}"),),
        "token-classifier": (Rename("classifier.{p}", "head.classifier.{p}"),),
    },
    heads={
        "backbone": ("core", "pooler"),
        "masked-lm": ("core", "predictions"),
        "pretraining": ("core", "pooler", "predictions"),
        "sequence-classification": ("core", "pooler", "sequence-classifier"),
        "token-classification": ("core", "token-classifier"),
    },
    prefix="bert.",
    optional=("pooler",),
)
TIES = (("head.decoder.weight", "backbone.embeddings.weight"),)


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(4, 12)
        self.out = nn.Linear(4, 4)


class Backbone(nn.Module):
    def __init__(self, pooler: bool) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(7, 4)
        self.layers = nn.ModuleList([Layer(), Layer()])
        self.r = nn.Linear(4, 4, bias=False)
        self.norm = nn.LayerNorm(4)
        self.pooler = nn.Linear(4, 4) if pooler else nn.Identity()


class Predictions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.decoder = nn.Linear(4, 7)
        self.register_buffer("logits_bias", torch.zeros(7))


class Classifier(nn.Module):
    def __init__(self, labels: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(4, labels)


class Tiny(nn.Module):
    def __init__(self, head: str, labels: int = 2) -> None:
        super().__init__()
        self.backbone = Backbone("pooler" in TABLE.heads[head])
        if "predictions" in TABLE.heads[head]:
            self.head: nn.Module = Predictions()
        elif head.endswith("classification"):
            self.head = Classifier(labels)


def build(head: str, labels: int = 2) -> Tiny:
    with unfilled_modules():
        return Tiny(head, labels)


def weights(head: str, labels: int = 2) -> dict[str, Tensor]:
    """Random tensors of a checkpoint with this head, under the names of the checkpoint."""
    torch.manual_seed(1)
    shapes: dict[str, tuple[int, ...]] = {"bert.embeddings.weight": (7, 4), "bert.r": (4, 2, 2)}
    for i in (0, 1):
        for name in "qkv":
            shapes |= {f"bert.h.{i}.{name}.weight": (4, 4), f"bert.h.{i}.{name}.bias": (4,)}
        shapes |= {f"bert.h.{i}.out.weight": (4, 4), f"bert.h.{i}.out.bias": (4,)}
    shapes |= {"bert.norm.weight": (4,), "bert.norm.bias": (4,)}
    parts = TABLE.heads[head]
    if "pooler" in parts:
        shapes |= {"bert.pooler.weight": (4, 4), "bert.pooler.bias": (4,)}
    if "predictions" in parts:
        shapes |= {"cls.decoder.weight": (7, 4), "cls.bias": (7,), "final_logits_bias": (1, 7)}
    if head.endswith("classification"):
        shapes |= {"classifier.weight": (labels, 4), "classifier.bias": (labels,)}
    return {name: torch.randn(shape) for name, shape in shapes.items()}


def load(folder: Path, stored: Mapping[str, Tensor], head: str, labels: int = 2, **options: Any) -> Tiny:
    """A model with this head from a checkpoint with these tensors."""
    with replacing(folder / "model.safetensors") as file:  # an earlier model may have it mapped
        write_safetensors(file, stored)
    module = build(head, labels)
    options.setdefault("initialise", fill_with_nines)
    tensors = read_tensors(open_folder(folder))
    load_weights(module, tensors, TABLE, head=head, label="tiny", **options)
    return module


def fresh(module: Tiny) -> list[str]:
    """Names of the parameters and buffers that `fill_with_nines` filled."""
    return [name for name, tensor in module.state_dict().items() if tensor.eq(9).all()]


def fill_with_nines(module: nn.Module, names: Collection[str]) -> None:
    for name in names:
        module.get_parameter(name).fill_(9) if "logits_bias" not in name else module.get_buffer(name).fill_(9)
