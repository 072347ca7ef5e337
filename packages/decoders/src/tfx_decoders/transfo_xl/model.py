"""Transformer-XL (Dai et al. 2019): a decoder that goes on from the states of the segment before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from tfx_core.model import Backbone, ModelOutput, one_of
from tfx_core.nn import (
    ActivationFunction,
    Allowed,
    Attention,
    AttentionCall,
    AttentionKernel,
    Bias,
    DecoderCache,
    Distances,
    FeedForward,
    FreshKeys,
    FusedProjections,
    Layer,
    Memory,
    PositionKeys,
    PostNorm,
    PreNorm,
    RealTokens,
    Recorder,
    RecurrentCall,
    RelativeBiases,
    RelativeGeometry,
    RelativePosition,
    Stack,
    Window,
    by_pattern,
    remember,
    sdpa,
)
from tfx_decoders.transfo_xl.adaptive import AdaptiveEmbeddings
from tfx_decoders.transfo_xl.config import TransfoXLConfig
from tfx_decoders.transfo_xl.heads import cluster_widths, projects


class MemoryAttention(Attention):
    """Tokens attend to the memory, which is the call's ``source``, and to each other (§3.2)."""

    def forward(self, x: Tensor, call: AttentionCall) -> Tensor:
        """``(B, T, D) -> (B, T, D)``."""
        if call.source is not None:
            call = replace(call, source=torch.cat((call.source, x), dim=1))  # (B, M + T, D)
        return super().forward(x, call)


class MemoryPreNorm(PreNorm):
    """A norm before the sublayer, which the memory passes, too: it holds what layers read before their norms."""

    def forward(self, x: Tensor, *call: AttentionCall) -> Tensor:
        """``(B, T, D) -> (B, T, D)``."""
        given = (each if each.source is None else replace(each, source=self.norm(each.source)) for each in call)
        return super().forward(x, *given)


@dataclass(frozen=True)
class ContextRules:
    """What tokens see, and from how far."""

    distances: Distances

    memory: int
    """Number of tokens that are remembered."""

    reach: int | None
    """How many of the last tokens each sees, itself included; ``None`` for all that there are."""

    def geometry(
        self,
        length: int,
        real: RealTokens,
        like: Tensor,
        dropout: Callable[[Tensor], Tensor],
        position_keys: PositionKeys | None = None,
    ) -> RelativeGeometry:
        """Of the last ``length`` of the ``real`` tokens; ``like`` has the type and device of the states.

        Distances are counted in real tokens, so padding moves nothing.
        """
        keys, in_order = real.length, real.distances_by_column
        positions = real.column_positions if in_order else real.positions
        geometry = RelativeGeometry(
            positions[:, keys - length :],
            positions,
            keys=position_keys or FreshKeys(dropout(self.distances.vectors(keys, keys + 1, like))),
        )
        if in_order:
            return geometry
        # what follows a token is hidden from it, whatever its score
        return replace(geometry, places=(keys - geometry.distances).clamp(0, keys))

    def bias(self, geometry: RelativeGeometry, real: RealTokens) -> Bias | None:
        """What follows is hidden, and what is out of reach or not real."""
        length, keys = geometry.query_positions.shape[1], real.length
        reach = keys if self.reach is None else self.reach
        if real.mask is None:
            return None if length == 1 and keys <= reach else Window(reach - 1, 0)
        distances = geometry.distances
        # padding sees at least itself, so that nothing becomes infinite
        itself = torch.ones(length, keys, dtype=torch.bool, device=distances.device)
        itself = itself.tril(keys - length).triu(keys - length)
        return Allowed(((distances >= 0) & (distances < reach) & real.mask[:, None] | itself)[:, None])


