"""BERT (Devlin et al. 2019): the encoder, which can also be a decoder with cross-attention."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.nn import (
    Attention,
    AttentionKernel,
    CrossProjections,
    DecoderCache,
    Embeddings,
    FeedForward,
    FusedProjections,
    Layer,
    Pooler,
    PostNorm,
    Span,
    Stack,
    StackCall,
    activation,
    expand_head_mask,
    first_tokens,
    sdpa,
)
from tfx_core.outputs import ModelOutput
from tfx_encoders.bert.config import BertConfig
from tfx_encoders.bert.positions import RelativeKey, RelativeKeyQuery

POOLED = {
    "backbone",
    "next-sentence",
    "pretraining",
    "sequence-classification",
    "multiple-choice",
    "pooled-state",
}
"""Heads, and the capability of third parties' heads, that need the pooler."""


class BertBackbone(nn.Module):
    """Embeddings, a stack of layers and a pooler.

    ``causal`` lets each token see only itself and what came before; ``absolute_positions`` adds position embeddings.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        stack: Stack,
        pooler: nn.Module | None,
        *,
        max_positions: int,
        causal: bool = False,
        absolute_positions: bool = True,
    ) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.stack = stack
        self.pooler = pooler
        self.max_positions = max_positions
        self.causal = causal
        self.absolute_positions = absolute_positions

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past_key_values: DecoderCache | None = None,
        use_cache: bool = False,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        attention: AttentionKernel = sdpa,
    ) -> ModelOutput:
        """Ids ``(B, S)`` or ``inputs_embeds`` ``(B, S, D)`` -> states ``(B, S, D)``, pooled ``(B, D)``.

        ``attention_mask`` is ``(B, S)`` or ``(B, S, S)``. With ``use_cache``, or a cache to go on from, pass only the
        new tokens. Raises `InputError` for inputs that contradict each other or the positions that there are.
        """
        tokens = _one_of(input_ids, inputs_embeds)
        cache = DecoderCache(len(self.stack.order)) if use_cache and past_key_values is None else past_key_values
        span = Span.of(
            tokens, attention_mask, causal=self.causal, dtype=self.dtype, position_ids=position_ids, cache=cache
        )
        self._check_positions(span)
        call = StackCall(
            self_attention=span.self_attention(attention),
            cross_attention=span.cross_attention(attention, encoder_hidden_states, encoder_attention_mask, cache),
            cache=cache,
            head_mask=None if head_mask is None else expand_head_mask(head_mask, len(self.stack.order)),
            hidden_states=[] if output_hidden_states else None,
            attentions=[] if output_attentions else None,
            cross_attentions=[] if output_attentions and encoder_hidden_states is not None else None,
        )
        x = self.stack(self._embed(tokens, token_type_ids, span), call)
        x = span.layout.unpack(x)  # (B, S, D)
        return ModelOutput(
            last_hidden_state=x,
            pooler_output=None if self.pooler is None else self.pooler(first_tokens(x, attention_mask)),
            past_key_values=cache if use_cache else None,
            hidden_states=_tuple(call.hidden_states),
            attentions=_tuple(call.attentions),
            cross_attentions=_tuple(call.cross_attentions),
        )

    def prune_heads(self, heads: Mapping[int, Sequence[int]]) -> None:
        """Remove attention heads: layer -> numbers of the heads, counted in the layer as it is now."""
        for layer, removed in heads.items():
            attention = self.stack.layers[layer].self_attention.sublayer
            attention.keep_heads([head for head in range(attention.heads) if head not in set(removed)])

    @property
    def dtype(self) -> torch.dtype:
        """Type of the hidden states."""
        return self.embeddings.tables["token"].weight.dtype

    def _embed(self, tokens: Tensor, token_type_ids: Tensor | None, span: Span) -> Tensor:
        types = tokens.new_zeros(tokens.shape[:2], dtype=torch.long) if token_type_ids is None else token_type_ids
        others = {"type": types, "position": span.positions}
        if not self.absolute_positions:
            del others["position"]
        pack = span.layout.pack
        return self.embeddings(pack(tokens), **{name: pack(ids) for name, ids in others.items()})

    def _check_positions(self, span: Span) -> None:
        last = int(span.positions.max()) if span.positions.device.type != "meta" else 0
        if self.absolute_positions and last >= self.max_positions:
            raise InputError(f"position {last}: this model has positions for {self.max_positions} tokens")


def build_backbone(config: BertConfig, head: str) -> BertBackbone:
    """The backbone with the parts that this head needs."""
    return BertBackbone(
        embeddings=Embeddings(
            {
                "token": nn.Embedding(config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id),
                "type": nn.Embedding(config.type_vocab_size, config.hidden_size),
                # stored also where positions are relative, though nothing reads it then
                "position": nn.Embedding(config.max_position_embeddings, config.hidden_size),
            },
            norm=_norm(config),
            dropout=config.hidden_dropout_prob,
        ),
        stack=Stack(_layer(config, number) for number in range(config.num_hidden_layers)),
        pooler=Pooler(nn.Linear(config.hidden_size, config.hidden_size), nn.Tanh()) if head in POOLED else None,
        max_positions=config.max_position_embeddings,
        causal=config.is_decoder,
        absolute_positions=config.position_embedding_type == "absolute",
    )


def _layer(config: BertConfig, number: int) -> Layer:
    heads = config.num_attention_heads - len(config.pruned_heads.get(number, ()))
    crossing = config.is_decoder and config.add_cross_attention
    return Layer(
        self_attention=_post_norm(config, _self_attention(config, heads)),
        cross_attention=_post_norm(config, _cross_attention(config)) if crossing else None,
        feed_forward=_post_norm(
            config,
            FeedForward(
                nn.Linear(config.hidden_size, config.intermediate_size),
                activation(config.hidden_act),
                nn.Linear(config.intermediate_size, config.hidden_size),
            ),
        ),
    )


def _self_attention(config: BertConfig, heads: int) -> Attention:
    width = heads * (config.hidden_size // config.num_attention_heads)
    return Attention(
        FusedProjections(config.hidden_size, width),
        nn.Linear(width, config.hidden_size),
        heads,
        position=_position(config),
        dropout=config.attention_probs_dropout_prob,
    )


def _cross_attention(config: BertConfig) -> Attention:
    return Attention(
        CrossProjections(config.hidden_size, config.hidden_size),
        nn.Linear(config.hidden_size, config.hidden_size),
        config.num_attention_heads,
        dropout=config.attention_probs_dropout_prob,
    )


def _position(config: BertConfig) -> nn.Module | None:
    width = config.hidden_size // config.num_attention_heads
    if config.position_embedding_type == "relative_key":
        return RelativeKey(config.max_position_embeddings, width)
    if config.position_embedding_type == "relative_key_query":
        return RelativeKeyQuery(config.max_position_embeddings, width)
    return None


def _post_norm(config: BertConfig, sublayer: nn.Module) -> PostNorm:
    return PostNorm(sublayer, _norm(config), config.hidden_dropout_prob)


def _norm(config: BertConfig) -> nn.LayerNorm:
    return nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)


def _one_of(input_ids: Tensor | None, inputs_embeds: Tensor | None) -> Tensor:
    if input_ids is not None and inputs_embeds is not None:
        raise InputError("input_ids and inputs_embeds were both given; give one of them")
    tokens = inputs_embeds if input_ids is None else input_ids
    if tokens is None:
        raise InputError("neither input_ids nor inputs_embeds was given; give one of them")
    return tokens


def _tuple(recorded: list[Tensor] | None) -> tuple[Tensor, ...] | None:
    return None if recorded is None else tuple(recorded)
