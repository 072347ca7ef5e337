"""GPT-2 (Radford et al. 2019): a pre-norm decoder with learned positions."""

from torch import Tensor, nn

from tfx_core.model import TransformerBackbone
from tfx_core.nn import (
    ActivationFunction,
    Attention,
    AttentionCall,
    CrossProjections,
    Embeddings,
    FeedForward,
    FusedProjections,
    Layer,
    PreNorm,
    Stack,
    look_up,
)
from tfx_decoders.gpt2.config import GPT2Config


class GPT2Embeddings(Embeddings):
    """Token types, where given, are looked up in the token table: they are tokens themselves."""

    def add_segments(self, x: Tensor, segments: Tensor | None) -> Tensor:
        """Add the segments' token vectors."""
        return x if segments is None else x + look_up(self.token, segments, "token_type_ids")


class Float32Attention(Attention):
    """Attention whose scores and weights are float32 whatever the model's type (``reorder_and_upcast_attn``)."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor, call: AttentionCall) -> Tensor:
        """Queries ``(B, H, T, d)``, keys and values ``(B, H, S, d)`` -> ``(B, H, T, d)`` of the queries' type."""
        return super().attend(query.float(), key.float(), value.float(), call).to(query.dtype)


def build_backbone(config: GPT2Config, parts: frozenset[str]) -> TransformerBackbone:
    """The backbone; every head reads the same states."""
    return TransformerBackbone(
        embeddings=GPT2Embeddings(
            nn.Embedding(config.vocab_size, config.n_embd),
            nn.Embedding(config.n_positions, config.n_embd),
            dropout=config.embd_pdrop,
        ),
        stack=Stack((_layer(config, number) for number in range(config.n_layer)), norm=_norm(config)),
        causal=True,
        max_positions=config.n_positions,
    )


def _layer(config: GPT2Config, number: int) -> Layer:
    heads = config.n_head - len(config.pruned_heads.get(number, ()))
    return Layer(
        self_attention=_pre_norm(config, _self_attention(config, number, heads)),
        cross_attention=_pre_norm(config, _cross_attention(config, number)) if config.add_cross_attention else None,
        feed_forward=_pre_norm(
            config,
            FeedForward(
                nn.Linear(config.n_embd, config.intermediate_size),
                ActivationFunction(config.activation_function),
                nn.Linear(config.intermediate_size, config.n_embd),
            ),
        ),
    )


def _self_attention(config: GPT2Config, number: int, heads: int) -> Attention:
    width = heads * (config.n_embd // config.n_head)
    attention = Float32Attention if config.reorder_and_upcast_attn else Attention
    return attention(
        FusedProjections(config.n_embd, width),
        nn.Linear(width, config.n_embd),
        heads,
        scale=_scale(config, number),
        dropout=config.attn_pdrop,
    )


def _cross_attention(config: GPT2Config, number: int) -> Attention:
    return Attention(
        CrossProjections(config.n_embd, config.n_embd),
        nn.Linear(config.n_embd, config.n_embd),
        config.n_head,
        scale=_scale(config, number),
        dropout=config.attn_pdrop,
    )


def _scale(config: GPT2Config, number: int) -> float:
    scale = (config.n_embd // config.n_head) ** -0.5 if config.scale_attn_weights else 1.0
    return scale / (number + 1) if config.scale_attn_by_inverse_layer_idx else scale


def _pre_norm(config: GPT2Config, sublayer: nn.Module) -> PreNorm:
    return PreNorm(sublayer, _norm(config), config.resid_pdrop)


def _norm(config: GPT2Config) -> nn.LayerNorm:
    return nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
