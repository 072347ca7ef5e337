"""Names of the tensors of Funnel's backbone in a checkpoint; position keys are stored per head, ``(D, H, d)``."""

from torch import Tensor

from tfx_core.checkpoint import BackboneRules, Fuse, Rename, Reshape, Rule
from tfx_encoders.funnel.config import FunnelConfig


def backbone_rules(config: FunnelConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules; the number of heads is in a shape."""
    core = (
        Rename("funnel.embeddings.word_embeddings.weight", "backbone.embeddings.token.weight"),
        Rename("funnel.embeddings.layer_norm.{p}", "backbone.embeddings.norm.{p}"),
        *_layer(config.n_head, "funnel.encoder.blocks.{i}.{j}.", "backbone.blocks.{i}.layers.{j}."),
    )
    decoder = _layer(config.n_head, "funnel.decoder.layers.{i}.", "backbone.decoder.layers.{i}.")
    return BackboneRules(core, parts={"decoder": decoder}, prefix="funnel.")


def _layer(heads: int, theirs: str, ours: str) -> tuple[Rule, ...]:
    def by_head(weight: Tensor) -> Tensor:
        return weight.view(heads, -1, weight.shape[1]).permute(2, 0, 1)  # (H·d, D) -> (D, H, d)

    attention, position = ours + "self_attention.sublayer.", ours + "self_attention.sublayer.position."
    return (
        Rename(theirs + "attention.q_head.weight", attention + "projections.queries.weight"),
        Fuse(
            (theirs + "attention.k_head.{p}", theirs + "attention.v_head.{p}"),
            attention + "projections.keys_values.{p}",
        ),
        Rename(theirs + "attention.post_proj.{p}", attention + "out.{p}"),
        Reshape(theirs + "attention.r_kernel", position + "project.weight", by_head),
        Rename(theirs + "attention.r_w_bias", position + "biases.content"),
        Rename(theirs + "attention.r_r_bias", position + "biases.position"),
        Rename(theirs + "attention.r_s_bias", position + "segment_bias"),
        Rename(theirs + "attention.seg_embed", position + "segments"),
        Rename(theirs + "attention.layer_norm.{p}", ours + "self_attention.norm.{p}"),
        Rename(theirs + "ffn.linear_1.{p}", ours + "feed_forward.sublayer.up.{p}"),
        Rename(theirs + "ffn.linear_2.{p}", ours + "feed_forward.sublayer.down.{p}"),
        Rename(theirs + "ffn.layer_norm.{p}", ours + "feed_forward.norm.{p}"),
    )
