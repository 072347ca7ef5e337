"""Names of the tensors of ConvBERT's backbone in a checkpoint."""

from torch import Tensor

from tfx_core.checkpoint import BackboneRules, Rename, Reshape, Rule
from tfx_encoders.convbert.config import ConvBertConfig
from tfx_encoders.post_norm import embedding_rules, layer_rules


def backbone_rules(config: ConvBertConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules; models were released without the prefix and with it."""
    theirs, ours = "convbert.encoder.layer.{i}.", "backbone.stack.layers.{i}."
    core = embedding_rules("convbert.embeddings.") + layer_rules(theirs, ours)
    core += (Rename("convbert.embeddings_project.{p}", "backbone.embeddings.project.{p}"),)
    core += _convolution(theirs + "attention.self.", ours + "self_attention.sublayer.convolution.")
    return BackboneRules(core, prefix="convbert.")


def _convolution(theirs: str, ours: str) -> tuple[Rule, ...]:
    separable = theirs + "key_conv_attn_layer."
    return (
        Rename(separable + "depthwise.weight", ours + "span.channel.weight"),
        Reshape(separable + "pointwise.weight", ours + "span.point.weight", view=_with_last_axis),
        Reshape(separable + "bias", ours + "span.bias", view=_with_last_axis),
        Rename(theirs + "conv_kernel_layer.{p}", ours + "kernel.{p}"),
        Rename(theirs + "conv_out_layer.{p}", ours + "value.{p}"),
    )


def _with_last_axis(tensor: Tensor) -> Tensor:
    return tensor.unsqueeze(-1)
