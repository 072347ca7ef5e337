"""Names of the tensors of XLNet's backbone in a checkpoint; projections are stored per head, ``(D, H, d)``."""

from torch import Tensor

from tfx_core.checkpoint import BackboneRules, Fuse, Rename, Reshape
from tfx_decoders.xlnet.config import XLNetConfig

_THEIRS = "transformer.layer.{i}."
_OURS = "backbone.stack.layers.{i}."
_ATTENTION = _OURS + "self_attention.sublayer."
_POSITION = _ATTENTION + "position."


def backbone_rules(config: XLNetConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules; the number of heads is in the shapes."""
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
    return BackboneRules(core, prefix="transformer.")
