"""What each token of a translation attends to in its source: one pass of the decoder over the finished text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor

from tfx_core.alignment.words import Span, spelling
from tfx_core.errors import InputError
from tfx_core.fields import Checked
from tfx_core.nn import AttentionKernel, Bias, Observer
from tfx_core.nn.patterns import where_observed
from tfx_core.tasks.base import evaluating, tokens_of_pass
from tfx_core.tasks.batching import token_batches

if TYPE_CHECKING:
    from tfx_core.model.backbone import Backbone
    from tfx_core.model.model import Model


_FEW = 4


@dataclass(frozen=True, kw_only=True)
class AlignmentRule(Checked):
    """Which attention says where a token of a translation comes from.

    It is read at the step where the token is the decoder's input, not where it is predicted, for then the decoder knows
    which token it is, and in the middle of the layers (Chen et al. 2020, "Accurate Word Alignment Induction from Neural
    Machine Translation"); as the mean of all heads (Garg et al. 2019, "Jointly Learning to Align and Translate with
    Transformer Models"); and of each head as the norms of the vectors that it sums, not as the weights alone: much
    weight often is on short vectors (Kobayashi et al. 2020, "Attention is Not Only a Weight"). A decoder of fewer than
    four layers has none to spare for what it has written: of it the last layer is read, where the token is predicted.
    Which layer and step are best for a model `best_rule` finds.
    """

    error: ClassVar[type[InputError]] = InputError

    layer: int | None = None
    """Its place among ``cross_attentions``, from the end where it is negative; by default the third of six, and where
    tokens are aligned as they are written the last but one (Garg et al.), of few layers the last."""

    step: Literal["read", "written"] | None = None
    """That at which the token is the decoder's input, or its output; by default the first, with few layers the last."""

    heads: tuple[int, ...] = ()
    """The heads of the layer that count; none for all."""

    pick: Literal["mean", "max"] = "mean"
    """What is made of the heads."""

    by: Literal["norms", "weights"] = "norms"
    """Weight times norm of the head's value, ``α‖v‖``, or the weight ``α``, which is what ``cross_attentions`` are."""

    def check(self, model: "Model") -> None:
        """Raise `InputError` for a model without cross-attention, and for a layer or a head that it lacks."""
        one = Tokens([0], [None])
        attended(model, [(one, one)], self)

    def of(self, layers: Sequence[Tensor], streams: int = 1) -> Tensor:
        """The weights ``(B, T, S)`` of each token that is read, or ``(B, T + 1, S)`` with the one that is written last.

        ``layers`` are those ``(B, H, T, S)`` of all; ``(B, H, streams·T, S)`` where besides the stream that reads, the
        first one, others write, of which the next one writes the token that comes next.
        """
        step = self.step or ("read" if len(layers) >= _FEW else "written")
        weights = layers[self._layer(len(layers), step)].float()
        each = weights.chunk(streams, dim=2)
        weights = each[0] if step == "read" or streams == 1 else each[1]
        if self.heads:
            self._check_heads(weights.shape[1])
            weights = weights[:, list(self.heads)]
        weights = weights.mean(1) if self.pick == "mean" else weights.amax(1)
        return weights if step == "read" else torch.cat((weights[:, :1], weights), dim=1)

    def _layer(self, count: int, step: str) -> int:
        if self.layer is None:
            return (count - 1) // 2 if step == "read" else count - (2 if count >= _FEW else 1)
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
    lengths = [max(len(source.ids), len(target.ids)) for source, target in read]
    for batch in token_batches(lengths, tokens_of_pass(model, batch_tokens)):
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
        attention=where_observed(attention, _showing_norms) if rule.by == "norms" else attention,
    )
    layers = decoded.cross_attentions
    streams = layers[0].shape[2] // own.shape[1]
    for (source, target), weights in zip(read, rule.of(layers, streams).cpu(), strict=True):
        # a text that fills all positions has a last token that nothing reads: it is where the one before it is
        steps = torch.arange(len(target.ids)).clamp(max=len(weights) - 1)
        yield weights[steps, : len(source.ids)].clone()


@dataclass(kw_only=True)
class _OfValues(Observer):
    """Records the weights times the norms ``(B, H, S)`` of what they are weights of."""

    norms: Tensor

    def report(self, weights: Tensor) -> Tensor:
        """The weights ``(B, H, T, S)`` themselves are what values are summed with."""
        super().report(weights * self.norms[:, :, None])
        return weights


def _showing_norms(
    kernel: AttentionKernel,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Bias | None,
    *,
    observer: Observer,
    **how: Any,
) -> Tensor:
    """An observed call of the kernel that reports ``α‖v‖`` in the place of ``α``."""
    norms = value.norm(dim=-1).repeat_interleave(query.shape[1] // value.shape[1], dim=1)
    shown = _OfValues(observer.record, observer.head_mask, norms=norms)
    context = kernel(query, key, value, bias, observer=shown, **how)
    observer.used = shown.used
    return context


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
