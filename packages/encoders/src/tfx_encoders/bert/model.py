"""BERT (Devlin et al. 2019): the encoder, which can also be a decoder with cross-attention."""

from tfx_core.model import TransformerBackbone
from tfx_encoders import post_norm
from tfx_encoders.bert.config import BertConfig


def build_backbone(config: BertConfig, parts: frozenset[str]) -> TransformerBackbone:
    """The backbone, with or without the ``"pooler"``."""
    return post_norm.build_backbone(config, pooler=post_norm.build_pooler(config) if "pooler" in parts else None)
