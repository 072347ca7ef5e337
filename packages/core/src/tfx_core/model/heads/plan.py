"""What a head is before it is built: everything that the core, checkpoints included, has to know about it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Generic, TypeAlias, TypeVar

import torch
from torch import nn

from tfx_core.checkpoint import Rule
from tfx_core.model.backbone import Backbone
from tfx_core.model.config import ModelConfig
from tfx_core.model.heads.base import Head

C = TypeVar("C", bound=ModelConfig)

Initialise: TypeAlias = Callable[[str, nn.Module, C, torch.Generator | None], None]
"""``(path, module, config, generator)``: fills one module's own parameters (not its children's) as the paper did."""

Ties: TypeAlias = Sequence[tuple[str, str]]
"""Pairs of parameter names (of ours) that may share one tensor, the one to store second."""


@dataclass(frozen=True)
class HeadPlan(Generic[C]):
    """One head: of an architecture (`tfx_core.Architecture.heads`) or a third party's (`tfx_core.HeadSpec`)."""

    build: Callable[[C, Backbone], Head]
    """``(config, backbone)`` -> the head; ``backbone.width`` is the width of the states that it reads."""

    _: KW_ONLY

    rules: Mapping[str, Sequence[Rule]] = field(default_factory=dict)
    """Names of its tensors, in a checkpoint -> in the model, where they start with ``head.``, in named parts.

    A checkpoint has or lacks a part as a whole. Heads that give a part the same name share its tensors; parts of
    different names are different things, even where their tensors have the same names.
    """

    optional: Collection[str] = ()
    """Those of its parts that a checkpoint of this very head may lack all the same."""

    parts: Collection[str] = ()
    """Parts of the backbone that it needs; a third party leaves that to the capability that its spec asks for."""

    prefix: str | None = None
    """How the names of the backbone's tensors begin in a checkpoint of this head; by default as in the rules."""

    ties: Ties | Callable[[C], Ties] = ()
    """A function of the config where it decides which parameters there are."""

    adapt: Callable[[C], C] = lambda config: config
    """The config for a user who asks for this head, for example with a causal mask; what the user says comes last."""

    shares_class: str | None = None
    """Another head, whose class of the reference stands for this one, too."""

    is_meant: Callable[[C], bool] = lambda config: False
    """Whether a checkpoint with this config, of a class that two heads share, has this one."""

    initialise: Initialise[C] | None = None
    """How its modules are filled, by default as all of the architecture's."""

    def ties_of(self, config: C) -> Ties:
        """The ties of a model with this config."""
        return self.ties(config) if callable(self.ties) else self.ties
