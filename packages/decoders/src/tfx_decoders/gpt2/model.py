"""GPT-2 (Radford et al. 2019): a pre-norm decoder with learned positions."""

from torch import Tensor, nn

from tfx_core.model import TransformerBackbone
from tfx_core.nn import Attention, AttentionCall, CrossProjections, Layer, PreNorm, Stack
from tfx_decoders.gpt import build_embeddings, build_feed_forward, build_norm, build_self_attention
from tfx_decoders.gpt2.config import GPT2Config


class Float32Attention(Attention):
    """Attention whose scores and weights are float32 whatever the model's type (``reorder_and_upcast_attn``)."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor, call: AttentionCall) -> Tensor:
        """Queries ``(B, H, T, d)``, keys and values ``(B, H, S, d)`` -> ``(B, H, T, d)`` of the queries' type."""
        return super().attend(query.float(), key.float(), value.float(), call).to(query.dtype)


def build_backbone(config: GPT2Config, parts: frozenset[str]) -> TransformerBackbone:
    """The backbone; every head reads the same states."""
    return TransformerBackbone(
        embeddings=build_embeddings(config),
        stack=Stack((_layer(config, number) for number in range(config.n_layer)), norm=build_norm(config)),
        causal=True,
        max_positions=config.n_positions,
    )


def _layer(config: GPT2Config, number: int) -> Layer:
    attention = Float32Attention if config.reorder_and_upcast_attn else Attention
    own = build_self_attention(config, number, attention, _scale(config, number))
    return Layer(
        self_attention=_pre_norm(config, own),
        cross_attention=_pre_norm(config, _cross_attention(config, number)) if config.add_cross_attention else None,
        feed_forward=_pre_norm(
            config, build_feed_forward(config, config.intermediate_size, config.activation_function)
        ),
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
    return PreNorm(sublayer, build_norm(config), config.resid_pdrop)
