"""Architectures that are wrong in one way each: the kit's toy decoder, broken."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import tfx_core
from tests.testing.faults import Fault
from tfx_core import Architecture, ArchitectureSpec, hookimpl
from tfx_core.checkpoint import BackboneRules, Rename
from tfx_core.model import HeadPlan, ModelOutput, TransformerBackbone
from tfx_core.model.heads import Head
from tfx_core.nn import DecoderCache, SelfAttentionCache
from tfx_testing import ArchitectureCase, ArchitectureChecks, Checks
from tfx_testing.toy_decoder import ARCHITECTURE, ToyDecoderConfig

TINY = {"vocab_size": 53, "hidden_size": 24}
CASE = ArchitectureCase("toy-decoder", TINY)

BROKEN = SimpleNamespace()
"""Name of a fault -> the architecture that has it: where the targets of specs lead."""


def broken(name: str, **changes: Any) -> Architecture[Any]:
    """The toy decoder with something exchanged."""
    made = replace(ARCHITECTURE, **changes)
    setattr(BROKEN, name, made)
    return made


def with_backbone(name: str, change: Callable[[TransformerBackbone], object], **changes: Any) -> Architecture[Any]:
    """The toy decoder with its backbone changed after it is built."""

    def build(config: ToyDecoderConfig, parts: frozenset[str]) -> TransformerBackbone:
        made = ARCHITECTURE.backbone(config, parts)
        assert isinstance(made, TransformerBackbone)
        change(made)
        return made

    return broken(name, backbone=build, **changes)


def checks(architecture: Architecture[Any], case: ArchitectureCase = CASE, **spec: Any) -> Callable[[], type[Checks]]:
    """The checks of a broken architecture."""
    name = next(name for name, each in vars(BROKEN).items() if each is architecture)

    class Plugin:
        @hookimpl
        def tfx_architectures(self) -> list[ArchitectureSpec]:
            classes = {
                "ToyDecoderModel": "backbone",
                "ToyDecoderForCausalLM": "causal-lm",
                "ToyDecoderForTokenClassification": "token-classification",
            }
            said = {"hf_classes": classes, "capabilities": ("token-states",), "summary": "broken", "paper": "none"}
            return [ArchitectureSpec("toy-decoder", target=f"{__name__}:BROKEN.{name}", **{**said, **spec})]

    @contextmanager
    def surroundings(cls: type[Checks]) -> Iterator[None]:
        with tfx_core.register(Plugin(), name="broken"):
            yield

    body = {"case": case, "surroundings": classmethod(surroundings)}
    return lambda: type("TestBroken", (ArchitectureChecks,), body)


def of(kind: type[nn.Module]) -> Callable[[nn.Module], None]:
    """Make a module one of another class."""
    return lambda module: setattr(module, "__class__", kind)


def behind_the_layers(*modules: nn.Module) -> Callable[[TransformerBackbone], None]:
    """Put modules behind the last norm."""
    return lambda backbone: setattr(backbone.stack, "norm", nn.Sequential(backbone.stack.norm, *modules))


class ByColumn(TransformerBackbone):
    """Counts positions from the first column."""

    def unchecked_span(self, tokens: Tensor, attention_mask: Any, positions: Any, cache: Any) -> Any:
        given = torch.arange(tokens.shape[1])[None].expand(len(tokens), -1) if positions is None else positions
        return super().unchecked_span(tokens, attention_mask, given, cache)


class ByStep(TransformerBackbone):
    """Counts positions from the first token of a call, whatever is in the cache."""

    def unchecked_span(self, tokens: Tensor, attention_mask: Any, positions: Any, cache: Any) -> Any:
        given = positions
        if cache is not None and cache.length and positions is None:
            given = torch.arange(tokens.shape[1])[None].expand(len(tokens), -1)
        return super().unchecked_span(tokens, attention_mask, given, cache)


class Inverted(TransformerBackbone):
    """Reads the mask the other way round."""

    def unchecked_span(self, tokens: Tensor, attention_mask: Any, positions: Any, cache: Any) -> Any:
        mask = None if attention_mask is None else 1 - attention_mask
        return super().unchecked_span(tokens, mask, positions, cache)


class Unmasked(TransformerBackbone):
    """Passes over the mask."""

    def unchecked_span(self, tokens: Tensor, attention_mask: Any, positions: Any, cache: Any) -> Any:
        return super().unchecked_span(tokens, None, positions, cache)


class Narrower(TransformerBackbone):
    """Gives states of half the width that it tells."""

    def run(self, x: Tensor, span: Any, call: Any) -> ModelOutput:
        output = super().run(x, span, call)
        return output.updated(last_hidden_state=output.last_hidden_state[..., ::2])


class Silent(TransformerBackbone):
    """Reports no states."""

    def run(self, x: Tensor, span: Any, call: Any) -> ModelOutput:
        output = super().run(x, span, call)
        return output.updated(hidden_states=None) if output.hidden_states is not None else output


class Fixed(SelfAttentionCache):
    """Keeps its rows where they are."""

    def select(self, rows: Tensor) -> None: ...


class Fixing(TransformerBackbone):
    """Has such a cache."""

    def new_cache(self) -> DecoderCache:
        cache = super().new_cache()
        for layer in cache.layers:
            layer.self_attention.__class__ = Fixed
        return cache


class Dropping(nn.Module):
    """Drops in use, too."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.2, training=True)


