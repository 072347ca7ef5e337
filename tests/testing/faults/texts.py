"""Decoders that are wrong in one way each: which tokens count, where they stand, and what is read of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.testing.faults import AT_ONCE, Fault
from tests.testing.faults.models import PLAN, SOUND, checks, of_config, with_backbone, with_head
from tfx_core import Architecture
from tfx_core.checkpoint import Rename
from tfx_core.model import HeadPlan, ModelOutput, TransformerBackbone
from tfx_core.model.heads import Head
from tfx_testing import Checks
from tfx_testing.toy_decoder import ToyDecoderConfig


def of(kind: type[nn.Module]) -> Callable[[nn.Module], None]:
    """Make a module one of another class."""
    return lambda module: setattr(module, "__class__", kind)


def behind_the_layers(module: nn.Module) -> Callable[[Any], None]:
    """Put a module behind the last norm."""
    return lambda backbone: setattr(backbone.stack, "norm", nn.Sequential(backbone.stack.norm, module))


class ByColumn(TransformerBackbone):
    """Counts positions from the first column."""

    def unchecked_span(self, tokens: Tensor, attention_mask: Any, positions: Any, cache: Any) -> Any:
        given = torch.arange(tokens.shape[1])[None].expand(len(tokens), -1) if positions is None else positions
        return super().unchecked_span(tokens, attention_mask, given, cache)


class ByStep(TransformerBackbone):
    """Counts positions from the first token of a call, whatever is in the cache."""

    def unchecked_span(self, tokens: Tensor, attention_mask: Any, positions: Any, cache: Any) -> Any:
        if cache is not None and cache.length and positions is None:
            positions = torch.arange(tokens.shape[1])[None].expand(len(tokens), -1)
        return super().unchecked_span(tokens, attention_mask, positions, cache)


class OffByOne(TransformerBackbone):
    """Begins at the second position where there is padding."""

    def unchecked_span(self, tokens: Tensor, attention_mask: Any, positions: Any, cache: Any) -> Any:
        if attention_mask is not None and attention_mask.dim() == 2 and positions is None and cache is None:
            positions = (attention_mask.cumsum(1) - (attention_mask.min() > 0).long()).clamp(min=0)
        return super().unchecked_span(tokens, attention_mask, positions, cache)


class Inverted(TransformerBackbone):
    """Reads the mask the other way round."""

    def unchecked_span(self, tokens: Tensor, attention_mask: Any, positions: Any, cache: Any) -> Any:
        mask = None if attention_mask is None else 1 - attention_mask
        return super().unchecked_span(tokens, mask, positions, cache)


class Unmasked(TransformerBackbone):
    """Passes over the mask."""

    def unchecked_span(self, tokens: Tensor, attention_mask: Any, positions: Any, cache: Any) -> Any:
        return super().unchecked_span(tokens, None, positions, cache)


class Counting(nn.Module):
    """Counts its calls in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x


class Keeping(nn.Module):
    """Keeps what it made last."""

    def forward(self, x: Tensor) -> Tensor:
        self.last = x
        return x


class Averaging(nn.Module):
    """Takes the mean of all that is in the batch away."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.flatten(0, -2).mean(0)


class Curious(nn.Module):
    """Looks at a value in Python."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.abs().max().item() > 1e9 else x


class OfOneState(Head):
    """Classifies a text by what stands in the last column."""

    def __init__(self, classifier: nn.Linear) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        logits = self.classifier(self.state(states.last_hidden_state))
        return states.updated(logits=logits, loss=None if labels is None else F.cross_entropy(logits, labels))

    def state(self, x: Tensor) -> Tensor:
        return x[:, -1]


class OfAllColumns(OfOneState):
    """Classifies a text by the mean of all columns."""

    def state(self, x: Tensor) -> Tensor:
        return x.mean(1)


