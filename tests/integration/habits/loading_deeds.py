"""Loading: names that are imported, keywords of ``from_pretrained``."""

import torch

import tfx_core
from tests.integration.habits.world import World


def imported(name: str) -> object:
    namespace: dict[str, object] = {}
    exec(f"from tfx_core import {name}", namespace)
    return namespace[name]


def torch_dtype(world: World) -> None:
    assert tfx_core.load_model(world.folder(), torch_dtype=torch.bfloat16).dtype == torch.bfloat16


def new_torch_dtype(world: World) -> None:
    assert tfx_core.new_model("bert", torch_dtype="bfloat16", **world.tiny("bert")).dtype == torch.bfloat16


DEEDS = {
    ("tfx_core", "AutoModel"): lambda world: imported("AutoModel"),
    ("tfx_core", "AutoModelForSequenceClassification"): lambda world: imported("AutoModelForSequenceClassification"),
    ("load_model", "torch_dtype="): torch_dtype,
    ("load_model", "trust_remote_code="): lambda world: tfx_core.load_model(world.folder(), trust_remote_code=False),
    ("new_model", "torch_dtype="): new_torch_dtype,
    ("load_tokenizer", "use_fast="): lambda world: tfx_core.load_tokenizer(world.folder(), use_fast=True),
}
