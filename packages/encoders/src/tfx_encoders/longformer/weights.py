"""Names of the tensors of Longformer's backbone in a checkpoint."""

from dataclasses import replace

from tfx_core.checkpoint import BackboneRules, Fuse, Legacy, Rename
from tfx_encoders.longformer.config import LongformerConfig
from tfx_encoders.post_norm import post_norm_rules


def backbone_rules(config: LongformerConfig, parts: frozenset[str]) -> BackboneRules:
    """RoBERTa's rules, and those of the projections of global tokens."""
    rules = post_norm_rules(config, "longformer.")
    theirs = "longformer.encoder.layer.{i}.attention.self."
    ours = "backbone.stack.layers.{i}.self_attention.sublayer.global_projections."
    projections = (
        Rename(theirs + "query_global.{p}", ours + "queries.{p}"),
        Fuse(tuple(theirs + f"{part}_global.{{p}}" for part in ("key", "value")), ours + "keys_values.{p}"),
    )
    of_authors = Legacy("roberta.{x}", "longformer.{x}")
    return replace(rules, core=(of_authors, *rules.core, *projections))
