"""Names of tensors in a checkpoint ("theirs") and in our modules ("ours"), as data that reads in both directions.

A pattern is a name with fields: ``{i}`` to ``{n}`` stand for digits, ``{x}`` for one or more parts with their dots, any
other ``{word}`` for one part, and ``{word:this|that}`` for one of those. Both sides of a rule have the same fields::

    Rename("h.{i}.ln_1.{p}", "backbone.layers.{i}.self_attention.norm.{p}")

Every rule says how a checkpoint's tensors look as *views* of our parameter. Loading copies into the views and saving
reads them, so that no rule can be right in one direction and wrong in the other, and nothing is held twice.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import KW_ONLY, dataclass, replace
from functools import cache, cached_property

import torch
from torch import Tensor

_FIELD = re.compile(r"\{(\w+)(?::([\w|]+))?\}")
_DIGITS = frozenset("ijklmn")


class WeightRule(ABC):
    """One of our parameters out of one or several tensors of a checkpoint."""

    ours: str

    @property
    @abstractmethod
    def their_patterns(self) -> tuple[str, ...]:
        """The patterns of the checkpoint's names, one per tensor."""

    @abstractmethod
    def views(self, tensor: Tensor) -> tuple[Tensor, ...]:
        """Our parameter seen as the tensors of the checkpoint."""

    def __post_init__(self) -> None:
        fields = {frozenset(_fields(pattern)) for pattern in (*self.their_patterns, self.ours)}
        if len(fields) != 1:
            raise ValueError(f"{self}: both sides must have the same fields, or it works in one direction only")

    def sources(self, ours: str) -> tuple[str, ...] | None:
        """Names in the checkpoint for a name of ours, ``None`` if the rule is not about it."""
        match = self._regexes[-1].fullmatch(ours)
        return None if match is None else tuple(_filled(pattern, match) for pattern in self.their_patterns)

    def target(self, theirs: str) -> str | None:
        """Our name for a name in the checkpoint, ``None`` if the rule is not about it."""
        for regex in self._regexes[:-1]:
            match = regex.fullmatch(theirs)
            if match is not None:
                return _filled(self.ours, match)
        return None

    @cached_property
    def _regexes(self) -> tuple[re.Pattern[str], ...]:
        """Of the checkpoint's names and, last, of ours; ``{word:this|that}`` in one of them holds for all."""
        patterns = (*self.their_patterns, self.ours)
        choices = tuple({field: words for p in patterns for field, words in _FIELD.findall(p) if words}.items())
        return tuple(_compiled(pattern, choices) for pattern in patterns)


@dataclass(frozen=True)
class Rename(WeightRule):
    """The same tensor under another name."""

    theirs: str
    ours: str
    _: KW_ONLY
    always: bool = False
    """Whether it is written, too, where the parameter is one with another, which has the rule for both."""

    @property
    def their_patterns(self) -> tuple[str, ...]:
        """One name."""
        return (self.theirs,)

    def views(self, tensor: Tensor) -> tuple[Tensor, ...]:
        """The tensor itself."""
        return (tensor,)


@dataclass(frozen=True)
class Computed(Rename):
    """A tensor that follows from the config: read where a checkpoint has it, made as for a new model where not."""


@dataclass(frozen=True)
class Transpose(Rename):
    """A matrix that the checkpoint stores the other way round, as GPT-2's ``Conv1D`` does."""

    def views(self, tensor: Tensor) -> tuple[Tensor, ...]:
        """``(out, in) -> (in, out)``; a vector, which a bias is, stays."""
        return (tensor.t(),)


@dataclass(frozen=True)
class Reshape(Rename):
    """A tensor of another shape or order of dimensions.

    ``view`` makes their shape of our parameter by views alone (``t``, ``permute``, ``unflatten``, ``unsqueeze``, …).
    XLNet's ``(D, H, d)`` for our ``(H·d, D)`` reads ``view=lambda weight: weight.t().unflatten(1, (heads, -1))``.
    """

    view: Callable[[Tensor], Tensor]

    def views(self, tensor: Tensor) -> tuple[Tensor, ...]:
        """Our parameter in their shape."""
        return (_same_memory(self.view(tensor), tensor, self),)


@dataclass(frozen=True)
class Fuse(WeightRule):
    """Several tensors of the checkpoint, one after another along ``dim`` of one of ours.

    ``sizes`` are those along ``dim``, by default equal: heads that share their keys need ``(H·d, G·d, G·d)``. ``view``
    is as in `Reshape`, for each part.
    """

    theirs: tuple[str, ...]
    ours: str
    dim: int = 0
    sizes: tuple[int, ...] | None = None
    view: Callable[[Tensor], Tensor] | None = None

    @property
    def their_patterns(self) -> tuple[str, ...]:
        """The names of the parts, in the order of the slices."""
        return self.theirs

    def views(self, tensor: Tensor) -> tuple[Tensor, ...]:
        """The slices of our parameter, in their shapes."""
        parts = torch.split(tensor, self._sizes(tensor.shape[self.dim]), self.dim)
        view = self.view
        return parts if view is None else tuple(_same_memory(view(part), tensor, self) for part in parts)

    def _sizes(self, total: int) -> list[int]:
        if self.sizes is not None:
            return list(self.sizes)
        equal, rest = divmod(total, len(self.theirs))
        if rest:
            raise ValueError(
                f"{self}: {total} along dimension {self.dim} are no equal parts; give the rule their sizes"
            )
        return [equal] * len(self.theirs)


