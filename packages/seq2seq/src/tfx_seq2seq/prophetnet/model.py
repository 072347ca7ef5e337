"""ProphetNet (Qi et al. 2020): a post-norm encoder-decoder whose decoder predicts several tokens at once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.model import Backbone, ModelOutput, one_of
from tfx_core.nn import (
    ActivationFunction,
    Attention,
    AttentionCall,
    AttentionKernel,
    CrossProjections,
    DecoderCache,
    Embeddings,
    FeedForward,
    FusedProjections,
    Layer,
    OffsetPositions,
    PostNorm,
    Span,
    Stack,
    StackCall,
    expand_head_mask,
    sdpa,
)
from tfx_seq2seq.backbone import DECODER_IDS, Seq2SeqBackbone, Seq2SeqOutput, SideBackbone
from tfx_seq2seq.prophetnet.config import ProphetNetConfig
from tfx_seq2seq.prophetnet.streams import NgramRecorder, StreamAttention, StreamGeometry, StreamMask, Streams

_BEHIND = {
    "last_hidden_state": "last_hidden_state_ngram",
    "hidden_states": "hidden_states_ngram",
    "attentions": "ngram_attentions",
    "decoder_hidden_states": "decoder_ngram_hidden_states",
    "decoder_attentions": "decoder_ngram_attentions",
}
_PLACES = tuple(each for name in ModelOutput.places for each in (name, _BEHIND.get(name)) if each is not None)


class NgramOutput(ModelOutput):
    """The main stream's results under their usual names, and those of the ``n`` predicting ones, one after another.

    Rows of ``cross_attentions`` ``(B, H, (1 + n)·T, S_source)`` are of all streams, the main one first.
    """

    places: ClassVar[tuple[str, ...]] = _PLACES

    logits_ngram: Tensor
    """``(B, n - 1, T, V)``, of the second predicting stream on; ``logits`` are the first one's."""
    last_hidden_state_ngram: Tensor
    """``(B, n·T, D)``."""
    hidden_states_ngram: tuple[Tensor, ...]
    """``(B, n·T, D)`` each."""
    ngram_attentions: tuple[Tensor, ...]
    """``(B, n, H, T, S + T)`` each: to the main stream's tokens, then to the stream's own."""


class NgramSeq2SeqOutput(Seq2SeqOutput):
    """The decoder's `NgramOutput` beside the encoder's results."""

    places: ClassVar[tuple[str, ...]] = _PLACES
    of_decoder: ClassVar[Mapping[str, str]] = {
        **Seq2SeqOutput.of_decoder,
        "hidden_states_ngram": "decoder_ngram_hidden_states",
        "ngram_attentions": "decoder_ngram_attentions",
    }

    logits_ngram: Tensor
    """``(B, n - 1, T, V)``, of the second predicting stream on; ``logits`` are the first one's."""
    last_hidden_state_ngram: Tensor
    """``(B, n·T, D)``."""
    decoder_ngram_hidden_states: tuple[Tensor, ...]
    """``(B, n·T, D)`` each."""
    decoder_ngram_attentions: tuple[Tensor, ...]
    """``(B, n, H, T, S + T)`` each: to the main stream's tokens, then to the stream's own."""


@dataclass(frozen=True)
class Buckets:
    """Classes of distances."""

    count: int
    max_distance: int


class NgramDecoder(SideBackbone):
    """The decoder; what predicts begins as a vector of its stream, ``predicting``, at the place after its token."""

    def __init__(
        self, embeddings: Embeddings, stack: Stack, predicting: nn.Embedding, buckets: Buckets, *, max_positions: int
    ) -> None:
        super().__init__(embeddings, stack, causal=True, max_positions=max_positions)
        self.predicting = predicting
        self.buckets = buckets

    @property
    def input_names(self) -> frozenset[str]:
        """Without ``streams``: how many run is for what calls the decoder, not for a caller of the model."""
        return super().input_names - {"streams"}

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
        streams: int | None = None,
    ) -> NgramOutput:
        """Ids ``(B, T)`` or ``inputs_embeds`` ``(B, T, D)`` -> states ``(B, T, D)`` and ``(B, n·T, D)``.

        ``streams`` is how many of the predicting ones run: by default all, of which the first writes a text. Raises
        `InputError` for inputs that contradict each other or the positions and streams that there are.
        """
        tokens = one_of(input_ids, inputs_embeds, self.width)
        layers, predicting = len(self.stack.order), self._known(streams)
        cache = self.new_cache() if use_cache and past_key_values is None else past_key_values
        if cache is not None:
            cache.check_fits(rows=len(tokens), layers=layers)
        main = self.span(tokens, attention_mask, position_ids, cache)
        layout = Streams(main.layout, predicting)
        span = replace(main, layout=layout)
        recorder = NgramRecorder.asked(
            layers, states=output_hidden_states, weights=output_attentions, head_mask=head_mask
        )
        call = StackCall(
            self.among_streams(span.self_attention(attention), predicting),
            span.cross_attention(attention, encoder_hidden_states, encoder_attention_mask, cache),
            cache,
            replace(
                recorder,
                content=tokens.shape[1],
                cross_attentions=[] if output_attentions and encoder_hidden_states is not None else None,
                cross_head_mask=expand_head_mask(cross_attn_head_mask, layers),
            ),
        )
        x = layout.join([self.embedded(tokens, main, token_type_ids), *self.predictions(main, predicting)])
        x = layout.unpack(self.stack(x, call))  # (B, (1 + n)·T, D)
        return NgramOutput(
            last_hidden_state=x[:, : tokens.shape[1]],
            last_hidden_state_ngram=x[:, tokens.shape[1] :],
            past_key_values=cache if use_cache else None,
            token_mask=main.new.mask,
            **call.recorder.reports(),
        )

    def among_streams(self, main: AttentionCall, predicting: int) -> AttentionCall:
        """The call of all streams, of that of the main one."""
        assert main.geometry is not None
        geometry = StreamGeometry.of(main.geometry, predicting, self.buckets.count, self.buckets.max_distance)
        return replace(main, bias=StreamMask(main.bias, geometry), geometry=geometry)

    def predictions(self, main: Span, predicting: int) -> list[Tensor]:
        """What predicting streams begin with, packed as the main one: vectors of streams at the next positions."""
        positions = main.layout.pack(main.positions.expand(main.new.batch, -1) + 1)
        streams = torch.arange(predicting, device=positions.device)
        # in the released models the first stream has the last vector
        vectors = self.predicting((streams - 1) % self.predicting.num_embeddings)
        return [self.embeddings(vector, positions) for vector in vectors]

    def _known(self, streams: int | None) -> int:
        known = self.predicting.num_embeddings
        if streams is not None and not 1 <= streams <= known:
            raise InputError(f"streams={streams}: must be from 1 to ngram={known}")
        return known if streams is None else streams


