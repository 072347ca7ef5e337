"""Names of the tensors of Llama's backbone: theirs, in a checkpoint, and ours."""

from tfx_core.checkpoint import BackboneRules, Drop, Fuse, Rename
from tfx_llama.config import LlamaConfig

_THEIRS = "model.layers.{i}."
_OURS = "backbone.stack.layers.{i}."


def backbone_rules(config: LlamaConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules, read in both directions; ``{p}`` is a weight or a bias."""
    queries, keys = config.num_attention_heads * config.head_width, config.key_heads * config.head_width
    return BackboneRules(
        (
            Rename("model.embed_tokens.weight", "backbone.embeddings.token.weight"),
            Rename("model.norm.weight", "backbone.stack.norm.weight"),
            Rename(_THEIRS + "input_layernorm.weight", _OURS + "self_attention.norm.weight"),
            Fuse(
                tuple(_THEIRS + f"self_attn.{part}_proj.{{p}}" for part in "qkv"),
                _OURS + "self_attention.sublayer.projections.qkv.{p}",
                sizes=(queries, keys, keys),
            ),
            Rename(_THEIRS + "self_attn.o_proj.{p}", _OURS + "self_attention.sublayer.out.{p}"),
            Drop(_THEIRS + "self_attn.rotary_emb.inv_freq"),  # follows from rope_theta; older files store it
            Rename(_THEIRS + "post_attention_layernorm.weight", _OURS + "feed_forward.norm.weight"),
            Rename(_THEIRS + "mlp.{part:gate|up|down}_proj.{p}", _OURS + "feed_forward.sublayer.{part}.{p}"),
        ),
        prefix="model.",
    )
