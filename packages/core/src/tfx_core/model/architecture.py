"""What an architecture is to the core: data that ties its config, backbone, heads, weight names and text together."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, cast

from torch import Tensor

from tfx_core.checkpoint import BackboneRules, Rule, WeightTable
from tfx_core.errors import UnknownNameError, shown
from tfx_core.habits import nearest
from tfx_core.model.backbone import Backbone
from tfx_core.model.heads.base import NoHead
from tfx_core.model.heads.plan import C, HeadPlan, Initialise, Ties
from tfx_core.plugins import ArchitectureSpec, HeadSpec, registry

if TYPE_CHECKING:
    from tfx_core.generation import DecodingState
    from tfx_core.model.model import Model
    from tfx_core.text import Recipe


@dataclass(frozen=True)
class Architecture(Generic[C]):
    """The target of an `tfx_core.ArchitectureSpec`."""

    config: type[C]

    backbone: Callable[[C, frozenset[str]], Backbone]
    """``(config, parts)`` -> the backbone with these of its optional parts."""

    heads: Mapping[str, HeadPlan[C]]
    """Head name -> its plan; ``"backbone"``, for none, is always there."""

    weights: Callable[[C, frozenset[str]], BackboneRules]
    """``(config, parts)`` -> names of the tensors of the backbone that ``backbone`` builds for the same."""

    initialise: Initialise[C]
    """Called for every module with its path in the model, such as ``backbone.stack.layers.0.feed_forward``."""

    parts: Collection[str] = ()
    """The optional parts that the backbone has where there is no head."""

    capabilities: Mapping[str, Collection[str]] = field(default_factory=dict)
    """What a third party's head may ask for, ``"token-states"`` or ``"pooled-state"`` -> the parts that give it."""

    ties: Callable[[C, frozenset[str]], Ties] = lambda config, parts: ()
    """``(config, parts)`` -> the pairs of `HeadPlan.ties` that the backbone has whatever its head: those come first."""

    join: "Callable[[Mapping[str, Model]], Mapping[str, Any]] | None" = None
    """Models by the names of the backbone's modules -> keys of the config of a model made of them.

    ``None`` where it is not made of others; raises `InputError` for models that it cannot be made of.
    """

    text: "Recipe | None" = None
    """How the released tokenizer files are read."""

    decoding: "Callable[[Model, Mapping[str, Tensor]], DecodingState] | None" = None
    """``(model, inputs)`` -> the state of one generation; ``None`` where the model cannot generate."""

    @property
    def spec(self) -> ArchitectureSpec:
        """What the plugin that provides it says of it; raises `UnknownNameError` where none is installed."""
        entry = registry.giver(ArchitectureSpec, self.config.model_type, self)
        return registry.find(ArchitectureSpec, self.config.model_type) if entry is None else entry.spec

    def plan(self, head: str) -> HeadPlan[C]:
        """The plan of a head of ours, of none, or of a third party's for a capability that we have.

        Raises `UnknownNameError` that says which heads there are.
        """
        if head == "backbone":
            return HeadPlan(lambda config, backbone: NoHead(), parts=self.parts, prefix="")
        return self.heads[head] if head in self.heads else self._foreign(head)

    def class_of(self, head: str) -> str | None:
        """The reference's class for a head, ``None`` where it has none."""
        plan = self.heads.get(head)
        known = head if plan is None or plan.shares_class is None else plan.shares_class
        return next((name for name, stands_for in self.spec.hf_classes.items() if stands_for == known), None)

    def head_of(self, name: str, config: C) -> str | None:
        """The head that a class of the reference stands for in a checkpoint with this config; ``None`` if unknown."""
        head = self.spec.hf_classes.get(name)
        meant = (own for own, plan in self.heads.items() if plan.shares_class == head and plan.is_meant(config))
        return None if head is None else next(meant, head)

    def unread(self, reads: str | None) -> Collection[str]:
        """The parts that give nothing but other capabilities than ``reads``; none for None."""
        if reads is None:
            return ()
        others = {part for name, parts in self.capabilities.items() if name != reads for part in parts}
        return others - {*self.capabilities.get(reads, others)}

    def weight_table(self, config: C, head: str) -> WeightTable:
        """Names of the tensors of a model with this head, and of those that its checkpoint may have for other heads."""
        own = self.plan(head)
        backbone = self.weights(config, frozenset(own.parts))
        plans = {"backbone": self.plan("backbone"), **self.heads, head: own}
        return WeightTable(
            parts=_parts({"core": backbone.core, **backbone.parts}, plans),
            heads={name: ("core", *plan.parts, *plan.rules) for name, plan in plans.items()},
            prefix=backbone.prefix,
            prefixes={name: plan.prefix for name, plan in plans.items() if plan.prefix is not None},
            optional={*backbone.optional, *(part for plan in plans.values() for part in plan.optional)},
        )

    def __reduce_ex__(self, protocol: Any) -> Any:
        """By its name where it is installed, so that models can be pickled; as any object where it is not."""
        entry = registry.giver(ArchitectureSpec, self.config.model_type, self)
        if entry is None:
            return super().__reduce_ex__(protocol)
        return registry.load, (ArchitectureSpec, registry.spelled(entry))

    def _foreign(self, head: str) -> HeadPlan[C]:
        model_type = self.config.model_type
        installed = [entry.spec.name for entry in registry.specs(HeadSpec)]
        if head.rpartition(":")[2] not in installed:
            close = nearest(head, ("backbone", *self.heads, *installed))
            raise UnknownNameError(
                f"no head {shown(head)} for {model_type}: "
                + ("" if close is None else f"did you mean {close!r}? ")
                + f"it has {', '.join(('backbone', *self.heads))}"
                + (f"; installed beside these are {', '.join(installed)}" if installed else "")
            )
        spec = registry.find(HeadSpec, head)
        if spec.capability not in self.capabilities:
            raise UnknownNameError(
                f"head {head!r} needs a backbone with {spec.capability!r}; {model_type} has "
                f"{', '.join(map(repr, self.capabilities)) or 'nothing for heads of others'}"
            )
        plan = cast(HeadPlan[C], registry.load(HeadSpec, head))
        return replace(plan, parts={*self.capabilities[spec.capability], *plan.parts})


def _parts(of_backbone: Mapping[str, Sequence[Rule]], plans: Mapping[str, HeadPlan[Any]]) -> dict[str, Sequence[Rule]]:
    """The parts of backbone and heads; `ValueError` where one name stands for two."""
    parts = dict(of_backbone)
    for head, plan in plans.items():
        for name, rules in plan.rules.items():
            if tuple(parts.setdefault(name, rules)) != tuple(rules):
                raise ValueError(f"head {head!r}: there is another part {name!r}, with other rules; rename one")
    return parts
