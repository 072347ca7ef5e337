"""Longformer's configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from tfx_core.fields import Size
from tfx_core.nn import Window
from tfx_encoders.roberta.config import RobertaConfig


@dataclass(kw_only=True)
class LongformerConfig(RobertaConfig):
    """Keys of a Longformer's ``config.json`` (Beltagy et al. 2020).

    The defaults are what the reference takes for a key that a file lacks; the released files say 4098 positions, one
    token type and an epsilon of 1e-5. The reference has neither dilation nor the autoregressive form, which are keys of
    the authors' own code.
    """

    model_type: ClassVar[str] = "longformer"
    settable: ClassVar[Collection[str]] = frozenset(RobertaConfig.settable) | {"sep_token_id"}
    inert_keys: ClassVar[Collection[str]] = ("onnx_export",)
    neutral_values: ClassVar[Mapping[str, Collection[Any]]] = {"ignore_attention_mask": (False,)}

    vocab_size: Size = 30522
    """Number of tokens; released files say 50265."""
    position_embedding_type: Literal["absolute"] = "absolute"
    """Learned positions, added to the embeddings."""
    attention_window: Size | tuple[Size, ...] = 512
    """How many neighbours a token sees, half of them to either side; of all layers or of each. Even numbers."""
    attention_dilation: Size | tuple[Size, ...] = 1
    """How many places lie between one neighbour and the next, of all layers or of each; 1 for no gaps."""
    attention_mode: str = "longformer"
    """What the authors' own files have another word for; the reference does not read it."""
    autoregressive: bool = False
    """Whether a token sees nothing that follows it, and so only the half of the window that is before it."""
    sep_token_id: int | None = 2
    """Id behind a question or a prompt, by which heads that read two texts choose the global tokens."""

    def validate(self) -> None:
        """Windows have two halves, and each layer has one; no decoder."""
        super().validate()
        for key in ("attention_window", "attention_dilation"):
            self.require(
                len(self._of_layers(key)) == self.num_hidden_layers,
                key,
                f"a number, or one for each of num_hidden_layers={self.num_hidden_layers}",
            )
        self.require(
            all(size % 2 == 0 for size in self._of_layers("attention_window")),
            "attention_window",
            "even: a token sees half of it to either side",
        )
        self.require(
            self.sep_token_id is None or 0 <= self.sep_token_id < self.vocab_size,
            "sep_token_id",
            f"an id below vocab_size={self.vocab_size}",
        )
        self.require(
            self.attention_mode == "longformer",
            "attention_mode",
            "'longformer'; where the file is one of the authors' own code, its attention_window counts one side alone: "
            "write twice the numbers",
        )
        self.require(not self.is_decoder, "is_decoder", "false: autoregressive=true is its causal form")

    @property
    def windows(self) -> tuple[Window, ...]:
        """What a token sees in each layer; the same object for all that are alike."""
        sizes, steps = self._of_layers("attention_window"), self._of_layers("attention_dilation")
        of_layers = [(size // 2, step) for size, step in zip(sizes, steps, strict=True)]
        kinds = {
            (reach, step): Window(reach, 0 if self.autoregressive else reach, dilation=step)
            for reach, step in of_layers
        }
        return tuple(kinds[kind] for kind in of_layers)

    @property
    def prunable(self) -> None:
        """None: the reference fails to remove heads, and global tokens' projections have no form for it."""
        return None

    def _of_layers(self, key: str) -> tuple[int, ...]:
        given: int | tuple[int, ...] = getattr(self, key)
        return (given,) * self.num_hidden_layers if isinstance(given, int) else given
