"""Decoders that are wrong in one way each: modules, config, names of tensors, what they declare."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, ClassVar

from torch import Tensor, nn

from tests.testing.faults import Fault, broken
from tfx_core import Architecture, ArchitectureSpec, Backbone, ModelConfig, ModelOutput, hookimpl
from tfx_core.checkpoint import BackboneRules, Drop, Rename
from tfx_core.fields import Positive, Rate
from tfx_core.model import HeadPlan
from tfx_core.model.heads import CausalLMHead, LMHead
from tfx_core.nn import initialise_normal
from tfx_testing import ArchitectureCase, ArchitectureChecks, Checks
from tfx_testing.toy_decoder import ARCHITECTURE, ToyDecoderConfig

TINY = {"vocab_size": 53, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
HEADS = {"BrokenModel": "backbone", "BrokenForCausalLM": "causal-lm"}
SPEC: dict[str, Any] = {"hf_classes": HEADS, "capabilities": ("token-states",), "summary": "broken", "paper": "none"}


@dataclass(kw_only=True)
class Config(ToyDecoderConfig):
    """Sound."""

    model_type: ClassVar[str] = "broken"


SOUND: Architecture[Any] = replace(ARCHITECTURE, config=Config, heads={"causal-lm": ARCHITECTURE.heads["causal-lm"]})
ARCHITECTURES: dict[str, Architecture[Any]] = {}


def __getattr__(name: str) -> Any:
    """The architecture that a spec's target names."""
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    raise AttributeError(name)


# what is wrong with a config


@dataclass(kw_only=True)
class Unread(Config):
    """Has a rate that nothing reads."""

    dropout: Rate = 0.0


@dataclass(kw_only=True)
class Idle(Config):
    """Has a number that nothing reads."""

    temperature: Positive = 1.0


@dataclass(kw_only=True)
class Unbounded(Config):
    """Has a number that may be anything."""

    scale: float = 1.0


@dataclass(kw_only=True)
class Untyped(Config):
    """Takes anything for its number of heads, and does not look at it."""

    num_attention_heads: Any = 4

    def validate(self) -> None:
        """Nothing."""


@dataclass(kw_only=True)
class Uncounted(Config):
    """Divides before it has looked."""

    def validate(self) -> None:
        """Nothing is left of a number that is too large."""
        assert self.hidden_size // self.num_attention_heads


@dataclass(kw_only=True)
class Forgetful(Config):
    """Does not say a size's common name."""

    absent: ClassVar[Mapping[str, str]] = {}


@dataclass(kw_only=True)
class Twice(Config):
    """Declares a field to have no effect."""

    inert_keys: ClassVar[tuple[str, ...]] = ("causal",)


@dataclass(kw_only=True)
class Wordless(Config):
    pass


# what is wrong with a backbone


def with_backbone(change: Callable[[Any], None]) -> Architecture[Any]:
    """The sound one, changed after it is built."""

    def backbone(config: ModelConfig, parts: frozenset[str]) -> Backbone:
        made = SOUND.backbone(config, parts)
        change(made)
        return made

    return replace(SOUND, backbone=backbone)


def with_states(change: Callable[[Tensor], Tensor]) -> Callable[[Any], None]:
    """Its states are changed."""

    def hook(module: nn.Module, inputs: Any, output: ModelOutput) -> ModelOutput:
        return output.updated(last_hidden_state=change(output.last_hidden_state))

    return lambda made: made.register_forward_hook(hook)


def unused(made: Any) -> None:
    made.stack.norm.unused = nn.LayerNorm(made.width)


def detached(made: Any) -> None:
    made.embeddings.register_forward_hook(lambda module, inputs, states: states.detach())


def other_width(made: Any) -> None:
    made.width = made.width + 1
    with_states(lambda states: nn.functional.pad(states, (0, 2)))(made)


def unpositioned(made: Any) -> None:
    made.max_positions = 80


