"""Reformer (Kitaev et al. 2020): hashed and local attention in reversible layers."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.fields import Size, checked
from tfx_core.model import CACHE_INPUTS, SOURCE_INPUTS, ModelOutput, TransformerBackbone, one_of
from tfx_core.nn import (
    ActivationFunction,
    Aligned,
    Apart,
    AttentionKernel,
    Causal,
    Chunking,
    DecoderCache,
    FusedProjections,
    Geometry,
    HashedCall,
    Hashing,
    RealTokens,
    Recorder,
    SharedProjections,
    Sorted,
    Span,
    StackCall,
    can_read,
    packed_texts,
    sdpa,
    together,
)
from tfx_decoders.reformer.cache import LocalAttention, LSHAttention, Places
from tfx_decoders.reformer.config import ReformerConfig
from tfx_decoders.reformer.positions import ReformerEmbeddings, build_positions
from tfx_decoders.reformer.stack import Branch, ChunkedFeedForward, ReversibleLayer, ReversibleStack


@dataclass(frozen=True)
class AlignedSpan(Span):
    """A span whose attention counts by columns and knows how many tokens each row has."""

    causal: bool = False

    def self_attention(self, kernel: AttentionKernel) -> HashedCall:
        """The call for attention among these tokens."""
        layout = self.layout
        lengths = layout.aligned_mask.sum(1) if isinstance(layout, Aligned | Sorted) else None
        return HashedCall(kernel, self.bias, self.geometry, layout=layout, lengths=lengths, causal=self.causal)

    def apart(self, texts: Tensor) -> "AlignedSpan":
        """The span where rows are packed of texts, which ``(B, S)`` numbers."""
        layout = Apart(texts)
        real = RealTokens.of(layout.aligned_mask, layout.aligned_mask)
        bias = together((real.keys, Causal() if self.causal and real.length > 1 else None))
        return replace(self, layout=layout, bias=bias, geometry=Geometry(real.positions, real.positions))


class ReformerBackbone(TransformerBackbone):
    """States are both streams, ``2·D`` wide; each row is computed as it is alone, whatever padding it has."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        cross_attn_head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past_key_values: DecoderCache | None = None,
        use_cache: bool = False,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        attention: AttentionKernel = sdpa,
        num_hashes: int | None = None,
    ) -> ModelOutput:
        """Ids ``(B, T)`` or ``inputs_embeds`` ``(B, T, D)`` -> states ``(B, T, 2·D)``.

        ``num_hashes`` rounds of hashing are made, by default as many as the config says. Hidden states ``(B, T, D)``
        are those of the second stream, attentions ``(B, H, T, T)`` the weights of all rounds together. Raises
        `InputError` for inputs that contradict each other or the positions that there are.
        """
        tokens = one_of(input_ids, inputs_embeds, self.embeddings.token.embedding_dim)
        rounds = None if num_hashes is None else checked(num_hashes, Size, "num_hashes", InputError)
        cache = self.new_cache() if use_cache and past_key_values is None else past_key_values
        if cache is not None:
            cache.check_fits(rows=len(tokens), layers=len(self.stack.order))
        span = self.span(tokens, attention_mask, position_ids, cache)
        if isinstance(span.layout, Apart) and (output_attentions or head_mask is not None):
            raise InputError(
                "output_attentions, head_mask: position_ids say that rows are packed of several texts, which attend "
                "apart; give each text a row of its own"
            )
        recorder = Recorder.asked(
            len(self.stack.order), states=output_hidden_states, weights=output_attentions, head_mask=head_mask
        )
        call = StackCall(replace(span.self_attention(attention), rounds=rounds), cache=cache, recorder=recorder)
        output = self.run(self.embedded(tokens, span, token_type_ids), span, call)
        return output.updated(past_key_values=cache if use_cache else None)

    def span(
        self,
        tokens: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: DecoderCache | None = None,
    ) -> AlignedSpan:
        """What a call brings, its positions checked."""
        begins = cache is None or cache.length == 0
        span = AlignedSpan.aligned(tokens, attention_mask, causal=self.causal, position_ids=position_ids, cache=cache)
        if cache is not None and cache.real is not None:
            span = replace(span, geometry=Places.of(cache.real, span.new.aligned()[1], begins=begins))
        span.check_positions(self.max_positions)
        given = span.new.given if attention_mask is None and cache is None else None
        texts = None if given is None else _texts(given)
        span = replace(span, causal=self.causal)
        return span if texts is None else span.apart(texts)

    def embedded(self, tokens: Tensor, span: Span, token_type_ids: Tensor | None = None) -> Tensor:
        """What the stack reads of ids ``(B, T)`` or vectors ``(B, T, D)``, packed by the span's layout."""
        places = self.embeddings.position(span.positions.expand(len(tokens), -1))  # (B, T, D)
        x: Tensor = self.embeddings(span.layout.pack(tokens), span.layout.pack(places), token_type_ids)
        return x