class CountingPadding(OfOneState):
    """Learns from the labels of padding."""

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        logits = self.classifier(states.last_hidden_state)
        loss = None if labels is None else F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        return states.updated(logits=logits, loss=loss)


class Swallowing(OfOneState):
    """Takes any keyword."""

    def forward(self, states: ModelOutput, **named: Any) -> ModelOutput:  # type: ignore[override]
        return states.updated(logits=self.classifier(states.last_hidden_state))


def headed(kind: type[OfOneState], head: str) -> Callable[[], type[Checks]]:
    """The checks of the sound backbone with one head."""
    plan: HeadPlan[Any] = HeadPlan(
        lambda config, backbone: kind(nn.Linear(backbone.width, config.num_labels)),
        rules={"classifier": (Rename("classifier.{p}", "head.classifier.{p}"),)},
    )
    return checks(replace(SOUND, heads={head: plan}), hf_classes={"BrokenModel": "backbone", "BrokenWithHead": head})


def unfilled(path: str, module: nn.Module, config: Any, generator: Any) -> None:
    if not isinstance(module, nn.LayerNorm):
        SOUND.initialise(path, module, config, generator)


def backbone(kind: type[nn.Module] | nn.Module) -> Architecture[Any]:
    """The sound one of another class, or with a module behind its layers."""
    return with_backbone(of(kind) if isinstance(kind, type) else behind_the_layers(kind))


ALONE = "test_a_text_gives_in_any_batch"
TEXTS, TOKENS = "sequence-classification", "token-classification"
LEFT, RIGHT = "padded on the left to 9, beside what it gives alone", "padded on the right to 9, beside what it gives"
FAULTS = {
    "positions are columns": Fault(checks(backbone(ByColumn)), ALONE, LEFT),
    "positions are off by one": Fault(checks(backbone(OffByOne)), ALONE, LEFT),
    "positions begin with each call": Fault(checks(backbone(ByStep)), "test_a_text_that_is_read_in_parts", "position"),
    "the mask is inverted": Fault(checks(backbone(Inverted)), ALONE, RIGHT),
    "the mask is passed over": Fault(checks(backbone(Unmasked)), ALONE, LEFT),
    "a buffer counts calls": Fault(checks(backbone(Counting())), AT_ONCE, r"fills the new .*norm\.1\.calls"),
    "a call leaves something": Fault(checks(backbone(Keeping())), "test_modules_keep", r"norm\.1': \['last'\]"),
    "a batch is averaged": Fault(checks(backbone(Averaging())), ALONE, RIGHT),
    "a value is looked at": Fault(checks(backbone(Curious())), "test_a_model_is_exported", r"item\(|data-dependent"),
    "a parameter is not filled": Fault(checks(replace(SOUND, initialise=unfilled)), AT_ONCE, "fills the new .*norm"),
    "a head reads the last column": Fault(headed(OfOneState, TEXTS), ALONE, f"logits of a text .* {RIGHT}"),
    "a mean counts padding": Fault(headed(OfAllColumns, TEXTS), ALONE, f"logits of a text .* {LEFT}"),
    "a loss counts padding": Fault(headed(CountingPadding, TOKENS), "test_the_loss_of_a_padded_batch", "loss"),
    "any keyword is taken": Fault(headed(Swallowing, TOKENS), AT_ONCE, r"takes \*named; it must name every input"),
    "a head is not there": Fault(checks(replace(SOUND, heads={})), AT_ONCE, "heads of the spec"),
    "a capability is not there": Fault(checks(replace(SOUND, capabilities={})), AT_ONCE, "capabilities of the spec"),
    "another model type": Fault(checks(of_config(ToyDecoderConfig)), AT_ONCE, "model_type of the spec"),
    "a class of no head": Fault(
        checks(with_head(PLAN), hf_classes={"BrokenModel": "backbone", "BrokenForX": "x"}, heads=("causal-lm",)),
        AT_ONCE,
        "'x', which is not one of its heads",
    ),
}
