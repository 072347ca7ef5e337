"""What an architecture declares is what it has: its spec, the names of its tensors, and words about its classes."""

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from tfx_core.checkpoint import Fuse, Rename, Rule
from tfx_core.errors import ConfigError
from tfx_core.model import Model, load_architecture
from tfx_testing.architectures.base import CaseChecks, heads
from tfx_testing.cases import Variant
from tfx_testing.checks import each
from tfx_testing.refusing import refused
from tfx_testing.tiny import new_model, ties


class DeclarationChecks(CaseChecks):
    """The spec, the weight table, the config's annotations, docstrings."""

    def test_what_the_spec_says_is_what_the_architecture_has(self) -> None:
        """Name, heads and capabilities stand in the plugin's `ArchitectureSpec` as in its target.

        Where they do not: a head was added to one of the two only. Who lists what is installed imports no target.
        """
        spec, architecture = self.case.spec, load_architecture(self.case.model_type)
        assert architecture.config.model_type == spec.name, "model_type of the config class is not the spec's name"
        assert set(spec.heads) == set(architecture.heads), "the spec has other heads than the architecture"
        assert set(spec.capabilities) == set(architecture.capabilities), "the spec has other capabilities"
        assert spec.summary, "the spec has no summary: a line that says what the model is"
        assert spec.paper, "the spec has no paper: where the model is described"

    def test_a_class_of_the_reference_stands_for_the_backbone(self) -> None:
        """Where there are class names of ``config.json``, one stands for the backbone.

        Where none does: ``hf_classes`` of the spec lacks the class of the model without a head; files of other heads
        name theirs.
        """
        stand_for = {*self.case.spec.hf_classes.values()}
        assert not stand_for or "backbone" in stand_for, "hf_classes has no class for the backbone"

    @each(head=heads)
    def test_the_weight_table_names_every_parameter_once(self, head: str) -> None:
        """Every parameter has one rule, which leads from its name to names in files, and back to it alone.

        Where it has none or two: a module was added or renamed without its rule, or two patterns overlap.
        """
        _rules_used(new_model(self.case, head))

    def test_every_rule_of_the_weight_table_names_a_parameter(self) -> None:
        """No rule is left over: each is that of a parameter of some head, with the tiny config or one of a variant.

        Where one is: a name is misspelled, or a module is gone. Where a key of the config adds the module, a variant
        of the case has to switch it on.
        """
        left, used = set[str](), set[str]()
        for variant in (Variant("tiny"), *self.case.variants):
            for head in variant.heads or heads(type(self)):
                made = new_model(self.case, head, **variant.changes)
                used |= {*_named(_rules_used(made))}
                left = (left | {*_weight_rules(made)}) - used
            if not left:
                return
        raise AssertionError(f"rules that name no parameter: {sorted(left)}")

    def test_a_config_refuses_wrong_types_by_name(self) -> None:
        """A value of another type is an error that names its key.

        Where it is none: the key's field is annotated with ``Any`` or ``object``, or is not a field.
        """
        for key in self.case.tiny:
            wrong: dict[str, Any] = {key: {"no": "thing"}}
            with refused(f"{key}=", f"{key}={wrong[key]}", ConfigError):
                new_model(self.case, **wrong)

    def test_classes_say_what_they_are(self) -> None:
        """Config, backbone, heads and the modules in them have a docstring, if they are public and the author's own.

        Where one is missing: write what the class is, in a sentence; a dataclass's listing of its fields is none.
        """
        without = {kind.__qualname__ for kind in self._own_classes() if not _says_something(kind)}
        assert not without, f"classes without a docstring: {sorted(without)}"

    def _own_classes(self) -> Iterator[type]:
        config = load_architecture(self.case.model_type).config
        root = config.__module__.partition(".")[0]
        yield config
        for head in heads(type(self)):
            for module in new_model(self.case, head).modules():
                kind = type(module)
                own = kind.__module__.partition(".")[0] == root and not isinstance(module, Model)
                if own and not kind.__name__.startswith("_"):
                    yield kind


def _says_something(kind: type) -> bool:
    said = vars(kind).get("__doc__") or ""
    return bool(inspect.cleandoc(said)) and not said.startswith(f"{kind.__name__}(")


def _weight_rules(model: Model) -> dict[str, Rule]:
    """The rules of a model's parameters, by how messages call them: what views they make is new for each model."""
    table = model.weight_table
    return _named(rule for part in table.heads[model.head_name] for rule in table.parts[part])


def _named(rules: Iterable[Rule]) -> dict[str, Rule]:
    of_parameters = (rule for rule in rules if isinstance(rule, Rename | Fuse))
    return {f"{type(rule).__name__}({rule.theirs!r}, {rule.ours!r})": rule for rule in of_parameters}


def _rules_used(model: Any) -> frozenset[Rule]:
    """The rules that the parameters have; raises `ValueError` where they are not reversible."""
    table, tied = model.weight_table, {name for pair in model.ties for name in pair}
    named = [
        name
        for names in ties(model)
        for name in names
        if name in tied or len(names) == 1 or table.find(model.head_name, name)
    ]
    found: frozenset[Rule] = table.check(model.head_name, named)
    return found
