"""What a plugin says it provides: names, one-line summaries and *targets*, never the objects themselves.

A target is ``"package.module:attribute"``. It is imported when the thing is first used, so listing what is installed
imports neither torch nor the code behind a name. Each class here is a kind of thing that plugins provide, and says
everything about its kind: a new kind is a new class.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True)
class Spec:
    """A name and where to find what it stands for."""

    kind: ClassVar[str]
    """What messages call one such thing."""

    plural: ClassVar[str]
    hook: ClassVar[str]
    """The hook that asks plugins for them."""

    hook_doc: ClassVar[str]
    """The sentence that explains the hook in `tfx_core.plugins.hookspecs`."""

    name: str
    target: str


@dataclass(frozen=True)
class ArchitectureSpec(Spec):
    """One model type; ``name`` is the ``model_type`` of its ``config.json``, the target a `tfx_core.Architecture`."""

    kind = "architecture"
    plural = "architectures"
    hook = "tfx_architectures"
    hook_doc = "Model types, each with its heads and the class names that ``config.json`` files use for it."

    heads: tuple[str, ...] = ()
    """Head names that the architecture has, without ``"backbone"``, which every one has; by default the classes'."""

    hf_classes: Mapping[str, str] = field(default_factory=dict)
    """Class names found under ``architectures`` in ``config.json`` -> head name, ``"backbone"`` included."""

    tokenizer_classes: tuple[str, ...] = ()
    """``tokenizer_class`` values of ``tokenizer_config.json`` that this architecture's recipe serves."""

    capabilities: tuple[str, ...] = ()
    """What a third party's head can ask of it, see `HeadSpec.capability`: the keys of `Architecture.capabilities`."""

    summary: str = ""
    paper: str = ""

    def __post_init__(self) -> None:
        if self.heads == () and isinstance(self.hf_classes, Mapping):  # what is given is checked when it is asked for
            named = dict.fromkeys(head for head in self.hf_classes.values() if head != "backbone")
            object.__setattr__(self, "heads", tuple(named))


@dataclass(frozen=True)
class HeadSpec(Spec):
    """A head of a third party for every architecture with a capability; the target a `tfx_core.model.HeadPlan`."""

    kind = "head"
    plural = "heads"
    hook = "tfx_heads"
    hook_doc = "Heads that fit any architecture with a given capability, such as a CRF over token states."

    capability: str = "token-states"
    """What the head needs of a backbone: ``"token-states"`` or ``"pooled-state"``."""

    serves: tuple[str, ...] = ()
    """Heads for which it can stand in: a task that asks for one of them also takes this one."""

    summary: str = ""


@dataclass(frozen=True)
class AttentionSpec(Spec):
    """An attention kernel, or a pattern that bounds the default one.

    The target follows `tfx_core.nn.AttentionKernel`, or is a `tfx_core.nn.PlacedMask`. With an ``example`` it is called
    for one, with the arguments that a user writes into brackets: ``attention="window(128, 0)"`` calls the target of
    ``"window"`` with 128 and 0. It raises `tfx_core.InputError` for values that it does not take; what its signature
    does not take it is never given.
    """

    kind = "attention"
    plural = "attentions"
    hook = "tfx_attentions"
    hook_doc = "Attention kernels and patterns that ``load_model(…, attention=name)`` can select."

    example: str = ""
    """How a name with arguments is written; empty where it takes none."""

    summary: str = ""


@dataclass(frozen=True)
class LinearSpec(Spec):
    """A type of packed weights, by the name that ``load_model(…, dtype=name)`` has for it.

    The target is a `tfx_core.nn.LinearKernel`, or several, of which the first is taken that the machine has.
    """

    kind = "linear"
    plural = "linears"
    hook = "tfx_linears"
    hook_doc = "Types of packed weights, with the kernels that inference computes linear layers with."

    summary: str = ""


@dataclass(frozen=True)
class TaskSpec(Spec):
    """A task for `tfx_core.pipeline`; the target is a `tfx_core.tasks.Task` subclass."""

    kind = "task"
    plural = "tasks"
    hook = "tfx_tasks"
    hook_doc = "Tasks that ``tfx_core.pipeline(name)`` and ``tfx-core run`` can carry out."

    heads: tuple[str, ...] = ()
    """Heads that can serve the task, the preferred one first."""

    aliases: tuple[str, ...] = ()
    """Further names; one like ``"translation_{src_lang}_to_{tgt_lang}"`` states the task's options in its braces."""

    yields_to: tuple[str, ...] = ()
    """Tasks for which a model's head stands rather than for this one, where only the model is named."""

    summary: str = ""


def alias_pattern(alias: str) -> re.Pattern[str]:
    """What matches the names that an alias stands for; raises `re.error` where the names in its braces are none."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+?)", re.escape(alias)))


@dataclass(frozen=True)
class ObjectiveSpec(Spec):
    """A pretraining objective; the target is a subclass of ``tfx_training.Objective``."""

    kind = "objective"
    plural = "objectives"
    hook = "tfx_objectives"
    hook_doc = "Pretraining objectives: how a corpus becomes batches, and the loss."

    architectures: tuple[str, ...] = ()
    """Model types that were pretrained so."""

    summary: str = ""


@dataclass(frozen=True)
class IndexSpec(Spec):
    """A kind of passage index; the target is a `tfx_core.embedding.VectorKind` or `StoreKind`."""

    kind = "index"
    plural = "indexes"
    hook = "tfx_indexes"
    hook_doc = "Passage indexes for retrieval."

    summary: str = ""


KINDS: tuple[type[Spec], ...] = tuple(Spec.__subclasses__())
"""Every class above, in the order in which plugins are asked for them."""
