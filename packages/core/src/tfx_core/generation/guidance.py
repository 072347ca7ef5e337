"""Classifier-free guidance (arXiv 2306.17806): away from what a negative prompt would go on with."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.generation.prompts import Prompts
from tfx_core.generation.state import DecodingState, ExtendingState

_KEPT = ("attention", "head_mask", "cross_attn_head_mask", "encoder_hidden_states", "encoder_attention_mask")
"""Inputs that are not about the prompt."""


class Guided:
    """Two states that take the same steps: ``scale`` times the way from the negative one's log-probabilities."""

    def __init__(self, positive: DecodingState, negative: DecodingState, scale: float) -> None:
        self.positive: Any = positive
        self.negative: Any = negative
        self.scale = scale

    def prefill(self) -> Tensor:
        """Read both prompts; the guided logits ``(B, V)``."""
        return self._guided(self.positive.prefill(), self.negative.prefill())

    def step(self, ids: Tensor) -> Tensor:
        """Append one token ``(R,)`` to every row of both; the guided logits ``(R, V)``."""
        return self._guided(self.positive.step(ids), self.negative.step(ids))

    def expand(self, copies: int) -> None:
        """Make ``copies`` adjacent rows of every row of both."""
        self.positive.expand(copies)
        self.negative.expand(copies)

    def reorder(self, rows: Tensor) -> None:
        """Row ``i`` continues what row ``rows[i]`` was in both."""
        self.positive.reorder(rows)
        self.negative.reorder(rows)

    def select(self, sources: Tensor) -> None:
        """Keep only these sources of both."""
        self.positive.select(sources)
        self.negative.select(sources)

    def _guided(self, positive: Tensor, negative: Tensor) -> Tensor:
        with_it, without = positive.float().log_softmax(-1), negative.float().log_softmax(-1)
        return self.scale * (with_it - without) + without


class GuidedExtending(Guided):
    """The same of states that take several tokens at once."""

    def extend(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Append tokens to both; the guided logits ``(R, n, V)``."""
        return self._guided(self.positive.extend(ids, lengths), self.negative.extend(ids, lengths))

    def keep(self, counts: Tensor) -> None:
        """Of the tokens appended by the last `extend`, keep the first ``counts[i]`` of row ``i`` in both."""
        self.positive.keep(counts)
        self.negative.keep(counts)


def guided(positive: DecodingState, negative: DecodingState, scale: float) -> DecodingState:
    """Both states as one, which can what both can."""
    both = isinstance(positive, ExtendingState) and isinstance(negative, ExtendingState)
    return (GuidedExtending if both else Guided)(positive, negative, scale)


def negative_inputs(
    inputs: Mapping[str, Any], read: Prompts | None, prompt: object, mask: Tensor | None, rows: int
) -> dict[str, Any]:
    """The inputs of a call with the negative prompt ``(rows, N)`` or ``(1, N)`` in the place of what is ``read``.

    Without one, the last token of each row stands for no prompt at all: there a text goes on with anything, or, where
    an encoder reads it, is over.
    """
    if prompt is None:
        if read is None or read.padded.shape[1] == 0:
            raise InputError("guidance_scale: needs negative_prompt_ids where this call has no input_ids")
        prompt, mask = read.padded[:, -1:], None
    if not isinstance(prompt, Tensor):
        raise InputError(f"negative_prompt_ids of type {type(prompt).__name__}: must be a torch.Tensor")
    mask = torch.ones_like(prompt) if mask is None else mask
    read = Prompts.from_padded(prompt, mask, "negative_prompt_ids")
    if len(read) not in (1, rows):
        raise InputError(f"negative_prompt_ids: {len(read)} given, for a batch of {rows}")
    kept = {name: x for name, x in inputs.items() if name in _KEPT or name.startswith("decoder_")}
    return {**kept, "input_ids": prompt.expand(rows, -1), "attention_mask": mask.expand(rows, -1)}


def check_room(negative: Tensor, new: int, positions: int | None) -> None:
    """Raise `InputError` where ``new`` tokens after the negative prompts ``(B, N)`` are more than a model reads."""
    if positions is not None and negative.shape[1] + new - 1 > positions:
        raise InputError(
            f"negative_prompt_ids of {negative.shape[1]} tokens, and {new} new ones: the model has positions for "
            f"{positions}; shorten it, or set max_new_tokens"
        )
