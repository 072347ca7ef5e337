"""Models made of other models: each part is asked of the registry by the ``model_type`` of its config."""

from torch import nn

from tfx_core.checkpoint import Rule
from tfx_core.model.config import ModelConfig
from tfx_core.model.loading import load_architecture
from tfx_core.model.model import Model


class Part(Model):
    """A whole model, head included, that is a module of another one's backbone, under the name of its config's field.

    The outer model fills, ties, loads and saves it by the part's own architecture. Its config is stored in the outer
    one's.
    """

    get_extra_state = nn.Module.get_extra_state
    set_extra_state = nn.Module.set_extra_state


def build_part(config: ModelConfig, head: str = "backbone") -> Part:
    """The model with this config and head; raises `UnknownNameError` where nothing gives its architecture."""
    return Part(load_architecture(config.model_type), config, head)


def part_rules(config: ModelConfig, head: str = "backbone", *, name: str, theirs: str) -> tuple[Rule, ...]:
    """The names of its tensors where it is the backbone's ``name``, in a checkpoint after ``theirs``."""
    table = load_architecture(config.model_type).weight_table(config, head)
    return table.moved(head, theirs=theirs, ours=f"backbone.{name}.")
