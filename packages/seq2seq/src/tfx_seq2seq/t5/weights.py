"""Names of T5's tensors in a checkpoint."""

from tfx_core.checkpoint import Drop, Fuse, Rename, Rule, Same, WeightTable
from tfx_seq2seq.t5.config import T5Config

_TOKEN_TABLE = "backbone.encoder.embeddings.token.weight"

TIES = (("head.predictions.decoder.weight", _TOKEN_TABLE),)


def weight_table(config: T5Config) -> WeightTable:
    """The rules, by the parts that heads have in common."""
    return WeightTable(
        parts={
            "tokens": (
                Rename("transformer.shared.weight", _TOKEN_TABLE),
                Same("transformer.encoder.embed_tokens.weight", "transformer.shared.weight"),
                Same("transformer.decoder.embed_tokens.weight", "transformer.shared.weight"),
            ),
            "encoder": _stack("encoder", config),
            "decoder": _stack("decoder", config),
            "predictions": (Rename("lm_head.weight", "head.predictions.decoder.weight"),),
            "classifier": (
                Rename("classification_head.dense.{p}", "head.classifier.1.{p}"),
                Rename("classification_head.out_proj.{p}", "head.classifier.4.{p}"),
            ),
            "token-classifier": (Rename("classifier.{p}", "head.classifier.1.{p}"),),
            "spans": (Rename("qa_outputs.{p}", "head.classifier.{p}"),),
        },
        heads={
            "backbone": ("tokens", "encoder", "decoder"),
            "conditional-generation": ("tokens", "encoder", "decoder", "predictions"),
            "encoder-only": ("tokens", "encoder"),
            "sequence-classification": ("tokens", "encoder", "decoder", "classifier"),
            "token-classification": ("tokens", "encoder", "token-classifier"),
            "question-answering": ("tokens", "encoder", "decoder", "spans"),
            "token-states": ("tokens", "encoder", "decoder"),
        },
        prefix="transformer.",
        bare=("backbone", "conditional-generation", "encoder-only", "question-answering", "token-states"),
    )


def _stack(side: str, config: T5Config) -> tuple[Rule, ...]:
    theirs, ours = f"transformer.{side}.block.{{i}}.layer.", f"backbone.{side}.stack.layers.{{i}}."
    feed_forward = 2 if side == "decoder" else 1
    rules: tuple[Rule, ...] = (
        Rename(
            f"transformer.{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
            f"backbone.{side}.position_bias.table.weight",
        ),
        Rename(f"transformer.{side}.final_layer_norm.weight", f"backbone.{side}.stack.norm.0.weight"),
        Fuse(
            tuple(theirs + f"0.SelfAttention.{part}.weight" for part in "qkv"),
            ours + "self_attention.sublayer.projections.qkv.weight",
        ),
        Rename(theirs + "0.SelfAttention.o.weight", ours + "self_attention.sublayer.out.weight"),
        Rename(theirs + "0.layer_norm.weight", ours + "self_attention.norm.weight"),
        *_feed_forward(theirs + f"{feed_forward}.DenseReluDense.", ours + "feed_forward.sublayer.", config),
        Rename(theirs + f"{feed_forward}.layer_norm.weight", ours + "feed_forward.norm.weight"),
    )
    if side == "encoder":
        return rules
    return (
        *rules,
        Rename(theirs + "1.EncDecAttention.q.weight", ours + "cross_attention.sublayer.projections.q.weight"),
        Fuse(
            (theirs + "1.EncDecAttention.k.weight", theirs + "1.EncDecAttention.v.weight"),
            ours + "cross_attention.sublayer.projections.kv.weight",
        ),
        Rename(theirs + "1.EncDecAttention.o.weight", ours + "cross_attention.sublayer.out.weight"),
        Rename(theirs + "1.layer_norm.weight", ours + "cross_attention.norm.weight"),
        # the first conversions stored a bias that cross-attention never had
        Drop("transformer.decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"),
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