class TransfoXLBackbone(Backbone):
    """Word vectors, and a stack whose layers see the states that they read in the segments before.

    Tokens stay padded: the memory is a part of every row, which a ragged layout would have to pack as well.
    """

    def __init__(
        self, width: int, embeddings: AdaptiveEmbeddings, stack: Stack, rules: ContextRules, *, dropout: float
    ) -> None:
        super().__init__(width)
        self.embeddings = embeddings
        self.stack = stack
        self.rules = rules
        self.dropout = nn.Dropout(dropout)

    @property
    def token_tables(self) -> Sequence[tuple[nn.Module, str]]:
        """The tables of all clusters together."""
        return [(self, "embeddings")]

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        mems: Sequence[Tensor] | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        attention: AttentionKernel = sdpa,
    ) -> ModelOutput:
        """Ids ``(B, T)`` or ``inputs_embeds`` ``(B, T, D)`` -> states ``(B, T, D)``, and ``mems`` for the next segment.

        ``mems`` is a call's `Memory`, or its tensors ``(slots, B, D)``; a text begins with a blank one. Padding, which
        ``attention_mask`` ``(B, T)`` tells, is not remembered. Raises `InputError` for inputs that contradict each
        other.
        """
        tokens = one_of(input_ids, inputs_embeds, self.width)
        x = self.vectors(tokens)
        memory, real = self.memory(mems, x), RealTokens.of(tokens, attention_mask)
        remembers = self.rules.memory > 0
        recorder = Recorder.asked(
            len(self.stack.order),
            states=output_hidden_states or remembers,
            weights=output_attentions,
            head_mask=head_mask,
        )
        x = self.read(x, after(memory, real), attention, recorder, memory=memory)
        reports = recorder.reports()
        read = reports.pop("hidden_states", ())[:-1]
        if output_hidden_states:
            reports["hidden_states"] = (*read, x)
        new = remember(memory, read, real, length=self.rules.memory) if remembers else None
        return ModelOutput(last_hidden_state=x, mems=new, token_mask=real.mask, **reports)

    def embed(self, input_ids: Tensor) -> Tensor:
        """Ids ``(B, T)`` -> word vectors ``(B, T, D)``, projected and scaled."""
        return self.vectors(input_ids)

    def vectors(self, tokens: Tensor) -> Tensor:
        """Ids ``(B, T)``, or vectors that take their place -> ``(B, T, D)``."""
        x: Tensor = tokens if tokens.is_floating_point() else self.embeddings(tokens)
        return x

    def memory(self, mems: Sequence[Tensor] | None, x: Tensor) -> Memory | None:
        """What a call goes on from: what it was given, else as many zeros as are remembered, which take part."""
        layers = len(self.stack.order)
        if mems is not None:
            return Memory.of(mems, layers, len(x))
        if not self.rules.memory:
            return None
        return Memory((x.new_zeros(len(x), self.rules.memory, x.shape[-1]),) * layers)

    def read(
        self,
        x: Tensor,
        real: RealTokens,
        attention: AttentionKernel,
        recorder: Recorder,
        *,
        memory: Memory | None = None,
        cache: DecoderCache | None = None,
        position_keys: Sequence[PositionKeys] | None = None,
    ) -> Tensor:
        """Word vectors ``(B, T, D)`` -> states ``(B, T, D)``; ``real`` are those of memory, cache and this call."""
        first_keys = None if position_keys is None else position_keys[0]
        geometry = self.rules.geometry(x.shape[1], real, x, self.dropout, first_keys)
        kernel, bias = by_pattern(attention, self.rules.bias(geometry, real), real, x.shape[1])
        call = RecurrentCall(
            AttentionCall(kernel, bias, geometry),
            cache=cache,
            recorder=recorder,
            memory=memory,
            position_keys=position_keys,
        )
        states: Tensor = self.dropout(self.stack(self.dropout(x), call))
        return states

    @property
    def remembered_tokens(self) -> int:
        """Tokens that are remembered at most."""
        return self.rules.memory

    def segment_inputs(self, mems: Sequence[Tensor] | None, *, remember: bool) -> dict[str, Any]:
        """The inputs of a call that reads on from ``mems``; what it remembers is always returned."""
        return {"mems": mems}


def after(memory: Memory | None, real: RealTokens) -> RealTokens:
    """The tokens of a memory and, after them, those of a call."""
    return real if memory is None else memory.real.append(real)


def build_backbone(config: TransfoXLConfig, parts: frozenset[str]) -> TransfoXLBackbone:
    """The backbone; every head reads the same states."""
    shared = None if config.untie_r else RelativeBiases(config.n_head, config.d_head)
    return TransfoXLBackbone(
        config.d_model,
        _embeddings(config),
        Stack(_layer(config, shared or RelativeBiases(config.n_head, config.d_head)) for _ in range(config.n_layer)),
        ContextRules(
            Distances(config.d_model, config.clamp_len),
            config.mem_len,
            reach=config.mem_len if config.same_length else None,
        ),
        dropout=config.dropout,
    )


def _embeddings(config: TransfoXLConfig) -> AdaptiveEmbeddings:
    ends = (*config.cutoffs, config.vocab_size)
    widths = cluster_widths(config)
    if config.div_val == 1:
        sizes, widths = [config.vocab_size], widths[:1]
    else:
        sizes = [end - begin for begin, end in zip((0, *ends), ends, strict=False)]
    return AdaptiveEmbeddings(
        [nn.Embedding(size, width) for size, width in zip(sizes, widths, strict=True)],
        [nn.Linear(width, config.d_model, bias=False) if projects(config) else nn.Identity() for width in widths],
        scale=config.d_model**0.5,
    )


def _layer(config: TransfoXLConfig, biases: RelativeBiases) -> Layer:
    model, width = config.d_model, config.n_head * config.d_head
    order = MemoryPreNorm if config.pre_lnorm else PostNorm

    def wrapped(sublayer: nn.Module) -> nn.Module:
        return order(sublayer, nn.LayerNorm(model, eps=config.layer_norm_epsilon), config.dropout)

    return Layer(
        self_attention=wrapped(
            MemoryAttention(
                FusedProjections(model, width, bias=False),
                nn.Linear(width, model, bias=False),
                config.n_head,
                position=RelativePosition(nn.Linear(model, width, bias=False), biases),
                dropout=config.dropatt,
            )
        ),
        feed_forward=wrapped(
            FeedForward(
                nn.Linear(model, config.d_inner),
                ActivationFunction("relu"),
                nn.Linear(config.d_inner, model),
                config.dropout,
            )
        ),
    )
