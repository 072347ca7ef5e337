"""Rules together: those of a backbone, and the table of a model, which says which parts each head needs."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from tfx_core.checkpoint.rules import Constant, Drop, Legacy, Rule, Same, WeightRule, is_about, moved, of_parts
from tfx_core.errors import CheckpointError, shown


@dataclass(frozen=True)
class BackboneRules:
    """Reversible names of a backbone's tensors.

    ``core`` is what every checkpoint has, ``parts`` are what only some heads need; ``optional`` are those of them that
    checkpoints of such a head may lack all the same, for example BERT's pooler. ``prefix`` starts the names of all.
    """

    core: Sequence[Rule]
    parts: Mapping[str, Sequence[Rule]] = field(default_factory=dict)
    prefix: str = ""
    optional: Collection[str] = ()


@dataclass(frozen=True)
class WeightTable:
    """Reversible names of a model's tensors, and of those that other heads of its architecture have.

    ``parts`` groups the rules by what a checkpoint has or lacks as a whole; ``heads`` names the parts of each head,
    ``"backbone"`` included. ``prefix`` starts the names of the backbone's tensors in the rules; ``prefixes`` are what
    stands in its place in a checkpoint of one of these heads. ``optional`` are parts that checkpoints of a head may
    lack all the same.
    """

    parts: Mapping[str, Sequence[Rule]]
    heads: Mapping[str, Sequence[str]]
    prefix: str = ""
    prefixes: Mapping[str, str] = field(default_factory=lambda: {"backbone": ""})
    optional: Collection[str] = ()

    def __post_init__(self) -> None:
        named = {part for parts in self.heads.values() for part in parts} | set(self.optional)
        if named - self.parts.keys() or "backbone" not in self.heads:
            raise ValueError(
                f"heads must include 'backbone' and name parts that exist, not {named - self.parts.keys()}"
            )

    @cached_property
    def common_parts(self) -> frozenset[str]:
        """The parts that every head needs, so that no checkpoint can be without them."""
        return frozenset.intersection(*map(frozenset, self.heads.values()))

    @cached_property
    def exclusive(self) -> frozenset[str]:
        """Parts whose tensors share their names with another part's and are another thing: classifiers of two heads.

        They are taken only from a checkpoint whose own head has that very part.
        """
        return frozenset(
            part
            for part, rules in self.parts.items()
            for other, others in self.parts.items()
            if part != other and any(_same_names(one, two) for one in rules for two in others)
        )

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

    def second_names(self, first: str, *, head: str | None = None) -> Iterator[str]:
        """Other names under which a checkpoint may hold the tensor of this name.

        Of a head, those that the reference's model has, which none that is stored in passing is.
        """
        for part, rule in self._same:
            second = rule.second_name(first)
            passing = rule.apart and not (rule.written or rule.instead)
            if second is not None and (head is None or (part in self.heads[head] and not passing)):
                yield second

    def written_names(self, first: str) -> Iterator[str]:
        """The names by which a tensor is stored."""
        seconds = [(rule, rule.second_name(first)) for _, rule in self._same]
        if not any(rule.instead for rule, second in seconds if second is not None):
            yield first
        yield from (second for rule, second in seconds if second is not None and (rule.written or rule.instead))

    def may_be_blank(self, second: str) -> bool:
        """Whether the tensor of a second name, or that of the first, may be all zeros where the other is not."""
        return any(rule.blank and is_about(rule, second) for _, rule in self._same)

    def may_differ(self, second: str) -> bool:
        """Whether the tensor of a second name may be another one than that of the first."""
        return any(rule.apart and is_about(rule, second) for _, rule in self._same)

    def constants(self, head: str) -> Iterator[Constant]:
        """What a checkpoint of this head holds besides parameters."""
        rules = (rule for part in self.heads[head] for rule in self.parts[part])
        return (rule for rule in rules if isinstance(rule, Constant))

    def present_names(self, names: Iterable[str]) -> dict[str, str]:
        """Name as the rules spell it -> name as the checkpoint spells it.

        Raises `CheckpointError` where a checkpoint holds a tensor under two spellings.
        """
        own = list(names)
        prefixed = not self.prefix or any(name.startswith(self.prefix) for name in own)
        present: dict[str, str] = {}
        for name in own:
            spelled = self._respelled(name)
            if not prefixed and not self.knows(spelled):
                others = (self.prefix + bare for bare in self._without_prefix(spelled))
                spelled = next((other for other in others if self.knows(other)), spelled)
            if spelled in present:
                raise CheckpointError(
                    f"holds {shown(name)} and {shown(present[spelled])}, two spellings of one name; remove one"
                )
            present[spelled] = name
        return present

    def stored_name(self, head: str, theirs: str) -> str:
        """The name under which a checkpoint of this head has a tensor, with the head's own prefix."""
        if not self.prefix or not theirs.startswith(self.prefix):
            return theirs
        return self.prefixes.get(head, self.prefix) + theirs.removeprefix(self.prefix)

    def moved(self, head: str, *, theirs: str = "", ours: str = "") -> tuple[Rule, ...]:
        """The rules of a head for when this model is a part of another one.

        ``theirs`` comes before the names that its own checkpoints have, ``ours`` before ours: a whole `tfx_core.Model`
        that is the backbone's ``text`` has ``ours="backbone.text."``.
        """
        rules = [rule for part in self.heads[head] for rule in self.parts[part]]
        return tuple(moved(rule, lambda name: theirs + self.stored_name(head, name), ours) for rule in rules)

    def of_parts(self) -> "WeightTable":
        """With rules also for the layers that `Model.split_layers` puts in the place of a model's own."""
        parts = {
            part: (*rules, *(each for rule in rules for each in of_parts(rule))) for part, rules in self.parts.items()
        }
        return replace(self, parts=parts)

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
                if any(stored != theirs and self.knows(stored) for stored in self._stored_names(theirs)):
                    faults.append(f"{ours}: {theirs} without its prefix {self.prefix} is another known name")
                owner[theirs] = ours
        if faults:
            raise ValueError(f"the rules for head {head!r} are not reversible:\n  " + "\n  ".join(faults))
        return frozenset(used)

    def _stored_names(self, theirs: str) -> set[str]:
        return {self.stored_name(head, theirs) for head in self.heads}

    def _without_prefix(self, stored: str) -> Iterator[str]:
        """What a name may be after one of the prefixes that stand in the place of the usual one, longest first."""
        for prefix in sorted(set(self.prefixes.values()), key=len, reverse=True):
            if stored.startswith(prefix):
                yield stored.removeprefix(prefix)

    def _respelled(self, name: str) -> str:
        for rule in self._legacy:
            name = rule.respell(name) or name
        return name

    @cached_property
    def _legacy(self) -> tuple[Legacy, ...]:
        return tuple(rule for rules in self.parts.values() for rule in rules if isinstance(rule, Legacy))

    @cached_property
    def _same(self) -> tuple[tuple[str, Same], ...]:
        return tuple((part, rule) for part, rules in self.parts.items() for rule in rules if isinstance(rule, Same))


def _same_names(one: Rule, other: Rule) -> bool:
    """Whether two rules are about tensors of the same name: a pattern read as a name is one that it stands for."""
    if not isinstance(one, WeightRule) or not isinstance(other, WeightRule):
        return False
    ours, theirs = one.their_patterns, other.their_patterns
    return (
        bool({*ours} & {*theirs})
        or any(is_about(other, name) for name in ours)
        or any(is_about(one, name) for name in theirs)
    )