def undeclared_table(made: Any) -> None:
    made.__class__ = type("Hidden", (type(made),), {"token_tables": property(lambda self: [])})


def twice_embedded(made: Any) -> None:
    made.__class__ = type(
        "Embedding", (type(made),), {"embed": lambda self, input_ids: 2 * self.embeddings.token(input_ids)}
    )


def uncached(made: Any) -> None:
    made.__class__ = type("Uncached", (type(made),), {"new_cache": lambda self: None})


class Made:
    """A number that each model has another of."""

    numbers = count(1)


def numbered(made: Any) -> None:
    number = 1 + next(Made.numbers) / 10
    with_states(lambda states: states * number)(made)


def dropped(states: Tensor) -> Tensor:
    return nn.functional.dropout(states, 0.5, training=True)


# what is wrong with names of tensors


def with_rules(change: Callable[[BackboneRules], BackboneRules]) -> Architecture[Any]:
    """The names of the sound one, changed."""
    return replace(SOUND, weights=lambda config, parts: change(SOUND.weights(config, parts)))


def renamed(rules: BackboneRules) -> BackboneRules:
    return replace(rules, core=(*rules.core[:-1], Rename("decoder.last.norm.{p}", "backbone.stack.norms.{p}")))


def left_over(rules: BackboneRules) -> BackboneRules:
    return replace(rules, core=(*rules.core, Rename("decoder.first.{p}", "backbone.stack.first.{p}")))


def dropping(rules: BackboneRules) -> BackboneRules:
    return replace(rules, core=(*rules.core, Drop("{x}")))


# what is wrong with a head, or with what fills one


def with_head(plan: HeadPlan[Any]) -> Architecture[Any]:
    """The sound backbone with another head."""
    return replace(SOUND, heads={"causal-lm": plan})


def tied_by_hand(config: Any, backbone: Any) -> CausalLMHead:
    layer = nn.Linear(backbone.width, config.vocab_size, bias=False)
    layer.weight = backbone.embeddings.token.weight
    return CausalLMHead(LMHead(layer))


def ungenerated(path: str, module: nn.Module, config: Any, generator: Any) -> None:
    initialise_normal(module, 0.2)


def constant(path: str, module: nn.Module, config: Any, generator: Any) -> None:
    for parameter in module.parameters(recurse=False):
        nn.init.constant_(parameter, 0.5)


PLAN = ARCHITECTURE.heads["causal-lm"]


@dataclass(frozen=True)
class Plugin:
    """Provides one of them."""

    name: str
    said: Mapping[str, Any] = field(default_factory=dict)

    @hookimpl
    def tfx_architectures(self) -> list[ArchitectureSpec]:
        return [ArchitectureSpec("broken", target=f"{__name__}:{self.name}", **{**SPEC, **self.said})]


NUMBERS = count()


def checks(architecture: Architecture[Any], **said: Any) -> Callable[[], type[Checks]]:
    """The checks of one of them; ``said`` is what its spec says otherwise."""
    name = f"BROKEN_{next(NUMBERS)}"
    ARCHITECTURES[name] = architecture

    return broken(ArchitectureChecks, Plugin(name, said), case=ArchitectureCase("broken", dict(TINY)))


def of_config(config: type[Config]) -> Architecture[Any]:
    return replace(SOUND, config=config)