class Unused(nn.Module):
    """Has a parameter that nothing reads."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Linear(24, 24)

    def forward(self, x: Tensor) -> Tensor:
        return x


class Counting(nn.Module):
    """Counts its calls in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1), persistent=True)

    def forward(self, x: Tensor) -> Tensor:
        return x


class Keeping(nn.Module):
    """Keeps what it made last."""

    def forward(self, x: Tensor) -> Tensor:
        self.last = x
        return x


class Peeking(nn.Module):
    """Adds something of the token behind."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.1 * F.pad(x[..., 1:, :], (0, 0, 0, 1))


class Averaging(nn.Module):
    """Takes the mean of all that is in the batch away."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.flatten(0, -2).mean(0)


class Wide(nn.Module):
    """Adds numbers of a type of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.ones(x.shape[-1], dtype=torch.float64)


class Curious(nn.Module):
    """Looks at a value in Python."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.abs().max().item() > 1e9 else x


class LastColumn(Head):
    """Classifies a text by what stands in the last column."""

    def __init__(self, classifier: nn.Linear) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        logits = self.classifier(states.last_hidden_state[:, -1])
        return states.updated(logits=logits, loss=None if labels is None else F.cross_entropy(logits, labels))


class AllColumns(LastColumn):
    """Classifies a text by the mean of all columns."""

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        logits = self.classifier(states.last_hidden_state.mean(1))
        return states.updated(logits=logits, loss=None if labels is None else F.cross_entropy(logits, labels))


class CountingPadding(LastColumn):
    """Learns from the labels of padding."""

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        logits = self.classifier(states.last_hidden_state)
        loss = None if labels is None else F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        return states.updated(logits=logits, loss=loss)


class Swallowing(LastColumn):
    """Takes any keyword."""

    def forward(self, states: ModelOutput, **named: Any) -> ModelOutput:  # type: ignore[override]
        return states.updated(logits=self.classifier(states.last_hidden_state))


def with_head(name: str, head: str, kind: type[LastColumn]) -> Architecture[Any]:
    """The toy decoder with one head exchanged."""
    plan = HeadPlan(
        lambda config, backbone: kind(nn.Linear(backbone.width, config.num_labels)),
        rules={"classifier": (Rename("classifier.{p}", "head.classifier.{p}"),)},
    )
    return broken(name, heads={head: plan})


def of_class(head: str) -> dict[str, Any]:
    """What the spec says where there is this head alone."""
    return {"hf_classes": {"ToyDecoderModel": "backbone", "ToyDecoderWithHead": head}, "heads": (head,)}


def rules_without_a_norm(config: ToyDecoderConfig, parts: frozenset[str]) -> BackboneRules:
    names = ("embeddings.{p}", "stack.layers.{p}")
    return BackboneRules(tuple(Rename(f"decoder.{each}", f"backbone.{each}") for each in names), prefix="decoder.")


def initialise_with_a_generator_of_torchs(path: str, module: nn.Module, config: Any, generator: Any) -> None:
    ARCHITECTURE.initialise(path, module, config, None)


def initialise_and_seed(path: str, module: nn.Module, config: Any, generator: Any) -> None:
    torch.manual_seed(0)
    ARCHITECTURE.initialise(path, module, config, generator)


def initialise_but_norms(path: str, module: nn.Module, config: Any, generator: Any) -> None:
    if not isinstance(module, nn.LayerNorm):
        ARCHITECTURE.initialise(path, module, config, generator)


class Undocumented(ToyDecoderConfig):
    model_type = "toy-decoder"


Undocumented.__doc__ = None

