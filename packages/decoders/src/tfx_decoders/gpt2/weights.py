"""Names of the tensors of GPT-2's backbone in a checkpoint; its linear layers are stored transposed (Conv1D)."""

from tfx_core.checkpoint import BackboneRules, Drop, Rename
from tfx_decoders.gpt import conv1d
from tfx_decoders.gpt2.config import GPT2Config

_THEIRS = "transformer.h.{i}."
_OURS = "backbone.stack.layers.{i}."

_CORE = (
    Rename("transformer.wte.weight", "backbone.embeddings.token.weight"),
    Rename("transformer.wpe.weight", "backbone.embeddings.position.weight"),
    Rename("transformer.ln_f.{p}", "backbone.stack.norm.{p}"),
    Drop(_THEIRS + "attn.bias"),  # the causal mask, stored by older versions of the reference
    Drop(_THEIRS + "attn.masked_bias"),
    Rename(_THEIRS + "ln_1.{p}", _OURS + "self_attention.norm.{p}"),
    *conv1d(_THEIRS + "attn.c_attn", _OURS + "self_attention.sublayer.projections.qkv"),
    *conv1d(_THEIRS + "attn.c_proj", _OURS + "self_attention.sublayer.out"),
    Rename(_THEIRS + "ln_2.{p}", _OURS + "feed_forward.norm.{p}"),
    *conv1d(_THEIRS + "mlp.c_fc", _OURS + "feed_forward.sublayer.up"),
    *conv1d(_THEIRS + "mlp.c_proj", _OURS + "feed_forward.sublayer.down"),
)
_CROSS_ATTENTION = (
    Drop(_THEIRS + "crossattention.bias"),
    Drop(_THEIRS + "crossattention.masked_bias"),
    Rename(_THEIRS + "ln_cross_attn.{p}", _OURS + "cross_attention.norm.{p}"),
    *conv1d(_THEIRS + "crossattention.q_attn", _OURS + "cross_attention.sublayer.projections.queries"),
    *conv1d(_THEIRS + "crossattention.c_attn", _OURS + "cross_attention.sublayer.projections.keys_values"),
    *conv1d(_THEIRS + "crossattention.c_proj", _OURS + "cross_attention.sublayer.out"),
)


def backbone_rules(config: GPT2Config, parts: frozenset[str]) -> BackboneRules:
    """The rules, those of cross-attention where there is any."""
    return BackboneRules(_CORE + _CROSS_ATTENTION if config.add_cross_attention else _CORE, prefix="transformer.")
