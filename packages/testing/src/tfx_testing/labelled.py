"""Texts with the labels of any head, alone and as a padded batch."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tfx_core.model.heads import IGNORED
from tfx_testing.cases import CHOICE_HEADS, ArchitectureCase, Inputs
from tfx_testing.tiny import random_ids

LENGTHS, WIDTH = (9, 4, 6), 12
SIDES = ("left", "right", "holes")
_WITHOUT_LOSS = ("question-encoder", "context-encoder", "reader", "backbone", "encoder-only", "decoder-only")
_OF_PLACES = ("start_positions", "end_positions", "cls_index", "mc_token_ids")


def has_loss(head: str) -> bool:
    """Whether a head of this name learns from labels."""
    return head not in _WITHOUT_LOSS


def texts_of(case: ArchitectureCase, head: str) -> "list[Text]":
    """A text of each length, of which equally many labels count: a batch's loss is the mean of theirs."""
    return [Text(_with_labels(case, head, length, seed)) for seed, length in enumerate(LENGTHS)]


@dataclass(frozen=True)
class Text:
    """One text with its labels: a call's inputs."""

    inputs: Inputs

    @property
    def length(self) -> int:
        """Number of its tokens."""
        return self.inputs["input_ids"].shape[-1]

    def columns(self, side: str) -> Tensor:
        """Where its tokens lie in a padded row."""
        columns = torch.arange(self.length)
        if side == "left":
            return columns + WIDTH - self.length
        return columns if side == "right" else columns + 2 * (columns > 0) + (columns > 2)

    def padded(self, side: str) -> Inputs:
        """Its row of a batch; padding has ids and labels, too, which must not matter."""
        columns, made = self.columns(side), dict(self.inputs)
        for name, value in self.inputs.items():
            if name in _OF_PLACES:
                made[name] = columns[value]
            elif value.shape[-1:] == (self.length,):
                made[name] = value.new_full((*value.shape[:-1], WIDTH), 0 if name.endswith("mask") else 1)
                made[name][..., columns] = value
        return made


def padded_batch(texts: list[Text], side: str) -> Inputs:
    """The texts as one batch."""
    rows = [text.padded(side) for text in texts]
    return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}


def _with_labels(case: ArchitectureCase, head: str, length: int, seed: int) -> Inputs:
    """A text ``(1, length)`` with labels, four of which count, or three where the first cannot."""
    generator = torch.Generator().manual_seed(seed)

    def random(high: int, *shape: int) -> Tensor:
        return torch.randint(0, high, shape, generator=generator)

    shape = (1, 2, length) if head in CHOICE_HEADS else (1, length)
    ids = random_ids(case, shape[-2], length, seed).view(shape)
    inputs: Inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    labels = random(case.tiny["vocab_size"] - 6, *shape) + 5
    labels[..., 1 : length - 3] = IGNORED
    own = case.labels(head, labels, generator)
    if own is not None:
        return {**inputs, **own}
    match head:
        case "masked-lm" | "causal-lm":
            return {**inputs, "labels": labels}
        case "token-classification":
            return {**inputs, "labels": labels.clamp(max=1)}
        case "conditional-generation":
            return {**inputs, "labels": labels, "decoder_attention_mask": torch.ones_like(labels)}
        case "double-heads":
            return {**inputs, "labels": labels, "mc_labels": random(2, 1), "mc_token_ids": random(length, 1, 2)}
        case "multiple-choice" | "sequence-classification" | "multimodal-classification" | "next-sentence":
            return {**inputs, "labels": random(2, 1)}
        case "question-answering":
            return {**inputs, "start_positions": random(length, 1), "end_positions": random(length, 1)}
        case "question-answering-beam":
            places = {name: random(length, 1) for name in ("start_positions", "end_positions", "cls_index")}
            return {**inputs, **places, "is_impossible": random(2, 1).float()}
    raise LookupError(
        f"head {head!r} of {case.model_type!r}: nothing is known of its labels; ArchitectureCase(labels=…) makes them"
    )
