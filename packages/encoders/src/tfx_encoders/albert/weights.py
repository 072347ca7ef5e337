"""Names of the tensors of ALBERT's backbone in a checkpoint."""

from tfx_core.checkpoint import BackboneRules, Fuse, Rename, Rule
from tfx_encoders.albert.config import AlbertConfig
from tfx_encoders.post_norm import embedding_rules


def backbone_rules(config: AlbertConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules."""
    prefix, core = "albert.", embedding_rules("albert.embeddings.")
    core += (Rename(prefix + "encoder.embedding_hidden_mapping_in.{p}", "backbone.embeddings.project.{p}"),)
    for number in range(config.num_hidden_groups * config.inner_group_num):
        group, block = divmod(number, config.inner_group_num)
        theirs = f"{prefix}encoder.albert_layer_groups.{group}.albert_layers.{block}."
        core += _block_rules(theirs, f"backbone.stack.layers.{number}.", config.position_embedding_type != "absolute")
    pooler = (Rename(prefix + "pooler.{p}", "backbone.pooler.project.{p}"),)
    return BackboneRules(core, parts={"pooler": pooler}, prefix=prefix, optional={"pooler"})


def _block_rules(theirs: str, ours: str, relative: bool) -> tuple[Rule, ...]:
    attention = ours + "self_attention.sublayer."
    rules: tuple[Rule, ...] = (
        Fuse(
            tuple(theirs + f"attention.{part}.{{p}}" for part in ("query", "key", "value")),
            attention + "projections.qkv.{p}",
        ),
        Rename(theirs + "attention.dense.{p}", attention + "out.{p}"),
        Rename(theirs + "attention.LayerNorm.{p}", ours + "self_attention.norm.{p}"),
        Rename(theirs + "ffn.{p}", ours + "feed_forward.sublayer.up.{p}"),
        Rename(theirs + "ffn_output.{p}", ours + "feed_forward.sublayer.down.{p}"),
        Rename(theirs + "full_layer_layer_norm.{p}", ours + "feed_forward.norm.{p}"),
    )
    if relative:
        rules += (Rename(theirs + "attention.distance_embedding.{p}", attention + "position.distances.{p}"),)
    return rules
