"""T5 (Raffel et al. 2020): a pre-norm encoder-decoder with bucketed relative positions and unscaled attention."""

from torch import nn

from tfx_core.model import Backbone
from tfx_core.nn import (
    ActivationFunction,
    Attention,
    BucketedBias,
    CrossProjections,
    Embeddings,
    FusedProjections,
    Layer,
    Projections,
    RMSNorm,
    Stack,
)
from tfx_seq2seq.backbone import DECODER_IDS, Seq2SeqBackbone, SideBackbone, start_from_source
from tfx_seq2seq.t5.config import T5Config
from tfx_seq2seq.t5.layers import WideFeedForward, WideGatedFeedForward, Widen, WideResidual


def build_backbone(config: T5Config, parts: frozenset[str]) -> Backbone:
    """The encoder alone, or with its ``"decoder"`` and one token table for both.

    With ``"start"``, the decoder reads the source, shifted right, unless it is given something else.
    """
    token = nn.Embedding(config.vocab_size, config.d_model)
    encoder = _stack(config, token, config.num_layers, decoder=False)
    if "decoder" not in parts:
        return encoder
    decoder = _stack(config, token, config.decoder_layers, decoder=True)
    return Seq2SeqBackbone(encoder, decoder, start=start_from_source(config) if "start" in parts else None)


def _stack(config: T5Config, token: nn.Embedding, layers: int, *, decoder: bool) -> SideBackbone:
    norm = nn.Sequential(_norm(config), nn.Dropout(config.dropout_rate))
    return SideBackbone(
        embeddings=Embeddings(
            token,
            dropout=config.dropout_rate,
            project=Widen(),
            ids_name=DECODER_IDS if decoder else "input_ids",
        ),
        stack=Stack((_layer(config, decoder=decoder) for _ in range(layers)), norm=norm),
        position_bias=BucketedBias(
            config.relative_attention_num_buckets,
            config.relative_attention_max_distance,
            config.num_heads,
            bidirectional=not decoder,
        ),
        causal=decoder,
    )


def _layer(config: T5Config, *, decoder: bool) -> Layer:
    inner = config.num_heads * config.d_kv
    return Layer(
        self_attention=_residual(config, _attention(config, FusedProjections(config.d_model, inner, bias=False))),
        cross_attention=_residual(config, _attention(config, CrossProjections(config.d_model, inner, bias=False)))
        if decoder
        else None,
        feed_forward=_residual(config, _feed_forward(config)),
    )


def _attention(config: T5Config, projections: Projections) -> Attention:
    out = nn.Linear(config.num_heads * config.d_kv, config.d_model, bias=False)
    # the scale is in the weights' initialisation instead (Raffel et al. 2020, the released code)
    return Attention(projections, out, config.num_heads, scale=1.0, dropout=config.dropout_rate)


def _feed_forward(config: T5Config) -> nn.Module:
    up = nn.Linear(config.d_model, config.d_ff, bias=False)
    down = nn.Linear(config.d_ff, config.d_model, bias=False)
    function = ActivationFunction(config.activation)
    if config.is_gated:
        gate = nn.Linear(config.d_model, config.d_ff, bias=False)
        return WideGatedFeedForward(gate, up, function, down, config.dropout_rate)
    return WideFeedForward(up, function, down, config.dropout_rate)


def _residual(config: T5Config, sublayer: nn.Module) -> WideResidual:
    return WideResidual(sublayer, _norm(config), config.dropout_rate)


def _norm(config: T5Config) -> RMSNorm:
    return RMSNorm(config.d_model, config.layer_norm_epsilon)
