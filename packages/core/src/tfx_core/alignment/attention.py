"""What each token of a translation attends to in its source: one pass of the decoder over the finished text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from tfx_core.alignment.words import Span, spelling
from tfx_core.errors import InputError
from tfx_core.fields import Checked
from tfx_core.tasks.base import CPU_TOKENS, DEVICE_TOKENS, evaluating
from tfx_core.tasks.batching import token_batches

if TYPE_CHECKING:
    from tfx_core.model.backbone import Backbone
    from tfx_core.model.model import Model


@dataclass(frozen=True, kw_only=True)
class AlignmentRule(Checked):
    """Which attention weights say where a token of a translation comes from.

    The weights of a token are read where it is the decoder's input, not where it is predicted: then the decoder knows
    which token it is (Chen et al. 2020, "Accurate Word Alignment Induction from Neural Machine Translation"; with
    ``at="written"`` it is the step before). They are the mean of all heads of one layer (Garg et al. 2019, "Jointly
    Learning to Align and Translate with Transformer Models").
    """

    error: ClassVar[type[InputError]] = InputError

    layer: int | None = None
    """Its place among ``cross_attentions``, negative from the end; by default the one in the middle, which is the
    third of six (Chen et al. 2020)."""

    heads: tuple[int, ...] = ()
    """The heads of the layer that count; none for all."""

    pick: Literal["mean", "max"] = "mean"
    """What is made of the heads."""

    at: Literal["read", "written"] = "read"
    """The step at which the token is the input, or that at which it is the output."""

    def check(self, model: "Model") -> None:
        """Raise `InputError` for a model without cross-attention, and for a layer or a head that it lacks."""
        one = Tokens([0], [None])
        attended(model, [(one, one)], self)

    def of(self, layers: Sequence[Tensor]) -> Tensor:
        """The weights ``(B, T, S)`` that count, of those ``(B, H, T, S)`` of all layers."""
        weights = layers[self._layer(len(layers))].float()
        if self.heads:
            self._check_heads(weights.shape[1])
            weights = weights[:, list(self.heads)]
        weights = weights.mean(1) if self.pick == "mean" else weights.amax(1)
        return weights if self.at == "read" else weights.roll(1, dims=1)

    def _layer(self, count: int) -> int:
        if self.layer is None:
            return (count - 1) // 2
        if not -count <= self.layer < count:
            raise InputError(f"alignment_layer={self.layer}: must be from {-count} to {count - 1}, a decoder layer's")
        return self.layer

    def _check_heads(self, count: int) -> None:
        for head in self.heads:
            if not 0 <= head < count:
                raise InputError(f"alignment_heads={head}: must be from 0 to {count - 1}, a head's of the layer")


@dataclass(frozen=True)
class Tokens:
    """What one side of the model reads, and the characters of each token in its text."""

    ids: Sequence[int]
    spans: Sequence[Span]
    """Of a decoder's input those of each token that it reads, the start token first."""


def word_mass(source: str, target: str, read: Sequence[tuple[Tokens, Tokens]], weights: Sequence[Tensor]) -> Tensor:
    """How much each word of the target attends to each of the source, ``(target words, source words)``.

    ``read`` are the parts in which the two texts were read, each with its weights ``(T, S)``. The mass that special
    tokens have, on which attention rests where it has nothing to do, is left out.
    """
    return sum(
        (
            spelling(target, written.spans) @ each @ spelling(source, given.spans).T
            for (given, written), each in zip(read, weights, strict=True)
        ),
        torch.zeros(len(target.split()), len(source.split())),
    )


def attended(
    model: "Model", read: Sequence[tuple[Tokens, Tokens]], rule: AlignmentRule, batch_tokens: int | None = None
) -> list[Tensor]:
    """The weights ``(T, S)`` of each pair of a source and the decoder's input; no search, one pass of each side.

    Raises `InputError` for a model that has no decoder beside an encoder, and for a layer or heads that it lacks.
    """
    found: list[Tensor] = [torch.empty(0)] * len(read)
    budget = batch_tokens or (DEVICE_TOKENS if model.device.type != "cpu" else CPU_TOKENS)
    lengths = [max(len(source.ids), len(target.ids)) for source, target in read]
    for batch in token_batches(lengths, budget):
        with torch.inference_mode(), evaluating(model):
            for place, weights in zip(batch, _weights(model, [read[place] for place in batch], rule), strict=True):
                found[place] = weights
    return found


def _weights(model: "Model", read: Sequence[tuple[Tokens, Tokens]], rule: AlignmentRule) -> Iterator[Tensor]:
    reader, writer = sides(model)
    most, attention = writer.max_positions, model.attention
    ids, mask = _padded([source.ids for source, _ in read], model.device)
    own, own_mask = _padded([target.ids[:most] for _, target in read], model.device)
    states = reader(input_ids=ids, attention_mask=mask, attention=attention).last_hidden_state
    decoded = writer(
        input_ids=own,
        attention_mask=own_mask,
        encoder_hidden_states=states,
        encoder_attention_mask=mask,
        output_attentions=True,
        attention=attention,
    )
    for (source, target), weights in zip(read, rule.of(decoded.cross_attentions).cpu(), strict=True):
        # a text that fills all positions has a last token that nothing reads: it is where the one before it is
        steps = torch.arange(len(target.ids)).clamp(max=own.shape[1] - 1)
        yield weights[steps, : len(source.ids)].clone()


def sides(model: "Model") -> tuple["Backbone", "Backbone"]:
    """Encoder and decoder; raises `InputError` for a model that has not both."""
    reader, writer = model.backbone.source_reader, model.backbone.text_writer
    if reader is None or writer is None or reader is writer:
        raise InputError(
            f"word alignments: a {model.config.model_type} model with the head {model.head_name!r} has no decoder that "
            "attends to an encoder's tokens"
        )
    return reader, writer


def _padded(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids ``(B, L)`` and their mask, padded on the right."""
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
        mask[place, : len(row)] = 1
    return ids.to(device), mask.to(device)
