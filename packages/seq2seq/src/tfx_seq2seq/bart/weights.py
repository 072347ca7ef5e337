"""Names of BART's tensors in a checkpoint."""

from tfx_core.checkpoint import Fuse, Rename, Rule, Same, WeightTable
from tfx_seq2seq.bart.config import BartConfig


def _layers(side: str) -> tuple[Rule, ...]:
    theirs, ours = f"model.{side}.layers.{{i}}.", f"backbone.{side}.stack.layers.{{i}}."
    return (
        Rename(f"model.{side}.embed_positions.weight", f"backbone.{side}.embeddings.position.weight"),
        Rename(f"model.{side}.layernorm_embedding.{{p}}", f"backbone.{side}.embeddings.norm.{{p}}"),
        Fuse(
            tuple(theirs + f"self_attn.{part}_proj.{{p}}" for part in ("q", "k", "v")),
            ours + "self_attention.sublayer.projections.qkv.{p}",
        ),
        Rename(theirs + "self_attn.out_proj.{p}", ours + "self_attention.sublayer.out.{p}"),
        Rename(theirs + "self_attn_layer_norm.{p}", ours + "self_attention.norm.{p}"),
        Rename(theirs + "fc1.{p}", ours + "feed_forward.sublayer.up.{p}"),
        Rename(theirs + "fc2.{p}", ours + "feed_forward.sublayer.down.{p}"),
        Rename(theirs + "final_layer_norm.{p}", ours + "feed_forward.norm.{p}"),
    )


_THEIRS, _OURS = "model.decoder.layers.{i}.encoder_attn", "backbone.decoder.stack.layers.{i}.cross_attention."
_CROSS_ATTENTION = (
    Rename(_THEIRS + ".q_proj.{p}", _OURS + "sublayer.projections.q.{p}"),
    Fuse((_THEIRS + ".k_proj.{p}", _THEIRS + ".v_proj.{p}"), _OURS + "sublayer.projections.kv.{p}"),
    Rename(_THEIRS + ".out_proj.{p}", _OURS + "sublayer.out.{p}"),
    Rename(_THEIRS + "_layer_norm.{p}", _OURS + "norm.{p}"),
)
_TOKEN_TABLE = "backbone.decoder.embeddings.token.weight"

TIES = (("head.predictions.decoder.weight", _TOKEN_TABLE),)


def weight_table(config: BartConfig) -> WeightTable:
    """The rules, by the parts that heads have in common."""
    return WeightTable(
        parts={
            "tokens": (
                Rename("model.shared.weight", _TOKEN_TABLE),
                Same("model.encoder.embed_tokens.weight", "model.shared.weight"),
                Same("model.decoder.embed_tokens.weight", "model.shared.weight"),
            ),
            "decoder-tokens": (
                Rename("model.decoder.embed_tokens.weight", _TOKEN_TABLE),
                Same("model.shared.weight", "model.decoder.embed_tokens.weight"),
            ),
            "encoder": _layers("encoder"),
            "decoder": _layers("decoder") + _CROSS_ATTENTION,
            "predictions": (Rename("lm_head.weight", "head.predictions.decoder.weight"),),
            "logits-bias": (Rename("final_logits_bias", "head.predictions.logits_bias"),),
            "classifier": (
                Rename("classification_head.dense.{p}", "head.classifier.1.{p}"),
                Rename("classification_head.out_proj.{p}", "head.classifier.4.{p}"),
            ),
            "spans": (Rename("qa_outputs.{p}", "head.classifier.{p}"),),
        },
        heads={
            "backbone": ("tokens", "encoder", "decoder"),
            "conditional-generation": ("tokens", "encoder", "decoder", "predictions", "logits-bias"),
            "sequence-classification": ("tokens", "encoder", "decoder", "classifier"),
            "question-answering": ("tokens", "encoder", "decoder", "spans"),
            "causal-lm": ("decoder-tokens", "decoder", "predictions"),
            "token-states": ("tokens", "encoder", "decoder"),
        },
        prefix="model.",
        optional=("logits-bias",),
    )
