"""GPT's configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from tfx_core.fields import Size
from tfx_core.nn import Activation
from tfx_decoders.gpt import GPTConfig


@dataclass(kw_only=True)
class OpenAIGPTConfig(GPTConfig):
    """Keys of a GPT's ``config.json``; the defaults are the released model (Radford et al. 2018)."""

    model_type: ClassVar[str] = "openai-gpt"
    absent: ClassVar[Mapping[str, str]] = {"intermediate_size": "feed-forward layers are four times as wide as n_embd"}
    neutral_values: ClassVar[Mapping[str, Collection[Any]]] = {"n_special": (0,)}  # rows behind the vocabulary's

    vocab_size: Size = 40478
    """Number of tokens."""
    n_positions: Size = 512
    """Longest text, in tokens."""
    afn: Literal["gelu", "gelu_new", "relu", "silu", "swish"] = "gelu"
    """Activation of the feed-forward layers; ``gelu`` is the tanh form, ``gelu_new`` of other architectures."""

    @property
    def activation(self) -> Activation:
        """The activation by its common name."""
        return "gelu_new" if self.afn == "gelu" else self.afn
