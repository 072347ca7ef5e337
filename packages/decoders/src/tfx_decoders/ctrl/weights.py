"""Names of the tensors of CTRL's backbone in a checkpoint; the sinusoids are in none."""

from tfx_core.checkpoint import BackboneRules, Fuse, Rename
from tfx_decoders.ctrl.config import CTRLConfig

_THEIRS = "transformer.h.{i}."
_OURS = "backbone.stack.layers.{i}."

_CORE = (
    Rename("transformer.w.weight", "backbone.embeddings.token.weight"),
    Rename("transformer.layernorm.{p}", "backbone.stack.norm.{p}"),
    Rename(_THEIRS + "layernorm1.{p}", _OURS + "self_attention.norm.{p}"),
    Fuse(
        tuple(_THEIRS + f"multi_head_attention.W{part}.{{p}}" for part in "qkv"),
        _OURS + "self_attention.sublayer.projections.qkv.{p}",
    ),
    Rename(_THEIRS + "multi_head_attention.dense.{p}", _OURS + "self_attention.sublayer.out.{p}"),
    Rename(_THEIRS + "layernorm2.{p}", _OURS + "feed_forward.norm.{p}"),
    Rename(_THEIRS + "ffn.0.{p}", _OURS + "feed_forward.sublayer.up.{p}"),
    Rename(_THEIRS + "ffn.2.{p}", _OURS + "feed_forward.sublayer.down.{p}"),
)


def backbone_rules(config: CTRLConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules; there are no optional parts."""
    return BackboneRules(_CORE, prefix="transformer.")
