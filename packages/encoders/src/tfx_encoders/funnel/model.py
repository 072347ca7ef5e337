"""Funnel Transformer (Dai et al. 2020): blocks of layers over ever fewer states, and a decoder that has all again."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from tfx_core.model import Backbone, ModelOutput, one_of
from tfx_core.nn import (
    ActivationFunction,
    Attention,
    AttentionCall,
    AttentionKernel,
    CrossProjections,
    Embeddings,
    FeedForward,
    Layer,
    LayerCall,
    PostNorm,
    Recorder,
    RelativeBiases,
    SegmentPosition,
    Span,
    Stack,
    StackCall,
    initialise_normal,
    sdpa,
)
from tfx_encoders.funnel.config import FunnelConfig
from tfx_encoders.funnel.levels import Level
from tfx_encoders.funnel.pooling import PoolingRules
from tfx_encoders.funnel.positions import FactorisedPosition, FunnelPosition, Places
from tfx_encoders.funnel.reports import TextRecorder


@dataclass(frozen=True, kw_only=True)
class TextCall(StackCall):
    """The call of the first block, which keeps what came out of the ``skipped``th layer that runs, for a decoder."""

    skipped: int | None
    seen: list[Tensor | None] = field(default_factory=list)
    """Of every state, beginning with what the first layer reads, the one that is kept."""

    def add_state(self, x: Tensor) -> Tensor:
        """Keep the state, where it is the one, and report it where that is asked for."""
        x = super().add_state(x)
        self.seen.append(x if len(self.seen) == self.skipped else None)
        return x

    @property
    def kept(self) -> Tensor:
        """The state."""
        return next(each for each in self.seen if each is not None)


@dataclass(frozen=True, kw_only=True)
class PooledCall(StackCall):
    """The call of a block whose first layer may read the states before pooling."""

    reading: AttentionCall
    goes_on: bool = True

    def layer(self, step: int) -> LayerCall:
        """The call of the layer that runs as number ``step``."""
        layer = super().layer(step)
        if step:
            return layer
        return replace(layer, self_attention=replace(self.reading, observer=layer.self_attention.observer))


class FunnelBackbone(Backbone):
    """Blocks, between which states are pooled, and a decoder, without which the pooled ones are what it gives.

    Pooled queries read the states before pooling, with ``pooled_keys`` the pooled ones. The decoder adds what came out
    of the ``skipped``th layer that runs.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        blocks: Sequence[Stack],
        decoder: Stack | None,
        pooling: PoolingRules,
        places: Places,
        *,
        pooled_keys: bool,
        skipped: int,
    ) -> None:
        super().__init__(embeddings.token.embedding_dim, causal=False)
        self.embeddings = embeddings
        self.blocks = nn.ModuleList(blocks)
        self.decoder = decoder
        self.pooling = pooling
        self.places = places
        self.pooled_keys = pooled_keys
        self.skipped = skipped
        self.runs = tuple(len(block.order) for block in blocks)
        """How many layers run in each block."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        attention: AttentionKernel = sdpa,
    ) -> ModelOutput:
        """Ids ``(B, S)`` or ``inputs_embeds`` ``(B, S, D)`` -> states ``(B, S, D)``, without a decoder ``(B, P, D)``.

        Rows of pooled states begin with that of the first real token, and so does what these are reported to attend to.
        Raises `InputError` for inputs that contradict each other.
        """
        tokens = one_of(input_ids, inputs_embeds, self.width)
        span = Span.aligned(tokens, attention_mask, causal=False)
        level = text = Level.of_text(span, token_type_ids)
        recorder = Recorder.asked(
            self._layers, states=output_hidden_states, weights=output_attentions, head_mask=head_mask
        )
        x = self.embeddings(text.layout.pack(tokens), text.layout.pack(span.positions))
        call = TextCall(
            self._attention(text, text, attention, x),
            recorder=TextRecorder.of(recorder, text.layout),
            skipped=None if self.decoder is None else self.skipped,
        )
        x = self.blocks[0](x, call)
        x, level = self._pooled(x, text, attention, recorder)
        if self.decoder is not None:
            x, level = self._up_sampled(x, level, text) + call.kept, text
            x = self.decoder(x, StackCall(call.self_attention, recorder=call.recorder, first=sum(self.runs)))
        return ModelOutput(last_hidden_state=level.layout.unpack(x), token_mask=level.mask, **recorder.reports())

    def embed(self, input_ids: Tensor) -> Tensor:
        """Ids ``(B, S)`` -> the token table's vectors ``(B, S, D)``."""
        return self.embeddings.vectors(input_ids)

    def _pooled(self, x: Tensor, level: Level, kernel: AttentionKernel, recorder: Recorder) -> tuple[Tensor, Level]:
        """What the blocks after the first make of packed states, and the level of it."""
        for number, block in enumerate(self.blocks[1:], 1):
            below, source = level, x
            windows = self.pooling.windows(below.real)
            level = below.pooled(windows)
            x = level.packed(windows.pool(below.rows(source)))
            own = reading = self._attention(level, level, kernel, x)
            if not self.pooled_keys:
                reading = replace(self._attention(level, below, kernel, x), source=source, source_layout=below.layout)
            call = PooledCall(own, recorder=recorder, first=sum(self.runs[:number]), reading=reading)
            x = block(x, call)
        return x, level

    def _up_sampled(self, x: Tensor, top: Level, text: Level) -> Tensor:
        """Packed states of the top -> of the tokens; zero for those that no pooling has taken in."""
        places = self.pooling.places(text.real.length, len(self.blocks), x.device)
        states = places.clamp(max=top.real.length - 1)
        known = top.real.dense_mask.index_select(1, states) & (places < top.real.length)
        rows = top.rows(x).index_select(1, states)  # (B, S, D)
        return text.packed(rows.where(known[..., None], rows.new_zeros(())))

    def _attention(self, queries: Level, keys: Level, kernel: AttentionKernel, like: Tensor) -> AttentionCall:
        geometry = self.places(queries, keys, like)
        return AttentionCall(kernel=kernel, bias=keys.real.keys, geometry=geometry, layout=queries.layout)

    @property
    def _layers(self) -> int:
        """How many layers run in all."""
        return sum(self.runs) + (0 if self.decoder is None else len(self.decoder.order))


