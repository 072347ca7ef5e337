"""Names of GPT-2's tensors in a checkpoint; its linear layers are stored transposed (Conv1D)."""

from tfx_core.checkpoint import Drop, Rename, Transpose, WeightTable
from tfx_decoders.gpt2.config import GPT2Config

_THEIRS = "transformer.h.{i}."
_OURS = "backbone.stack.layers.{i}."


def _conv1d(theirs: str, ours: str) -> tuple[Transpose, Rename]:
    return Transpose(theirs + ".weight", ours + ".weight"), Rename(theirs + ".bias", ours + ".bias")


_CORE = (
    Rename("transformer.wte.weight", "backbone.embeddings.token.weight"),
    Rename("transformer.wpe.weight", "backbone.embeddings.position.weight"),
    Rename("transformer.ln_f.{p}", "backbone.stack.norm.{p}"),
    Drop(_THEIRS + "attn.bias"),  # the causal mask, stored by older versions of the reference
    Drop(_THEIRS + "attn.masked_bias"),
    Rename(_THEIRS + "ln_1.{p}", _OURS + "self_attention.norm.{p}"),
    *_conv1d(_THEIRS + "attn.c_attn", _OURS + "self_attention.sublayer.projections.qkv"),
    *_conv1d(_THEIRS + "attn.c_proj", _OURS + "self_attention.sublayer.out"),
    Rename(_THEIRS + "ln_2.{p}", _OURS + "feed_forward.norm.{p}"),
    *_conv1d(_THEIRS + "mlp.c_fc", _OURS + "feed_forward.sublayer.up"),
    *_conv1d(_THEIRS + "mlp.c_proj", _OURS + "feed_forward.sublayer.down"),
)
_CROSS_ATTENTION = (
    Drop(_THEIRS + "crossattention.bias"),
    Drop(_THEIRS + "crossattention.masked_bias"),
    Rename(_THEIRS + "ln_cross_attn.{p}", _OURS + "cross_attention.norm.{p}"),
    *_conv1d(_THEIRS + "crossattention.q_attn", _OURS + "cross_attention.sublayer.projections.q"),
    *_conv1d(_THEIRS + "crossattention.c_attn", _OURS + "cross_attention.sublayer.projections.kv"),
    *_conv1d(_THEIRS + "crossattention.c_proj", _OURS + "cross_attention.sublayer.out"),
)

TIES = (("head.predictions.decoder.weight", "backbone.embeddings.token.weight"),)


def weight_table(config: GPT2Config) -> WeightTable:
    """The rules, by the parts that heads have in common."""
    return WeightTable(
        parts={
            "core": _CORE + _CROSS_ATTENTION if config.add_cross_attention else _CORE,
            "predictions": (Rename("lm_head.weight", "head.predictions.decoder.weight"),),
            "summary": (Rename("multiple_choice_head.summary.{p}", "head.summary.project.{p}"),),
            "score": (Rename("score.weight", "head.score.weight"),),
            "token-classifier": (Rename("classifier.{p}", "head.classifier.1.{p}"),),
            "spans": (Rename("qa_outputs.{p}", "head.classifier.{p}"),),
        },
        heads={
            "backbone": ("core",),
            "causal-lm": ("core", "predictions"),
            "double-heads": ("core", "predictions", "summary"),
            "sequence-classification": ("core", "score"),
            "token-classification": ("core", "token-classifier"),
            "question-answering": ("core", "spans"),
            "token-states": ("core",),
        },
        prefix="transformer.",
    )
