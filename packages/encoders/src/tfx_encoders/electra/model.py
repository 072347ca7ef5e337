"""ELECTRA (Clark et al. 2020): BERT without a pooler, its embeddings projected to the width of the states."""

from torch import nn

from tfx_core.model import TransformerBackbone
from tfx_encoders import post_norm
from tfx_encoders.electra.config import ElectraConfig


def build_backbone(config: ElectraConfig, parts: frozenset[str]) -> TransformerBackbone:
    """The backbone, of a generator or a discriminator."""
    narrow, wide = config.embedding_size, config.hidden_size
    project = None if narrow == wide else nn.Linear(narrow, wide)
    return post_norm.build_backbone(config, embeddings=post_norm.build_embeddings(config, narrow, project=project))
