"""From a model to a folder that transformers and tfx both read."""

from pathlib import Path

from tfx_core import registry
from tfx_core.checkpoint import collect_weights, write_folder
from tfx_core.config import ModelConfig
from tfx_core.model import Model


def stored_config(model: Model) -> ModelConfig:
    """The model's config, saying which head is stored and whether its output layer is tied."""
    classes = registry.find("architecture", model.config.model_type).hf_classes
    named = [name for name, head in classes.items() if head == model.head_name]
    backbone = [name for name, head in classes.items() if head == "backbone"]
    config = model.config.replace(
        architectures=tuple(named[:1] or backbone[:1]), tfx_head=None if named else model.head_name
    )
    if model.ties:
        tied = all(model.get_parameter(name) is model.get_parameter(to) for name, to in model.ties)
        config = config.replace(tie_word_embeddings=tied)
    return config