ALONE = "test_a_text_gives_in_any_batch"
FAULTS = {
    "positions are columns": Fault(
        checks(with_backbone("by_column", of(ByColumn))), ALONE, "padded on the left to 9, beside what it gives alone"
    ),
    "the mask is inverted": Fault(
        checks(with_backbone("inverted", of(Inverted))), ALONE, "padded on the (left|right) to 9, beside"
    ),
    "the mask is passed over": Fault(
        checks(with_backbone("unmasked", of(Unmasked))), ALONE, "padded on the left to 9, beside"
    ),
    "steps count from 0": Fault(
        checks(with_backbone("by_step", of(ByStep))), "test_a_text_that_is_read_in_parts", "position|part"
    ),
    "a cache is not reordered": Fault(
        checks(with_backbone("fixing", of(Fixing))), "test_beams_that_cross", "reorder|select|beam"
    ),
    "dropout in use": Fault(
        checks(with_backbone("dropping", behind_the_layers(Dropping()))), "test_a_model_in_use", "dropout|differ"
    ),
    "a parameter is unused": Fault(
        checks(with_backbone("unused", behind_the_layers(Unused()))), "test_every_parameter_gets", r"unused\.weight"
    ),
    "a buffer counts calls": Fault(
        checks(with_backbone("counting", behind_the_layers(Counting()))),
        "test_modules_keep",
        r"norm\.1\.calls; what no checkpoint holds|fills the new .*calls",
    ),
    "a call leaves something behind": Fault(
        checks(with_backbone("keeping", behind_the_layers(Keeping()))), "test_modules_keep", r"\{'.*': \['last'\]\}"
    ),
    "the future is seen": Fault(
        checks(with_backbone("peeking", behind_the_layers(Peeking()))), "test_no_result_depends", "later|future"
    ),
    "a batch is averaged": Fault(
        checks(with_backbone("averaging", behind_the_layers(Averaging()))), ALONE, "beside what it gives alone"
    ),
    "a type of its own": Fault(
        checks(with_backbone("wide", behind_the_layers(Wide()))), "test_it_runs_in_bfloat16", "float64|Double|dtype"
    ),
    "a value is looked at": Fault(
        checks(with_backbone("curious", behind_the_layers(Curious()))),
        "test_a_model_is_exported",
        "item|data-dependent",
    ),
    "another width than it tells": Fault(
        checks(with_backbone("narrower", of(Narrower))), "test_a_backbone_tells_the_width", "12.*24|24.*12"
    ),
    "a rule of names is lost": Fault(
        checks(broken("nameless", weights=rules_without_a_norm)), "test_the_weight_table", r"stack\.norm\.weight"
    ),
    "the seed is passed over": Fault(
        checks(broken("seedless", initialise=initialise_with_a_generator_of_torchs)), "test_a_seed_gives", "seed"
    ),
    "torch's generator is set": Fault(
        checks(broken("seeding", initialise=initialise_and_seed)), "test_a_seed_gives", "generator"
    ),
    "a parameter is not filled": Fault(
        checks(broken("unfilled", initialise=initialise_but_norms)), "test_every_parameter_gets", "fills the new .*norm"
    ),
    "a head reads the last column": Fault(
        checks(with_head("last_column", "sequence-classification", LastColumn), **of_class("sequence-classification")),
        ALONE,
        "logits of a text .* padded on the right to 9, beside",
    ),
    "a mean counts padding": Fault(
        checks(with_head("all_columns", "sequence-classification", AllColumns), **of_class("sequence-classification")),
        ALONE,
        "logits of a text .* padded on the left to 9, beside",
    ),
    "a loss counts padding": Fault(
        checks(
            with_head("counting_padding", "token-classification", CountingPadding), **of_class("token-classification")
        ),
        "test_the_loss_of_a_padded_batch",
        "loss",
    ),
    "any keyword is taken": Fault(
        checks(with_head("swallowing", "token-classification", Swallowing), **of_class("token-classification")),
        "test_unknown_inputs_are_refused",
        "attention_maks|DID NOT RAISE",
    ),
    "a head is not there": Fault(checks(broken("headless", heads={})), "test_what_the_spec_says", "heads of the spec"),
    "another model type": Fault(
        checks(broken("renamed", config=type("Renamed", (ToyDecoderConfig,), {"model_type": "toy-renamed"}))),
        "test_what_the_spec_says",
        "model_type of the spec",
    ),
    "a capability is not there": Fault(
        checks(broken("incapable", capabilities={})), "test_what_the_spec_says", "capabilities of the spec"
    ),
    "no summary": Fault(checks(broken("silent", parts=()), summary=""), "test_every_class_of_the_reference", "summary"),
    "a class of no head": Fault(
        checks(broken("astray", parts=()), hf_classes={"ToyModel": "backbone", "ToyForX": "x"}, heads=("causal-lm",)),
        "test_every_class_of_the_reference",
        "'x'",
    ),
    "no docstring": Fault(
        checks(broken("undocumented", config=Undocumented)), "test_classes_say_what_they_are", "Undocumented"
    ),
}
