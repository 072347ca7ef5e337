"""Names of the tensors of the post-norm encoder in a checkpoint, as BERT's released models have them."""

from tfx_core.checkpoint import BackboneRules, Drop, Fuse, Legacy, Rename, Rule
from tfx_encoders.post_norm.config import PostNormConfig


def post_norm_rules(config: PostNormConfig, prefix: str) -> BackboneRules:
    """The rules of a backbone, pooler included, whose names begin with ``prefix``."""
    theirs, ours = prefix + "encoder.layer.{i}.", "backbone.stack.layers.{i}."
    core = embedding_rules(prefix + "embeddings.") + layer_rules(theirs, ours)
    if config.position_embedding_type != "absolute":
        core += _relative_positions(theirs, ours)
    if config.is_decoder and config.add_cross_attention:
        core += _cross_attention(theirs, ours)
    pooler = (Rename(prefix + "pooler.dense.{p}", "backbone.pooler.project.{p}"),)
    return BackboneRules(core, parts={"pooler": pooler}, prefix=prefix, optional={"pooler"})


def embedding_rules(theirs: str, ours: str = "backbone.embeddings.") -> tuple[Rule, ...]:
    """Of the embeddings, and of how older versions spelled the norms."""
    return (
        Legacy("{x}.LayerNorm.gamma", "{x}.LayerNorm.weight"),  # TensorFlow's names, in the first conversions
        Legacy("{x}.LayerNorm.beta", "{x}.LayerNorm.bias"),
        Drop(theirs + "position_ids"),  # 0, 1, 2, …, stored by older versions of the reference
        Rename(theirs + "word_embeddings.weight", ours + "token.weight"),
        Rename(theirs + "token_type_embeddings.weight", ours + "segment.weight"),
        Rename(theirs + "position_embeddings.weight", ours + "position.weight"),
        Rename(theirs + "LayerNorm.{p}", ours + "norm.{p}"),
    )


def layer_rules(theirs: str, ours: str) -> tuple[Rule, ...]:
    """Of a layer without cross-attention."""
    return (
        Fuse(
            tuple(theirs + f"attention.self.{part}.{{p}}" for part in ("query", "key", "value")),
            ours + "self_attention.sublayer.projections.qkv.{p}",
        ),
        Rename(theirs + "attention.output.dense.{p}", ours + "self_attention.sublayer.out.{p}"),
        Rename(theirs + "attention.output.LayerNorm.{p}", ours + "self_attention.norm.{p}"),
        Rename(theirs + "intermediate.dense.{p}", ours + "feed_forward.sublayer.up.{p}"),
        Rename(theirs + "output.dense.{p}", ours + "feed_forward.sublayer.down.{p}"),
        Rename(theirs + "output.LayerNorm.{p}", ours + "feed_forward.norm.{p}"),
    )


def _relative_positions(theirs: str, ours: str) -> tuple[Rule, ...]:
    return (
        Rename(
            theirs + "attention.self.distance_embedding.weight",
            ours + "self_attention.sublayer.position.distances.weight",
        ),
    )


def _cross_attention(theirs: str, ours: str) -> tuple[Rule, ...]:
    return (
        Rename(theirs + "crossattention.self.query.{p}", ours + "cross_attention.sublayer.projections.queries.{p}"),
        Fuse(
            tuple(theirs + f"crossattention.self.{part}.{{p}}" for part in ("key", "value")),
            ours + "cross_attention.sublayer.projections.keys_values.{p}",
        ),
        Rename(theirs + "crossattention.output.dense.{p}", ours + "cross_attention.sublayer.out.{p}"),
        Rename(theirs + "crossattention.output.LayerNorm.{p}", ours + "cross_attention.norm.{p}"),
    )