def build_backbone(config: FunnelConfig, parts: frozenset[str]) -> FunnelBackbone:
    """The backbone, with its decoder where that is one of the parts."""
    apart = int(config.separate_cls)
    return FunnelBackbone(
        Embeddings(
            nn.Embedding(config.vocab_size, config.d_model, padding_idx=config.pad_token_id),
            norm=nn.LayerNorm(config.d_model, eps=config.layer_norm_eps),
            dropout=config.hidden_dropout,
        ),
        [_stack(config, size, repeats) for size, repeats in zip(config.block_sizes, config.repeats, strict=True)],
        _stack(config, config.num_decoder_layers) if "decoder" in parts else None,
        PoolingRules(config.pooling_type, config.separate_cls, config.separate_cls and config.truncate_seq),
        Places(config.d_model, config.hidden_dropout, apart, factorised=config.attention_type == "factorized"),
        pooled_keys=not config.pool_q_only,
        # as in the reference: of a first block whose layers are repeated it is not the last state
        skipped=config.block_sizes[0],
    )


def _stack(config: FunnelConfig, size: int, repeats: int = 1) -> Stack:
    layers = [_layer(config) for _ in range(size)]
    return Stack(layers, order=[number for number in range(len(layers)) for _ in range(repeats)])


def _layer(config: FunnelConfig) -> Layer:
    def wrapped(sublayer: nn.Module) -> PostNorm:
        return PostNorm(sublayer, nn.LayerNorm(config.d_model, eps=config.layer_norm_eps), config.hidden_dropout)

    return Layer(
        wrapped(_self_attention(config)),
        wrapped(
            FeedForward(
                nn.Linear(config.d_model, config.d_inner),
                ActivationFunction(config.hidden_act),
                nn.Linear(config.d_inner, config.d_model),
                config.activation_dropout,
            )
        ),
    )


def _self_attention(config: FunnelConfig) -> Attention:
    width = config.n_head * config.d_head
    position = FactorisedPosition if config.attention_type == "factorized" else FunnelPosition
    return Attention(
        CrossProjections(config.d_model, width, query_bias=False),
        nn.Linear(width, config.d_model),
        config.n_head,
        position=position(nn.Linear(config.d_model, width, bias=False), config.n_head, int(config.separate_cls)),
        dropout=config.attention_dropout,
    )


@torch.no_grad()
def initialise(path: str, module: nn.Module, config: FunnelConfig, generator: torch.Generator | None) -> None:
    """Fill a module as the released code does: what belongs to positions and segments is uniform from 0 on."""
    if isinstance(module, SegmentPosition | RelativeBiases) or path.endswith(".position.project"):
        for parameter in module.parameters(recurse=False):
            parameter.uniform_(0.0, config.initializer_range, generator=generator)
    else:
        std = _deviation(path, module) if config.initializer_std is None else config.initializer_std
        initialise_normal(module, std, generator)


def _deviation(path: str, module: nn.Module) -> float:
    if not isinstance(module, nn.Linear):
        return 1.0
    layers = 2 if path.endswith(".keys_values") else 1  # of a checkpoint in one of ours
    return float((module.in_features + module.out_features / layers) ** -0.5)
