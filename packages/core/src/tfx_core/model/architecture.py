"""What an architecture is to the core: data that ties its config, parts, weight names and text together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import torch
from torch import Tensor, nn

from tfx_core.checkpoint import Rule, WeightTable
from tfx_core.model.config import ModelConfig
from tfx_core.model.heads.base import Head

if TYPE_CHECKING:
    from tfx_core.generation import DecodingState
    from tfx_core.model.model import Model
    from tfx_core.text import Recipe

C = TypeVar("C", bound=ModelConfig)


@dataclass(frozen=True)
class Architecture(Generic[C]):
    """The target of an `tfx_core.ArchitectureSpec`."""

    config: type[C]

    backbone: Callable[[C, str], nn.Module]
    """``(config, head)`` -> the backbone with the parts that this head needs, see `tfx_core.model.model.Backbone`.

    For a third party's head the second argument is the capability that its spec asks for.
    """

    heads: Mapping[str, Callable[[C], Head]]
    """Head name -> a function that builds it; ``"backbone"`` is always there and needs none."""

    weights: Callable[[C], WeightTable]
    """The names of the tensors in a checkpoint, which parts they make up, and which parts each head needs."""

    initialise: Callable[[str, nn.Module, C, torch.Generator | None], None]
    """``(path, module, config, generator)``: fills one module's own parameters (not its children's) as the paper did.

    Called for every module with its path in the model, such as ``backbone.stack.layers.0.feed_forward``.
    """

    ties: Mapping[str, tuple[tuple[str, str], ...]] | Callable[[C], Mapping[str, tuple[tuple[str, str], ...]]] = field(
        default_factory=dict
    )
    """Head name -> pairs of parameter names (of ours) that may share one tensor, the one to store second.

    A function of the config where it decides which parameters there are.
    """

    adapt: Callable[[C, str], C] = lambda config, head: config
    """The config for a head that the user asks for, for example a causal mask for ``causal-lm``."""

    text: "Recipe | None" = None
    """How the released tokenizer files are read."""

    decoding: "Callable[[Model, Mapping[str, Tensor]], DecodingState] | None" = None
    """``(model, inputs)`` -> the state of one generation; ``None`` where the model cannot generate."""


@dataclass(frozen=True)
class HeadFactory:
    """The target of a third party's `tfx_core.HeadSpec`."""

    build: Callable[[ModelConfig], Head]
    """Builds the head for a backbone with this config."""

    rules: tuple[Rule, ...]
    """Names of its tensors: in a checkpoint -> in the model, where they start with ``head.``."""

    initialise: Callable[[str, nn.Module, ModelConfig, torch.Generator | None], None]
    """Fills one module's own parameters, see `Architecture.initialise`."""