def _texts(positions: Tensor) -> Tensor | None:
    if torch.compiler.is_compiling():
        from tfx_decoders.reformer.uncompiled import texts_of as uncompiled  # here, for it imports the compiler

        return uncompiled(positions)
    return texts_of(positions)


def texts_of(positions: Tensor) -> Tensor | None:
    """Which text each token is of, ``(B, S)``, where rows are packed."""
    packed = packed_texts(positions) if can_read(positions) else None
    return None if packed is None else packed.texts


def build_backbone(config: ReformerConfig, parts: frozenset[str]) -> ReformerBackbone:
    """The backbone; every head reads the same states."""
    return ReformerBackbone(
        ReformerEmbeddings(
            nn.Embedding(config.vocab_size, config.hidden_size),
            build_positions(
                config.axial_pos_shape if config.axial_pos_embds else None,
                config.axial_pos_embds_dim,
                config.max_position_embeddings,
                config.hidden_size,
                config.hidden_dropout_prob,
            ),
            dropout=config.hidden_dropout_prob,
        ),
        ReversibleStack(
            (_layer(config, kind) for kind in config.attn_layers),
            nn.LayerNorm(2 * config.hidden_size, eps=config.layer_norm_eps),
            config.hidden_dropout_prob,
        ),
        causal=config.is_decoder,
        max_positions=config.positions,
        width=2 * config.hidden_size,
        unread={"token_type_ids", *SOURCE_INPUTS, *(() if config.is_decoder else CACHE_INPUTS)},
    )


def _layer(config: ReformerConfig, kind: str) -> ReversibleLayer:
    return ReversibleLayer(
        self_attention=_branch(config, _hashed(config) if kind == "lsh" else _local(config)),
        feed_forward=_branch(
            config,
            ChunkedFeedForward(
                nn.Linear(config.hidden_size, config.feed_forward_size),
                nn.Sequential(nn.Dropout(config.hidden_dropout_prob), ActivationFunction(config.hidden_act)),
                nn.Linear(config.feed_forward_size, config.hidden_size),
                config.chunk_size_feed_forward,
            ),
        ),
    )


def _branch(config: ReformerConfig, sublayer: nn.Module) -> Branch:
    return Branch(sublayer, nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps), config.hidden_dropout_prob)


def _hashed(config: ReformerConfig) -> LSHAttention:
    length, width = config.lsh_attn_chunk_length, config.num_attention_heads * config.attention_head_size
    return LSHAttention(
        Hashing(
            config.bucket_factors,
            config.num_hashes,
            config.hash_seed,
            most=2 * max(int((config.max_position_embeddings // length) ** 0.5), length),
        ),
        _chunking(config, length, config.lsh_num_chunks_before, config.lsh_num_chunks_after),
        SharedProjections(config.hidden_size, width),
        nn.Linear(width, config.hidden_size, bias=False),
        config.num_attention_heads,
        dropout=config.lsh_attention_probs_dropout_prob,
    )


def _local(config: ReformerConfig) -> LocalAttention:
    length, width = config.local_attn_chunk_length, config.num_attention_heads * config.attention_head_size
    before, after = config.local_num_chunks_before, config.local_num_chunks_after
    return LocalAttention(
        # the last chunk comes before the first one where every token sees the ones after it, as in the released code;
        # which elsewhere, too, meets a chunk twice in a text of no more chunks than ``before``
        _chunking(config, length, before, after, around=not config.is_decoder),
        FusedProjections(config.hidden_size, width, bias=False),
        nn.Linear(width, config.hidden_size, bias=False),
        config.num_attention_heads,
        dropout=config.local_attention_probs_dropout_prob,
    )


def _chunking(config: ReformerConfig, length: int, before: int, after: int, *, around: bool = True) -> Chunking:
    """Texts are padded for the chunks of all layers together."""
    return Chunking(length, before, after, around, multiple=config.chunk_multiple, shortest=config.shortest_chunk)
