"""Names of the tensors of DistilBERT's backbone in a checkpoint."""

from tfx_core.checkpoint import BackboneRules, Drop, Fuse, Rename
from tfx_encoders.distilbert.config import DistilBertConfig


def backbone_rules(config: DistilBertConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules."""
    theirs, ours = "distilbert.transformer.layer.{i}.", "backbone.stack.layers.{i}."
    return BackboneRules(
        (
            Drop("distilbert.embeddings.position_ids"),  # 0, 1, 2, …, stored by older versions of the reference
            Rename("distilbert.embeddings.word_embeddings.weight", "backbone.embeddings.token.weight"),
            Rename("distilbert.embeddings.position_embeddings.weight", "backbone.embeddings.position.weight"),
            Rename("distilbert.embeddings.LayerNorm.{p}", "backbone.embeddings.norm.{p}"),
            Fuse(
                tuple(theirs + f"attention.{part}_lin.{{p}}" for part in "qkv"),
                ours + "self_attention.sublayer.projections.qkv.{p}",
            ),
            Rename(theirs + "attention.out_lin.{p}", ours + "self_attention.sublayer.out.{p}"),
            Rename(theirs + "sa_layer_norm.{p}", ours + "self_attention.norm.{p}"),
            Rename(theirs + "ffn.lin1.{p}", ours + "feed_forward.sublayer.up.{p}"),
            Rename(theirs + "ffn.lin2.{p}", ours + "feed_forward.sublayer.down.{p}"),
            Rename(theirs + "output_layer_norm.{p}", ours + "feed_forward.norm.{p}"),
        ),
        prefix="distilbert.",
    )
