"""All rules of an architecture: which tensors make up which part, and which parts each head needs."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from tfx_core.checkpoint.rules import Constant, Drop, Legacy, Rule, Same, WeightRule, is_about, moved
from tfx_core.errors import CheckpointError


@dataclass(frozen=True)
class WeightTable:
    """Reversible names of an architecture's tensors.

    ``parts`` groups the rules by what a checkpoint has or lacks as a whole; ``heads`` names the parts of each head,
    ``"backbone"`` included. ``prefix`` starts the names of the backbone's tensors, except in a checkpoint of one of the
    ``bare`` heads. ``optional`` are parts that checkpoints of a head may lack all the same, for example BERT's pooler.
    ``exclusive`` are parts whose tensors share their names with another part's and are another thing, for example the
    classifiers of two heads: they are taken only from a checkpoint whose own head has that very part.
    """

    parts: Mapping[str, Sequence[Rule]]
    heads: Mapping[str, Sequence[str]]
    prefix: str = ""
    bare: Collection[str] = ("backbone",)
    optional: Collection[str] = ()
    exclusive: Collection[str] = ()

    def __post_init__(self) -> None:
        named = {part for parts in self.heads.values() for part in parts} | {*self.optional, *self.exclusive}
        if named - self.parts.keys() or "backbone" not in self.heads:
            raise ValueError(
                f"heads must include 'backbone' and name parts that exist, not {named - self.parts.keys()}"
            )

    @cached_property
    def common_parts(self) -> frozenset[str]:
        """The parts that every head needs, so that no checkpoint can be without them."""
        return frozenset.intersection(*map(frozenset, self.heads.values()))

    def find(self, head: str, ours: str) -> tuple[str, WeightRule, tuple[str, ...]] | None:
        """The part, the rule and the checkpoint's names for one of our parameters; ``None`` if no rule is about it.

        Raises `ValueError` if two rules are.
        """
        found: list[tuple[str, WeightRule, tuple[str, ...]]] = []
        for part in self.heads[head]:
            for rule in self.parts[part]:
                sources = rule.sources(ours) if isinstance(rule, WeightRule) else None
                if isinstance(rule, WeightRule) and sources is not None:
                    found.append((part, rule, sources))
        if len(found) > 1:
            raise ValueError(f"{ours} has two rules: {found[0][1]} and {found[1][1]}")
        return found[0] if found else None

    def knows(self, theirs: str, parts: Iterable[str] | None = None) -> bool:
        """Whether any rule of these parts, or of all, is about a name of the checkpoint."""
        parts = self.parts if parts is None else parts
        return any(is_about(rule, theirs) for part in parts for rule in self.parts[part])

    def ignores(self, theirs: str) -> bool:
        """Whether a name of the checkpoint is left out on purpose, or is another tensor's second name."""
        rules = (rule for rules in self.parts.values() for rule in rules if isinstance(rule, (Drop, Same)))
        return any(is_about(rule, theirs) for rule in rules)

    def second_names(self, first: str, *, written: bool = False) -> Iterator[str]:
        """Other names under which a checkpoint may hold the tensor of this name, or those that are ``written``."""
        for rule in self._same:
            second = rule.second_name(first)
            if second is not None and (rule.written or not written):
                yield second

    def constants(self, head: str) -> Iterator[Constant]:
        """What a checkpoint of this head holds besides parameters."""
        rules = (rule for part in self.heads[head] for rule in self.parts[part])
        return (rule for rule in rules if isinstance(rule, Constant))

    def present_names(self, names: Iterable[str]) -> dict[str, str]:
        """Name as the rules spell it -> name as the checkpoint spells it.

        Raises `CheckpointError` where a checkpoint holds a tensor under two spellings.
        """
        own = list(names)
        bare = self.prefix and not any(name.startswith(self.prefix) for name in own)
        present: dict[str, str] = {}
        for name in own:
            spelled = self._respelled(name)
            if bare and not self.knows(spelled) and self.knows(self.prefix + spelled):
                spelled = self.prefix + spelled
            if spelled in present:
                raise CheckpointError(f"holds {name!r} and {present[spelled]!r}, two spellings of one name; remove one")
            present[spelled] = name
        return present

    def stored_name(self, head: str, theirs: str) -> str:
        """The name under which a checkpoint of this head has a tensor: those of bare heads go without the prefix."""
        return theirs.removeprefix(self.prefix) if head in self.bare else theirs

    def with_head(self, head: str, *, like: str, rules: Sequence[Rule]) -> "WeightTable":
        """The table with one more head: the parts of the head ``like`` and one of these rules."""
        return replace(
            self, parts={**self.parts, head: tuple(rules)}, heads={**self.heads, head: (*self.heads[like], head)}
        )

    def moved(self, head: str, *, theirs: str = "", ours: str = "") -> tuple[Rule, ...]:
        """The rules of a head for when this model is a part of another one.

        ``theirs`` replaces the prefix of the checkpoint's names, ``ours`` comes before our own.
        """
        rules = [rule for part in self.heads[head] for rule in self.parts[part]]
        return tuple(moved(rule, strip=self.prefix, theirs=theirs, ours=ours) for rule in rules)

    def check(self, head: str, names: Iterable[str]) -> frozenset[WeightRule]:
        """Prove that the names of a module with this head survive the way to a checkpoint and back.

        Each must have exactly one rule, no two may need the same tensor, and no name may read as an old spelling or
        lose its prefix. Returns the rules used; raises `ValueError` with all faults.
        """
        parts = self.heads[head]
        weight_rules = [rule for part in parts for rule in self.parts[part] if isinstance(rule, WeightRule)]
        used: set[WeightRule] = set()
        faults: list[str] = []
        owner: dict[str, str] = {}
        for ours in names:
            mine = [rule for rule in weight_rules if rule.sources(ours) is not None]
            if len(mine) != 1:
                faults.append(f"{ours}: has {len(mine)} rules: {mine}")
                continue
            used.add(mine[0])
            for theirs in mine[0].sources(ours) or ():
                about = [rule for part in parts for rule in self.parts[part] if is_about(rule, theirs)]
                if about != mine or mine[0].target(theirs) != ours:
                    faults.append(f"{ours}: {theirs} does not lead back to it alone: {about}")
                if theirs in owner:
                    faults.append(f"{ours}: {theirs} is also needed by {owner[theirs]}")
                if self._respelled(theirs) != theirs:
                    faults.append(f"{ours}: {theirs} reads as an old spelling of {self._respelled(theirs)}")
                bare = theirs.removeprefix(self.prefix)
                if bare != theirs and self.knows(bare):
                    faults.append(f"{ours}: {theirs} without its prefix {self.prefix} is another known name")
                owner[theirs] = ours
        if faults:
            raise ValueError(f"the rules for head {head!r} are not reversible:\n  " + "\n  ".join(faults))
        return frozenset(used)

    def _respelled(self, name: str) -> str:
        for rule in self._legacy:
            name = rule.respell(name) or name
        return name

    @cached_property
    def _legacy(self) -> tuple[Legacy, ...]:
        return tuple(rule for rules in self.parts.values() for rule in rules if isinstance(rule, Legacy))

    @cached_property
    def _same(self) -> tuple[Same, ...]:
        return tuple(rule for rules in self.parts.values() for rule in rules if isinstance(rule, Same))