def build_backbone(config: ProphetNetConfig, parts: frozenset[str]) -> Backbone:
    """The ``"encoder"``, the ``"decoder"``, or both with one token table."""
    token = nn.Embedding(config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id)
    if "decoder" not in parts:
        return _encoder(config, token)
    if "encoder" not in parts:
        return _decoder(config, token, "input_ids")
    config.require(config.add_cross_attention, "add_cross_attention", "true: this decoder has an encoder")
    sides = _encoder(config, token), _decoder(config, token, DECODER_IDS)
    # fragments of a text, which pretraining predicts, stand where they do in it
    return Seq2SeqBackbone(*sides, output=NgramSeq2SeqOutput, placed=True)


def _encoder(config: ProphetNetConfig, token: nn.Embedding) -> SideBackbone:
    return SideBackbone(
        embeddings=_embeddings(config, token, "input_ids"),
        stack=Stack(_encoder_layer(config) for _ in range(config.num_encoder_layers)),
        max_positions=config.positions,
    )


def _decoder(config: ProphetNetConfig, token: nn.Embedding, ids_name: str) -> NgramDecoder:
    return NgramDecoder(
        _embeddings(config, token, ids_name),
        Stack(_decoder_layer(config) for _ in range(config.num_decoder_layers)),
        nn.Embedding(config.ngram, config.hidden_size),
        Buckets(config.num_buckets, config.relative_max_distance),
        max_positions=config.positions - 1,  # the last one is of what is predicted after that
    )


def _embeddings(config: ProphetNetConfig, token: nn.Embedding, ids_name: str) -> Embeddings:
    return Embeddings(
        token,
        OffsetPositions(config.positions, config.hidden_size, config.first_position),
        norm=nn.LayerNorm(config.hidden_size),
        dropout=config.dropout,
        ids_name=ids_name,
    )


def _encoder_layer(config: ProphetNetConfig) -> Layer:
    width = config.hidden_size
    attention = Attention(
        FusedProjections(width, width),
        nn.Linear(width, width),
        config.num_encoder_attention_heads,
        dropout=config.attention_dropout,
    )
    return Layer(
        self_attention=_residual(config, attention),
        feed_forward=_residual(config, _feed_forward(config, config.encoder_ffn_dim)),
    )


def _decoder_layer(config: ProphetNetConfig) -> Layer:
    width, heads = config.hidden_size, config.num_decoder_attention_heads
    attention = StreamAttention(
        FusedProjections(width, width),
        nn.Linear(width, width),
        heads,
        distances=nn.Linear(width, config.num_buckets * heads),
        dropout=config.attention_dropout,
    )
    cross = Attention(CrossProjections(width, width), nn.Linear(width, width), heads, dropout=config.attention_dropout)
    return Layer(
        self_attention=_residual(config, attention),
        cross_attention=_residual(config, cross) if config.add_cross_attention else None,
        feed_forward=_residual(config, _feed_forward(config, config.decoder_ffn_dim)),
    )


def _feed_forward(config: ProphetNetConfig, inner: int) -> FeedForward:
    return FeedForward(
        nn.Linear(config.hidden_size, inner),
        ActivationFunction(config.activation_function),
        nn.Linear(inner, config.hidden_size),
        dropout=config.activation_dropout,
    )


def _residual(config: ProphetNetConfig, sublayer: nn.Module) -> PostNorm:
    return PostNorm(sublayer, nn.LayerNorm(config.hidden_size), config.dropout)
