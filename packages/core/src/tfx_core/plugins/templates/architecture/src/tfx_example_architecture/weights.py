"""What the backbone's tensors are called in a checkpoint: one table, used to load and to save."""

from tfx_core.checkpoint import BackboneRules, Fuse, Rename

from tfx_example_architecture.config import ExampleConfig


def backbone_rules(config: ExampleConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules, the names of checkpoints first.

    A tensor of either side that no rule names is an error: nothing is left out in silence. What a checkpoint has and
    the model does not need is a `tfx_core.checkpoint.Drop`.
    """
    theirs, ours = "model.layers.{i}.", "backbone.stack.layers.{i}."
    rules = (
        Rename("model.embed_tokens.weight", "backbone.embeddings.token.weight"),
        Rename("model.norm.weight", "backbone.stack.norm.weight"),
        Rename(theirs + "input_layernorm.weight", ours + "self_attention.norm.weight"),
        Fuse(  # three matrices of theirs are one of ours; sizes, for they are not of one width
            tuple(theirs + f"self_attn.{part}_proj.weight" for part in "qkv"),
            ours + "self_attention.sublayer.projections.qkv.weight",
            sizes=(config.hidden_size, config.key_width, config.key_width),
        ),
        Rename(theirs + "self_attn.o_proj.weight", ours + "self_attention.sublayer.out.weight"),
        Rename(theirs + "post_attention_layernorm.weight", ours + "feed_forward.norm.weight"),
        Rename(theirs + "mlp.{part:gate|up|down}_proj.weight", ours + "feed_forward.sublayer.{part}.weight"),
    )
    return BackboneRules(rules, prefix="model.")  # a checkpoint of the backbone alone has names without the prefix
