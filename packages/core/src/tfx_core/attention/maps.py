"""The weights of a model's attention over one text, by side, layer and head, with the tokens that they are of."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from tfx_core.attention.reading import Read, Reading
from tfx_core.attention.watching import Watched, layers_of, watched
from tfx_core.errors import InputError
from tfx_core.fields import Size, checked
from tfx_core.model.attentions import AttentionChoice, called, kernel_of
from tfx_core.nn import FirstTokens, Patterned
from tfx_core.tasks.base import evaluating

if TYPE_CHECKING:
    from tfx_core.model.model import Model
    from tfx_core.model.outputs import ModelOutput
    from tfx_core.text import Tokenizer


class Label(NamedTuple):
    """What a row or a column of weights is called."""

    text: str
    is_global: bool = False
    """Whether it is a token that a pattern lets all others see, or that has an attention of its own."""


@dataclass(frozen=True)
class AttentionMap:
    """What the heads of one layer attend to."""

    weights: Tensor
    """``(H, T, S)``, as the values were summed with them."""
    allowed: Tensor
    """Boolean ``(H, T, S)``: which pairs the mask, or a pattern, let through; the weight of others is no number of the
    model's."""
    rows: tuple[Label, ...]
    """The ``T`` that attend: tokens, or pooled states."""
    columns: tuple[Label, ...]
    """The ``S`` that are attended to: a memory's states, tokens, or pooled states."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON: weights to six places, and ``null`` where attention is not allowed."""
        weights, allowed = self.weights.tolist(), self.allowed.tolist()
        return {
            "rows": [each.text for each in self.rows],
            "columns": [each.text for each in self.columns],
            "global_rows": [place for place, each in enumerate(self.rows) if each.is_global],
            "weights": [
                [
                    [round(weight, 6) if seen else None for weight, seen in zip(*line, strict=True)]
                    for line in zip(*head, strict=True)
                ]
                for head in zip(weights, allowed, strict=True)
            ],
        }


@dataclass(frozen=True)
class AttentionSide:
    """One of the things that a model attends to: ``"encoder"``, ``"decoder"``, ``"cross"``, or what else it reports."""

    name: str
    layers: tuple[AttentionMap, ...]


@dataclass(frozen=True)
class AttentionMaps:
    """All that a model attended to in one call."""

    model: str
    """The name of its folder, its hub id, or its architecture."""
    attention: str
    """The kernel or pattern."""
    sides: tuple[AttentionSide, ...]
    written: bool = False
    """Whether the decoder read what the model wrote itself, for want of a target."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON: weights to six places, and ``null`` where attention is not allowed."""
        return {
            "model": self.model,
            "attention": self.attention,
            "written": self.written,
            "sides": [{"name": side.name, "layers": [layer.to_dict() for layer in side.layers]} for side in self.sides],
        }


def attention_maps(
    model: "Model",
    tokenizer: "Tokenizer",
    text: str,
    pair: str | None = None,
    *,
    target: str | None = None,
    attention: AttentionChoice | None = None,
    max_tokens: int | None = None,
    src_lang: str | None = None,
    tgt_lang: str | None = None,
    progress: Callable[[int], object] | None = None,
) -> AttentionMaps:
    """What each head of each layer attends to while the model reads a text, or a text and its ``pair``.

    The decoder of an encoder-decoder reads the ``target``, as in training; without one what the model writes itself,
    greedily and at most 24 tokens. ``attention`` is as in a call, by default the model's. Texts are cut to
    ``max_tokens``; without it one of more than 256 tokens, or than the model takes, is refused. ``progress`` is called
    with 1 for each attention that has been computed.

    The weights are those of ``model(…, output_attentions=True)``, for every pair of tokens: of Longformer, too, which
    reports them by neighbour. Raises `InputError` for a model that reports no attention, one that cannot read a text
    alone, an empty text, and a target for a model that has no use for it.
    """
    if "output_attentions" not in model.input_names:
        raise InputError(f"a {model.config.model_type} reports no attention weights: there is nothing to show")
    checked(max_tokens, Size | None, "max_tokens", InputError)
    chosen = model.attention if attention is None else attention
    kernel, seen = kernel_of(chosen), list[Watched]()

    def notice(each: Watched) -> None:
        seen.append(each)
        if progress is not None:
            progress(1)

    reading = Reading(model, tokenizer, max_tokens, src_lang, tgt_lang)
    with torch.inference_mode(), evaluating(model):
        given = reading.read(text, pair, target, kernel)
        output = model(**given.inputs, output_attentions=True, attention=watched(kernel, notice))
    pattern = kernel.pattern if isinstance(kernel, Patterned) else None
    first = pattern.count if isinstance(pattern, FirstTokens) else 0
    sides = tuple(_sides(output, layers_of(seen), given, first, causal=model.backbone.causal))
    if not sides:
        raise InputError(f"a {model.config.model_type} reports no attention weights: there is nothing to show")
    shown = pattern if attention is None and pattern is not None else chosen
    return AttentionMaps(_name(model), called(shown), sides, given.written)


