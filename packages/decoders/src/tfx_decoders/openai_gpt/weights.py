"""Names of the tensors of GPT's backbone in a checkpoint."""

from tfx_core.checkpoint import BackboneRules, Drop, Legacy, Rename
from tfx_decoders.gpt import conv1d
from tfx_decoders.openai_gpt.config import OpenAIGPTConfig

_THEIRS = "transformer.h.{i}."
_OURS = "backbone.stack.layers.{i}."

_RULES = (
    # names of the original code, gain, bias and weight, in the first conversions
    Legacy("{x}.g", "{x}.weight"),
    Legacy("{x}.b", "{x}.bias"),
    Legacy("{x}.w", "{x}.weight"),
    Drop("transformer.position_ids"),  # 0, 1, 2, …, stored by older versions of the reference
    Rename("transformer.tokens_embed.weight", "backbone.embeddings.token.weight"),
    Rename("transformer.positions_embed.weight", "backbone.embeddings.position.weight"),
    Drop(_THEIRS + "attn.bias"),  # the causal mask, stored by older versions
    *conv1d(_THEIRS + "attn.c_attn", _OURS + "self_attention.sublayer.projections.qkv"),
    *conv1d(_THEIRS + "attn.c_proj", _OURS + "self_attention.sublayer.out"),
    Rename(_THEIRS + "ln_1.{p}", _OURS + "self_attention.norm.{p}"),
    *conv1d(_THEIRS + "mlp.c_fc", _OURS + "feed_forward.sublayer.up"),
    *conv1d(_THEIRS + "mlp.c_proj", _OURS + "feed_forward.sublayer.down"),
    Rename(_THEIRS + "ln_2.{p}", _OURS + "feed_forward.norm.{p}"),
)


def backbone_rules(config: OpenAIGPTConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules."""
    return BackboneRules(_RULES, prefix="transformer.")