@dataclass(frozen=True)
class Drop:
    """A tensor that is left out on purpose: a constant, or what an older version stored. Never written."""

    theirs: str


@dataclass(frozen=True)
class Constant(Drop):
    """A tensor that follows from the config: not read, but written, for a reference that cannot do without."""

    make: Callable[[], Tensor]

    def __post_init__(self) -> None:
        if list(_fields(self.theirs)):
            raise ValueError(f"{self}: one tensor has one name, without fields")


@dataclass(frozen=True)
class Legacy:
    """An old spelling of the checkpoint's own names, replaced before any other rule is asked. Never written."""

    old: str
    new: str

    def __post_init__(self) -> None:
        if not set(_fields(self.new)) <= set(_fields(self.old)):
            raise ValueError(f"{self}: the new spelling has a field that the old one lacks")

    def respell(self, name: str) -> str | None:
        """The present spelling, ``None`` if this is not the old one."""
        match = _compiled(self.old).fullmatch(name)
        return None if match is None else _filled(self.new, match)


@dataclass(frozen=True)
class Same:
    """A second name of a tensor: read where the first is missing, must be equal where both are there.

    ``written`` where the reference does not find the tensor by its first name alone. ``blank`` where one of the
    two may be all zeros: in some versions they are tensors of their own, of which nothing fills or nothing reads one.
    ``apart`` where they may differ: then the second is another tensor, which nothing reads. ``instead`` where the
    reference stores the tensor by its second name alone.
    """

    second: str
    first: str
    written: bool = False
    blank: bool = False
    apart: bool = False
    instead: bool = False

    def __post_init__(self) -> None:
        if set(_fields(self.first)) != set(_fields(self.second)):
            raise ValueError(f"{self}: both names must have the same fields")

    def second_name(self, first: str) -> str | None:
        """The second name of a tensor, ``None`` if the rule is not about it."""
        match = _compiled(self.first).fullmatch(first)
        return None if match is None else _filled(self.second, match)


Rule = WeightRule | Drop | Legacy | Same


def is_about(rule: Rule, theirs: str) -> bool:
    """Whether a rule knows a name of the checkpoint, in its present spelling."""
    match rule:
        case Drop(pattern) | Same(pattern):
            return _compiled(pattern).fullmatch(theirs) is not None
        case Legacy():
            return False
        case _:
            return rule.target(theirs) is not None


def moved(rule: Rule, their: Callable[[str], str], ours: str) -> Rule:
    """The rule for the same tensors inside another model: ``their`` names as they are there, ours after ``ours``."""
    match rule:
        case Fuse():
            return replace(rule, theirs=tuple(map(their, rule.theirs)), ours=ours + rule.ours)
        case Rename():
            return replace(rule, theirs=their(rule.theirs), ours=ours + rule.ours)
        case Drop():
            return replace(rule, theirs=their(rule.theirs))
        case Same():
            return replace(rule, second=their(rule.second), first=their(rule.first))
        case Legacy():
            return rule if rule.old.startswith("{x}") else Legacy(their(rule.old), their(rule.new))
    raise TypeError(f"{rule!r} is no rule")


def of_parts(rule: Rule) -> Iterator[WeightRule]:
    """The rules for the same tensors where our layer holds one of the checkpoint's name for each of its."""
    if not isinstance(rule, Rename | Fuse):
        return
    owner, _, tensor = rule.ours.rpartition(".")
    for theirs in rule.their_patterns:
        layer, _, last = theirs.rpartition(".")
        if last != tensor:
            continue
        ours = f"{owner}.{layer.rpartition('.')[2]}.{tensor}"
        if isinstance(rule, Rename):
            yield replace(rule, ours=ours)
        else:
            yield Rename(theirs, ours) if rule.view is None else Reshape(theirs, ours, rule.view)


def _fields(pattern: str) -> Iterable[str]:
    return (field for field, _ in _FIELD.findall(pattern))


def _filled(pattern: str, match: re.Match[str]) -> str:
    """The name that a pattern gives with the fields of a match."""
    return _FIELD.sub(lambda field: match[field[1]], pattern)


@cache
def _compiled(pattern: str, choices: tuple[tuple[str, str], ...] = ()) -> re.Pattern[str]:
    words = dict(choices)
    parts: list[str] = []
    end, seen = 0, set[str]()
    for field in _FIELD.finditer(pattern):
        name = field[1]
        parts.append(re.escape(pattern[end : field.start()]))
        any_of = field[2] or words.get(name) or (r"\d+" if name in _DIGITS else ".+" if name == "x" else r"[^.]+")
        parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{any_of})")
        seen.add(name)
        end = field.end()
    return re.compile("".join(parts) + re.escape(pattern[end:]))


def _same_memory(view: Tensor, tensor: Tensor, rule: WeightRule) -> Tensor:
    if view.untyped_storage() is not tensor.untyped_storage():
        raise TypeError(f"{rule}: view copies the parameter, so loading would fill the copy; use views alone")
    return view