FAULTS = {
    "a parameter is unused": Fault(
        checks(with_backbone(unused)), "test_every_parameter_gets", r"without a gradient: \['backbone\.stack\.norm\.unu"
    ),
    "a state is detached": Fault(
        checks(with_backbone(detached)), "test_every_parameter_gets", r"without a gradient: \['backbone\.embeddings"
    ),
    "dropout drops in use": Fault(
        checks(with_backbone(with_states(dropped))), "test_a_model_in_use", "two calls in evaluation, with no dropout"
    ),
    "a rate is not read": Fault(
        checks(of_config(Unread)), "test_every_rate_of_dropout", r"dropout=0\.5 drops nothing with any head"
    ),
    "a key does nothing": Fault(
        checks(of_config(Idle)), "test_every_field_of_the_config", r"of Idle that nothing reads: \['temperature'\]"
    ),
    "the generator is not used": Fault(
        checks(replace(SOUND, initialise=ungenerated)), "test_a_seed_gives", "torch's own generator was used"
    ),
    "a seed has no effect": Fault(
        checks(replace(SOUND, initialise=constant)), "test_a_seed_gives", "another seed changes nothing"
    ),
    "it holds a lambda": Fault(
        checks(with_backbone(with_states(dropped))), "test_a_pickled_model", "local object|local function"
    ),
    "a number is no part of its state": Fault(
        checks(with_backbone(numbered)), "test_a_model_moves_between", "moved without memory and loaded again: last_hid"
    ),
    "states are wide in a narrow model": Fault(
        checks(with_backbone(with_states(Tensor.float))), "test_a_text_is_the_same_alone", r"is of torch\.float32"
    ),
    "the width is another": Fault(
        checks(with_backbone(other_width)), "test_a_backbone_tells_the_width", "is not backbone.width"
    ),
    "embed scales": Fault(
        checks(with_backbone(twice_embedded)), "test_a_backbone_tells_the_width", "states of inputs_embeds=backbone"
    ),
    "there are fewer positions": Fault(
        checks(with_backbone(unpositioned)), "test_a_text_beyond_the_positions", "index out of range|positions for 40"
    ),
    "a cache is not made": Fault(
        checks(with_backbone(uncached)), "test_a_backbone_that_takes_a_cache", "gives a NoneType, not a DecoderCache"
    ),
    "the token table is hidden": Fault(
        checks(with_backbone(undeclared_table)), "test_old_rows_stay", "does not say what its token_tables are"
    ),
    "a rule is lost": Fault(
        checks(with_rules(renamed)), "test_the_weight_table_names", r"backbone\.stack\.norm\.weight: has 0 rules"
    ),
    "a rule is left over": Fault(
        checks(with_rules(left_over)), "test_every_rule_of_the", r"name no parameter: \[\"Rename\('decoder\.first"
    ),
    "a rule drops everything": Fault(
        checks(with_rules(dropping)), "test_one_error_lists_all", "not told as unexpected"
    ),
    "a tie is not declared": Fault(
        checks(with_head(replace(PLAN, build=tied_by_hand))),
        "test_saved_and_loaded_it_is",
        "decoder.weight has 2 rules",
    ),
    "a number has no bounds": Fault(
        checks(of_config(Unbounded)), "test_epsilons_deviations", r"scale=1e\+308 is not refused"
    ),
    "a number is of any type": Fault(
        checks(of_config(Untyped)),
        "test_a_config_refuses_wrong_types",
        "num_attention_heads=.*should be refused with ConfigError|num_attention_heads=.* is not refused",
    ),
    "it divides before it looks": Fault(
        checks(of_config(Uncounted)), "test_any_number_is_used", "num_attention_heads=.*not told by the file"
    ),
    "a size has no common name": Fault(
        checks(of_config(Forgetful)), "test_sizes_have_the_same_names", "intermediate_size"
    ),
    "a field has no effect": Fault(
        checks(of_config(Twice)), "test_what_is_declared_is_no_field", r"fields or aliases: \['causal'\]"
    ),
    "a class has no docstring": Fault(
        checks(of_config(Wordless)), "test_classes_say_what_they_are", r"without a docstring: \['Wordless'\]"
    ),
    "there is no paper": Fault(checks(SOUND, paper=""), "test_what_the_spec_says", "the spec has no paper"),
    "no class is of the backbone": Fault(
        checks(SOUND, heads=("causal-lm",), hf_classes={"BrokenForCausalLM": "causal-lm"}),
        "test_a_class_of_the_reference",
        "has no class for the backbone",
    ),
}