def _name(model: "Model") -> str:
    """The hub id that a model came from, or its folder's name: whoever is given the page has no use for the path."""
    if model.origin is None:
        return model.config.model_type
    return os.path.basename(os.path.abspath(model.origin)) if os.path.isdir(model.origin) else model.origin


def _sides(
    output: "ModelOutput", layers: Sequence[Watched], given: Read, first: int, *, causal: bool
) -> Iterator[AttentionSide]:
    """Of all that an output reports under a name of attentions; a pattern lets the ``first`` tokens be seen by all."""
    names = (name for name in output if name.endswith("attentions"))
    for name in sorted(names, key=lambda name: ("decoder" in name) + 2 * ("cross" in name)):
        reported = output[name]
        found = [layer for layer in layers if any(each is reported[0] for each in layer.record)]
        if not found:  # what it has of tokens with an attention of their own, which is among their layer's already
            continue
        side = name.removesuffix("attentions").strip("_").replace("_", " ") or ("decoder" if causal else "encoder")
        rows = given.source if given.target is None or side.startswith("encoder") else given.target
        streams: dict[str, list[AttentionMap]] = {}
        for layer, one in zip(found, reported, strict=True):
            columns, chosen = (given.source, set[int]()) if side == "cross" else (rows, _global(layer, first))
            for stream in _streams(layer, one, len(rows)):
                label = f"{side} {stream.number}" if stream.number else side
                streams.setdefault(label, []).append(stream.map(rows, columns, chosen))
        yield from (AttentionSide(label, tuple(maps)) for label, maps in streams.items())


def _global(layer: Watched, first: int) -> set[int]:
    """Which columns have an attention of their own, or are of the ``first`` and seen by all: bounds may be together."""
    before = layer.allowed.shape[2] - layer.allowed.shape[1]
    chosen = [] if layer.queries is None else layer.queries.tolist()
    seen = (place for place in range(first) if bool(layer.allowed[:, max(place - before, 0) :, place].all()))
    return {*chosen, *seen}


class _Stream(NamedTuple):
    """What the heads of a layer attend to for one of the states that it has for each token."""

    number: int
    """0 for what reads the text, from 1 on for what predicts it (`tfx_core.nn.StreamRecorder`)."""
    weights: Tensor
    allowed: Tensor
    itself: bool = False
    """Whether its own states come behind those that read."""

    def map(self, rows: Sequence[str], columns: Sequence[str], chosen: Collection[int]) -> AttentionMap:
        """With what its tokens are called and those that it reads, of which the ``chosen`` columns are global."""
        _, attending, attended = self.weights.shape
        own = [f"predicted: {each}" for each in columns] if self.itself else []
        before = max(attended - len(columns) - len(own), 0)
        read = [f"memory {number}" for number in range(1, before + 1)] + _called(columns, attended) + own
        return AttentionMap(
            self.weights.cpu(),
            self.allowed.cpu(),
            tuple(Label(each, place + before in chosen) for place, each in enumerate(_called(rows, attending))),
            tuple(Label(each, place in chosen) for place, each in enumerate(read)),
        )


def _called(tokens: Sequence[str], count: int) -> list[str]:
    """The tokens, or what to call fewer states than there are tokens."""
    return list(tokens) if count >= len(tokens) else [f"pooled {number}" for number in range(1, count + 1)]


def _streams(layer: Watched, reported: Tensor, tokens: int) -> Iterator[_Stream]:
    """The streams of which ``reported`` ``(1, H, T, S)`` or ``(1, n, H, T, S + T)`` tells."""
    if reported.dim() == 5:
        read = layer.weights.shape[2] - reported.shape[1] * tokens
        for number, weights in enumerate(reported[0], 1):
            allowed = layer.allowed[:, number * tokens : (number + 1) * tokens]
            own = allowed[:, :, read + (number - 1) * tokens : read + number * tokens]
            yield _Stream(number, weights, torch.cat((allowed[:, :, :read], own), dim=2), True)
        return
    weights, allowed = layer.weights, layer.allowed
    if reported.shape[2] < weights.shape[1]:  # it reports the others elsewhere
        weights, allowed = (each[:, : reported.shape[2], : reported.shape[3]] for each in (weights, allowed))
    parts = max(weights.shape[1] // tokens, 1)
    for number, (own, seen) in enumerate(zip(weights.chunk(parts, 1), allowed.chunk(parts, 1), strict=True)):
        yield _Stream(number, own, seen)
