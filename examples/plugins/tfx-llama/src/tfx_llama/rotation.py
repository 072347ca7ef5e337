"""Rotary frequencies of models that read longer texts than they were first trained on."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from torch import Tensor

from tfx_core.errors import ConfigError, shown
from tfx_core.fields import Checked, Positive, Size

Frequencies: TypeAlias = Callable[[Tensor], Tensor]
"""From the paper's radians per position, float32 ``(d / 2,)``, to those to turn by."""


@dataclass(frozen=True, kw_only=True)
class Linear(Checked):
    """All positions closer together (Chen et al. 2023, https://arxiv.org/abs/2306.15595)."""

    factor: Positive

    def __call__(self, frequencies: Tensor) -> Tensor:
        """Every frequency, divided."""
        return frequencies / self.factor


@dataclass(frozen=True, kw_only=True)
class Llama3(Checked):
    """Only what turns slowly is slowed down, with a smooth passage (Grattafiori et al. 2024; the released code)."""

    factor: Positive
    low_freq_factor: Positive
    high_freq_factor: Positive
    original_max_position_embeddings: Size

    def __call__(self, frequencies: Tensor) -> Tensor:
        """Divided where a turn takes more than the first texts had, as it is where they had several."""
        turns = self.original_max_position_embeddings * frequencies / (2 * math.pi)  # in the longest of these texts
        kept = (turns - self.low_freq_factor) / (self.high_freq_factor - self.low_freq_factor)
        kept = kept.clamp(0, 1)
        return kept * frequencies + (1 - kept) * frequencies / self.factor


_KINDS: Mapping[str, type[Linear] | type[Llama3]] = {"linear": Linear, "llama3": Llama3}


def frequencies_of(rotation: Mapping[str, Any]) -> Frequencies | None:
    """What the parameters in ``config.json`` say; raises `ConfigError` for a kind or a number that is not possible."""
    given = {name: value for name, value in rotation.items() if name not in ("type", "rope_type", "rope_theta")}
    kind = rotation.get("rope_type", rotation.get("type", "default"))
    if kind == "default":
        return None
    if not isinstance(kind, str) or kind not in _KINDS:
        possible = ", ".join(map(repr, ("default", *_KINDS)))
        raise ConfigError(f"rope_scaling: rope_type={shown(kind)}: must be one of {possible}")
    wanted = [each.name for each in fields(_KINDS[kind])]
    if sorted(given) != sorted(wanted):
        raise ConfigError(f"rope_scaling: {kind!r} with {sorted(given)}: must have {wanted}")
    try:
        made = _KINDS[kind](**given)
    except ConfigError as error:
        raise ConfigError(f"rope_scaling.{error}") from None
    if made.factor < 1:
        raise ConfigError(f"rope_scaling.factor={made.factor}: must be at least 1")
    if isinstance(made, Llama3) and made.high_freq_factor <= made.low_freq_factor:
        lower = f"low_freq_factor={made.low_freq_factor}"
        raise ConfigError(f"rope_scaling.high_freq_factor={made.high_freq_factor}: must be above {lower}")
    return made
