"""Names of the tensors of XLM's backbone in a checkpoint, and of FlauBERT's."""

from tfx_core.checkpoint import BackboneRules, Drop, Fuse, Rename
from tfx_encoders.xlm.config import XLMConfig

_OURS = "backbone.stack.layers.{i}."


def backbone_rules(config: XLMConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules: a list for each kind of layer."""
    attention = "transformer.attentions.{i}."
    core = (
        Drop("transformer.position_ids"),  # 0, 1, 2, …, stored by older versions of the reference
        Rename("transformer.embeddings.weight", "backbone.embeddings.token.weight"),
        Rename("transformer.position_embeddings.weight", "backbone.embeddings.position.weight"),
        Rename("transformer.lang_embeddings.weight", "backbone.embeddings.language.weight"),
        Rename("transformer.layer_norm_emb.{p}", "backbone.embeddings.norm.{p}"),
        Fuse(
            tuple(attention + f"{part}_lin.{{p}}" for part in "qkv"),
            _OURS + "self_attention.sublayer.projections.qkv.{p}",
        ),
        Rename(attention + "out_lin.{p}", _OURS + "self_attention.sublayer.out.{p}"),
        Rename("transformer.layer_norm1.{i}.{p}", _OURS + "self_attention.norm.{p}"),
        Rename("transformer.ffns.{i}.lin1.{p}", _OURS + "feed_forward.sublayer.up.{p}"),
        Rename("transformer.ffns.{i}.lin2.{p}", _OURS + "feed_forward.sublayer.down.{p}"),
        Rename("transformer.layer_norm2.{i}.{p}", _OURS + "feed_forward.norm.{p}"),
    )
    return BackboneRules(core, prefix="transformer.")
