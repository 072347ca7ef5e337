"""Names of the tensors of T5's backbone in a checkpoint."""

from tfx_core.checkpoint import BackboneRules, Drop, Fuse, Rename, Rule, Same
from tfx_seq2seq.t5.config import T5Config


def backbone_rules(config: T5Config, parts: frozenset[str]) -> BackboneRules:
    """The rules of encoder and decoder, or of the encoder alone."""
    encoder = "backbone.encoder." if "decoder" in parts else "backbone."
    tokens = (
        Rename("transformer.shared.weight", encoder + "embeddings.token.weight"),
        Same("transformer.encoder.embed_tokens.weight", "transformer.shared.weight"),
    )
    return BackboneRules(
        core=tokens + _side("transformer.encoder.", encoder, config, feed_forward=1),
        parts={
            "decoder": (
                Same("transformer.decoder.embed_tokens.weight", "transformer.shared.weight"),
                *_side("transformer.decoder.", "backbone.decoder.", config, feed_forward=2),
                *_cross_attention("transformer.decoder.block.{i}.layer.1.", "backbone.decoder.stack.layers.{i}."),
                # the first conversions stored a bias that cross-attention never had
                Drop("transformer.decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"),
            ),
            "start": (),
        },
        prefix="transformer.",
    )


def _side(theirs: str, ours: str, config: T5Config, *, feed_forward: int) -> tuple[Rule, ...]:
    """Of a stack whose feed-forward sublayers have this number."""
    sublayer, our_layer = theirs + "block.{i}.layer.", ours + "stack.layers.{i}."
    return (
        Rename(
            theirs + "block.0.layer.0.SelfAttention.relative_attention_bias.weight", ours + "position_bias.table.weight"
        ),
        Rename(theirs + "final_layer_norm.weight", ours + "stack.norm.0.weight"),
        Fuse(
            tuple(sublayer + f"0.SelfAttention.{part}.weight" for part in "qkv"),
            our_layer + "self_attention.sublayer.projections.qkv.weight",
        ),
        Rename(sublayer + "0.SelfAttention.o.weight", our_layer + "self_attention.sublayer.out.weight"),
        Rename(sublayer + "0.layer_norm.weight", our_layer + "self_attention.norm.weight"),
        *_feed_forward(sublayer + f"{feed_forward}.DenseReluDense.", our_layer + "feed_forward.sublayer.", config),
        Rename(sublayer + f"{feed_forward}.layer_norm.weight", our_layer + "feed_forward.norm.weight"),
    )


def _cross_attention(theirs: str, ours: str) -> tuple[Rule, ...]:
    return (
        Rename(theirs + "EncDecAttention.q.weight", ours + "cross_attention.sublayer.projections.queries.weight"),
        Fuse(
            tuple(theirs + f"EncDecAttention.{part}.weight" for part in "kv"),
            ours + "cross_attention.sublayer.projections.keys_values.weight",
        ),
        Rename(theirs + "EncDecAttention.o.weight", ours + "cross_attention.sublayer.out.weight"),
        Rename(theirs + "layer_norm.weight", ours + "cross_attention.norm.weight"),
    )


def _feed_forward(theirs: str, ours: str, config: T5Config) -> tuple[Rule, ...]:
    down = Rename(theirs + "wo.weight", ours + "down.weight")
    if not config.is_gated:
        return Rename(theirs + "wi.weight", ours + "up.weight"), down
    return (
        Rename(theirs + "wi_0.weight", ours + "gate.weight"),
        Rename(theirs + "wi_1.weight", ours + "up.weight"),
        down,
    )
