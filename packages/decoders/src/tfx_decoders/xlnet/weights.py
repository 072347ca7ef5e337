"""Names of XLNet's tensors in a checkpoint; projections are stored per head, ``(D, H, d)``."""

from torch import Tensor

from tfx_core.checkpoint import Fuse, Rename, Reshape, WeightTable
from tfx_decoders.xlnet.config import XLNetConfig

_THEIRS = "transformer.layer.{i}."
_OURS = "backbone.stack.layers.{i}."
_ATTENTION = _OURS + "self_attention.sublayer."
_POSITION = _ATTENTION + "position."

TIES = (("head.predictions.decoder.weight", "backbone.token.weight"),)


def weight_table(config: XLNetConfig) -> WeightTable:
    """The rules, by the parts that heads have in common."""
    heads = config.n_head

    def inwards(weight: Tensor) -> Tensor:
        return weight.view(heads, -1, weight.shape[1]).permute(2, 0, 1)  # (H·d, D) -> (D, H, d)

    def outwards(weight: Tensor) -> Tensor:
        return weight.view(len(weight), heads, -1)  # (D, H·d) -> (D, H, d)

    def mask(vector: Tensor) -> Tensor:
        return vector[None, None]

    core = (
        Rename("transformer.word_embedding.weight", "backbone.token.weight"),
        Reshape("transformer.mask_emb", "backbone.mask", mask),
        Fuse(
            (_THEIRS + "rel_attn.q", _THEIRS + "rel_attn.k", _THEIRS + "rel_attn.v"),
            _ATTENTION + "projections.qkv.weight",
            view=inwards,
        ),
        Reshape(_THEIRS + "rel_attn.o", _ATTENTION + "out.weight", outwards),
        Reshape(_THEIRS + "rel_attn.r", _POSITION + "project.weight", inwards),
        Rename(_THEIRS + "rel_attn.r_w_bias", _POSITION + "biases.content"),
        Rename(_THEIRS + "rel_attn.r_r_bias", _POSITION + "biases.position"),
        Rename(_THEIRS + "rel_attn.r_s_bias", _POSITION + "segment_bias"),
        Rename(_THEIRS + "rel_attn.seg_embed", _POSITION + "segments"),
        Rename(_THEIRS + "rel_attn.layer_norm.{p}", _OURS + "self_attention.norm.{p}"),
        Rename(_THEIRS + "ff.layer_norm.{p}", _OURS + "feed_forward.norm.{p}"),
        Rename(_THEIRS + "ff.layer_1.{p}", _OURS + "feed_forward.sublayer.up.{p}"),
        Rename(_THEIRS + "ff.layer_2.{p}", _OURS + "feed_forward.sublayer.down.{p}"),
    )
    return WeightTable(
        parts={
            "core": core,
            "predictions": (Rename("lm_loss.{p}", "head.predictions.decoder.{p}"),),
            "summary": (
                Rename("sequence_summary.summary.{p}", "head.summary.project.{p}"),
                Rename("logits_proj.{p}", "head.classifier.{p}"),
            ),
            "token-classifier": (Rename("classifier.{p}", "head.classifier.{p}"),),
            "spans": (Rename("qa_outputs.{p}", "head.classifier.{p}"),),
            "beam": (
                Rename("start_logits.dense.{p}", "head.start.{p}"),
                Rename("end_logits.dense_0.{p}", "head.end.join.{p}"),
                Rename("end_logits.LayerNorm.{p}", "head.end.norm.{p}"),
                Rename("end_logits.dense_1.{p}", "head.end.score.{p}"),
                Rename("answer_class.dense_0.{p}", "head.answer.join.{p}"),
                Rename("answer_class.dense_1.{p}", "head.answer.score.{p}"),
            ),
        },
        heads={
            "backbone": ("core",),
            "causal-lm": ("core", "predictions"),
            "sequence-classification": ("core", "summary"),
            "multiple-choice": ("core", "summary"),
            "token-classification": ("core", "token-classifier"),
            "question-answering": ("core", "spans"),
            "question-answering-beam": ("core", "beam"),
            "token-states": ("core",),
        },
        prefix="transformer.",
    )
