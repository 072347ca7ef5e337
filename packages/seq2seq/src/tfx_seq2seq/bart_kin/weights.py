"""Names of the tensors of the backbones of BART and its relatives in a checkpoint."""

from tfx_core.checkpoint import BackboneRules, Computed, Fuse, Rename, Rule
from tfx_seq2seq.bart_kin.config import BartKinConfig
from tfx_seq2seq.bart_kin.design import Design, sinusoidal_positions


def backbone_rules(design: Design, config: BartKinConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules of encoder and decoder, or of the decoder alone, whose token table has a name of its own."""
    together = "encoder" in parts
    decoder = "backbone.decoder." if together else "backbone."
    tokens, of_encoder = design.tables.rules(config, together)
    return BackboneRules(
        core=(*tokens, *_side(design, "model.decoder.", decoder), *_cross_attention("model.decoder.", decoder)),
        parts={"encoder": (*of_encoder, *_side(design, "model.encoder.", "backbone.encoder."))},
        prefix="model.",
    )


def _side(design: Design, theirs: str, ours: str) -> tuple[Rule, ...]:
    layer, our_layer = theirs + "layers.{i}.", ours + "stack.layers.{i}."
    positions = Computed if design.positions is sinusoidal_positions else Rename
    embedding_norm = Rename(theirs + "layernorm_embedding.{p}", ours + "embeddings.norm.{p}")
    final_norm = Rename(theirs + "layer_norm.{p}", ours + "stack.norm.{p}")
    return (
        positions(theirs + "embed_positions.weight", ours + "embeddings.position.weight"),
        *((embedding_norm,) if design.embedding_norm else ()),
        *((final_norm,) if design.final_norm else ()),
        Fuse(
            tuple(layer + f"self_attn.{part}_proj.{{p}}" for part in ("q", "k", "v")),
            our_layer + "self_attention.sublayer.projections.qkv.{p}",
        ),
        Rename(layer + "self_attn.out_proj.{p}", our_layer + "self_attention.sublayer.out.{p}"),
        Rename(layer + "self_attn_layer_norm.{p}", our_layer + "self_attention.norm.{p}"),
        Rename(layer + "fc1.{p}", our_layer + "feed_forward.sublayer.up.{p}"),
        Rename(layer + "fc2.{p}", our_layer + "feed_forward.sublayer.down.{p}"),
        Rename(layer + "final_layer_norm.{p}", our_layer + "feed_forward.norm.{p}"),
    )


def _cross_attention(theirs: str, ours: str) -> tuple[Rule, ...]:
    layer, our_layer = theirs + "layers.{i}.encoder_attn", ours + "stack.layers.{i}.cross_attention."
    return (
        Rename(layer + ".q_proj.{p}", our_layer + "sublayer.projections.queries.{p}"),
        Fuse(
            tuple(layer + f".{part}_proj.{{p}}" for part in ("k", "v")),
            our_layer + "sublayer.projections.keys_values.{p}",
        ),
        Rename(layer + ".out_proj.{p}", our_layer + "sublayer.out.{p}"),
        Rename(layer + "_layer_norm.{p}", our_layer + "norm.{p}"),
    )
