"""What a plugin says it provides: names, one-line summaries and *targets*, never the objects themselves.

A target is ``"package.module:attribute"``. It is imported when the thing is first used, so listing what is installed
imports neither torch nor the code behind a name. Each class here is a kind of thing that plugins provide, and says
everything about its kind: a new kind is a new class.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import ClassVar, Self

from tfx_core import __version__
from tfx_core.errors import PluginError, in_one_line, shown
from tfx_core.habits.nearest import nearest
from tfx_core.plugins.faults import Fault, upgrade


class UnknownFieldError(PluginError, TypeError):
    """A field that a spec does not have in this core: mistyped, or of a newer one."""


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

    def __new__(cls, *values: object, **named: object) -> Self:
        """Raise `UnknownFieldError` for a field that the kind does not have; its message says what to do."""
        known = [each.name for each in fields(cls)]
        for name in named.keys() - known:
            close = nearest(name, known)
            cure = f"a newer core may have it: {upgrade('tfx-core')}" if close is None else f"did you mean {close}?"
            raise UnknownFieldError(
                f"{cls.__name__} has no field {in_one_line(name, 100)} in tfx-core {__version__}, but "
                f"{', '.join(known)}; {cure}"
            )
        return super().__new__(cls)

    def misfit(self, thing: object) -> Fault | None:
        """Why what the target stands for is not what its kind has to be; ``None`` where it is.

        Imports what it compares with. What it raises, asking a stranger's object, is a misfit too.
        """
        return None

    def _unless(self, fits: bool, thing: object, expected: str) -> Fault | None:
        """The fault of a target that is something else."""
        return None if fits else Fault(f"stands for {shown(thing)}, which is no {expected}", self._correct)

    @property
    def _correct(self) -> str:
        return f"correct its target {self.target!r}, or what is there"


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

    def misfit(self, thing: object) -> Fault | None:
        """An `Architecture` has the model type, the heads and the capabilities that its spec promises."""
        from tfx_core.model import Architecture

        if not isinstance(thing, Architecture):
            return self._unless(False, thing, "tfx_core.Architecture")
        for what, promised, given in (
            ("model_type", [self.name], [thing.config.model_type]),
            ("heads", self.heads, thing.heads),
            ("capabilities", self.capabilities, thing.capabilities),
        ):
            if {*promised} != {*given}:
                said = f"{what} of the spec {sorted(promised)}, of {self.target} {sorted(given)}"
                return Fault(f"is not as promised: {said}", "make both say the same")
        return None


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

    def misfit(self, thing: object) -> Fault | None:
        """A `HeadPlan`."""
        from tfx_core.model import HeadPlan

        return self._unless(isinstance(thing, HeadPlan), thing, "tfx_core.model.HeadPlan")


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

    def misfit(self, thing: object) -> Fault | None:
        """Something to call, or a pattern."""
        from tfx_core.nn import PlacedMask

        fits = callable(thing) or (isinstance(thing, PlacedMask) and not self.example)
        makes = "function that makes an attention of arguments" if self.example else "tfx_core.nn.AttentionKernel"
        return self._unless(fits, thing, makes)


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

    def misfit(self, thing: object) -> Fault | None:
        """A `LinearKernel` has all parts of the protocol."""
        from tfx_core.nn import LinearKernel

        parts = [name for name in vars(LinearKernel) if not name.startswith("_")]
        kernels = thing if isinstance(thing, Sequence) else [thing]
        lacks = dict.fromkeys(part for each in kernels for part in parts if not hasattr(each, part))
        missing = f": {', '.join(lacks)} missing" if lacks else ""
        return self._unless(bool(kernels) and not lacks, thing, f"tfx_core.nn.LinearKernel, nor some{missing}")


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

    def misfit(self, thing: object) -> Fault | None:
        """A subclass of `Task`."""
        from tfx_core.tasks import Task

        return self._unless(isinstance(thing, type) and issubclass(thing, Task), thing, "subclass of tfx_core.Task")


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

    def misfit(self, thing: object) -> Fault | None:
        """A subclass of ``tfx_training.Objective``, known by its name: the core does not import that distribution."""
        bases = type.mro(thing) if isinstance(thing, type) else ()
        fits = any(
            (each.__module__.partition(".")[0], each.__name__) == ("tfx_training", "Objective") for each in bases
        )
        return self._unless(fits, thing, "subclass of tfx_training.Objective")


@dataclass(frozen=True)
class IndexSpec(Spec):
    """A kind of passage index; the target is a `tfx_core.embedding.VectorKind` or `StoreKind`."""

    kind = "index"
    plural = "indexes"
    hook = "tfx_indexes"
    hook_doc = "Passage indexes for retrieval."

    summary: str = ""

    def misfit(self, thing: object) -> Fault | None:
        """A `VectorKind` or a `StoreKind`."""
        from tfx_core.embedding import StoreKind, VectorKind

        kinds = "tfx_core.embedding.VectorKind, nor a StoreKind"
        return self._unless(isinstance(thing, VectorKind | StoreKind), thing, kinds)


KINDS: tuple[type[Spec], ...] = tuple(Spec.__subclasses__())
"""Every class above, in the order in which plugins are asked for them."""
